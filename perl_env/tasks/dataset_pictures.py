"""The pictures of a row: bytes in the data set itself, or files (also zipped ones) beside it."""

from __future__ import annotations

import os
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from perl_env.errors import InputError
from perl_env.pictures import decode_picture, encoded_size, ends_as_it_should
from perl_env.tasks.dataset_files import Opened
from perl_env.tasks.folder import inside

#: The largest picture file that is unpacked; an archive may claim to hold anything.
_MAX_BYTES = 512 * 1024 * 1024


def check_picture(value: Any, source: Opened, where: str, decode: bool) -> int:
    """The number of pixels of a picture, checked without decoding it where that is enough.

    Its header has to be sound and its end complete. A picture whose end does not tell, and every one
    if ``decode``, is decoded and dropped.

    Raises:
        InputError: it is missing, no picture, cut off, or outside the folder.
    """
    data = picture_data(value, source, where)
    width, height = encoded_size(data, where)
    if decode or not ends_as_it_should(data):
        decode_picture(data, where)
    return width * height


def load_picture(value: Any, source: Opened, where: str) -> np.ndarray:
    """The picture, a read-only uint8 array (H, W, 3); raises as ``check_picture``."""
    return decode_picture(picture_data(value, source, where), where)


def picture_data(value: Any, source: Opened, where: str) -> bytes:
    """The encoded picture of a row's value: bytes, or a path inside the folder of ``source``.

    A folder may be a zip file of the same name: "a/b/c.jpg" is also found in "a.zip" and "a/b.zip".
    """
    path = value
    if isinstance(value, dict):
        if value.get("bytes"):
            return bytes(value["bytes"])
        path = value.get("path")
    if not isinstance(path, str) or not path:
        raise InputError("picture is missing", where=where, expected="a picture", got=value)
    where = f"{where}, {path!r}"
    if source.folder is None:
        raise InputError("picture is a path without a folder", where=where,
                         expected="path=… of a copy with its pictures", got="rows alone")  # fmt: skip
    root = source.folder.resolve()
    inside(
        root, path, where
    )  # an absolute path, or one that climbs out, is no picture of this data
    for below in source.below:
        if (data := _file_or_member(root, inside(root, f"{below}/{path}" if below else path, where), where)) is not None:  # fmt: skip
            return data
    raise InputError("picture is missing", where=where, expected=f"a picture file in {root}",
                     got="no such file, nor one in a zip file")  # fmt: skip


def _file_or_member(root: Path, file: Path, where: str) -> bytes | None:
    if file.is_file():
        return file.read_bytes()
    for parent in file.parents:
        if not parent.is_relative_to(root) or parent == root:
            break
        archive = parent.with_name(f"{parent.name}.zip")
        if archive.is_file() and (data := _unzipped(archive, file.relative_to(parent), where)) is not None:  # fmt: skip
            return data
    return None


def _unzipped(archive: Path, name: Path, where: str) -> bytes | None:
    for member in (str(name), f"{archive.stem}/{name}"):
        try:
            opened = _archive(str(archive), os.getpid())
            if opened.getinfo(member).file_size > _MAX_BYTES:
                raise InputError("picture file is too large", where=where,
                                 expected=f"at most {_MAX_BYTES:,} bytes", got=member)  # fmt: skip
            return opened.read(member)
        except KeyError:
            continue
        except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            raise InputError("picture cannot be unpacked", where=where,
                             expected=f"a sound {archive.name}", got=error) from error  # fmt: skip
    return None


@lru_cache(maxsize=16)
def _archive(path: str, process: int) -> zipfile.ZipFile:
    """An open archive; one for each process, since forked ones would share its file position."""
    return zipfile.ZipFile(path)
