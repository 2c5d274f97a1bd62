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
from perl_env.tasks.folder import inside

#: The largest picture file that is unpacked; an archive may claim to hold anything.
_MAX_BYTES = 512 * 1024 * 1024


def check_picture(value: Any, folder: Path | None, where: str, decode: bool) -> int:
    """The number of pixels of a picture, checked without decoding it where that is enough.

    Its header has to be sound and its end complete. A picture whose end does not tell, and every one
    if ``decode``, is decoded and dropped.

    Raises:
        InputError: it is missing, no picture, cut off, or outside the folder.
    """
    data = picture_data(value, folder, where)
    width, height = encoded_size(data, where)
    if decode or not ends_as_it_should(data):
        decode_picture(data, where)
    return width * height


def load_picture(value: Any, folder: Path | None, where: str) -> np.ndarray:
    """The picture, a read-only uint8 array (H, W, 3); raises as ``check_picture``."""
    return decode_picture(picture_data(value, folder, where), where)


def picture_data(value: Any, folder: Path | None, where: str) -> bytes:
    """The encoded picture of a row's value: bytes, or a path inside ``folder``.

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
    if folder is None:
        raise InputError("picture is a path without a folder", where=where,
                         expected="path=… of a copy with its pictures", got="rows alone")  # fmt: skip
    file = inside(folder.resolve(), path, where)
    if file.is_file():
        return file.read_bytes()
    for parent in file.parents:
        if parent == folder.resolve() or not parent.is_relative_to(folder.resolve()):
            break
        archive = parent.with_name(f"{parent.name}.zip")
        if archive.is_file():
            return _unzipped(archive, file.relative_to(parent), where)
    raise InputError(
        "picture is missing", where=where, expected="a picture file", got="no such file"
    )


def _unzipped(archive: Path, name: Path, where: str) -> bytes:
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
    raise InputError("picture is missing", where=where, expected="a picture file",
                     got=f"no such file in {archive.name}")  # fmt: skip


@lru_cache(maxsize=16)
def _archive(path: str, process: int) -> zipfile.ZipFile:
    """An open archive; one for each process, since forked ones would share its file position."""
    return zipfile.ZipFile(path)
