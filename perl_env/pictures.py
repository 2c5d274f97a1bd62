"""Reading picture files that may be anything: missing, cut off, enormous, or no pictures at all."""

from __future__ import annotations

import io
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from perl_env.errors import InputError

#: The most pixels that a picture may have: 0.25 GiB as RGB, Pillow's own bound for "no bomb".
MAX_PIXELS = 1024 * 1024 * 1024 // 4 // 3

# The formats that are read, by their first bytes. Pillow's ``Image.open`` would try dozens of
# others, PostScript among them, and warns about large pictures through process-wide state.
_READERS: tuple[tuple[Callable[[bytes], bool], type[ImageFile.ImageFile]], ...] = (
    (lambda head: head.startswith(b"\x89PNG\r\n\x1a\n"), PngImagePlugin.PngImageFile),
    (lambda head: head.startswith(b"\xff\xd8\xff"), JpegImagePlugin.JpegImageFile),
    (lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP", WebPImagePlugin.WebPImageFile),
    (lambda head: head.startswith((b"GIF87a", b"GIF89a")), GifImagePlugin.GifImageFile),
    (lambda head: head.startswith(b"BM"), BmpImagePlugin.BmpImageFile),
    (lambda head: head.startswith((b"II*\0", b"MM\0*")), TiffImagePlugin.TiffImageFile),
)
_FORMATS = "a PNG, JPEG, WebP, GIF, BMP or TIFF picture"


def read_picture(path: str | Path, where: str = "", max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """The picture in a file as a read-only uint8 array of shape (H, W, 3).

    The camera's orientation (EXIF) is applied. What is transparent becomes white, 16-bit greys are
    scaled to 8 bits, of an animation the first frame is taken.

    Args:
        path: the file.
        where: what names it in an error message; by default its path.
        max_pixels: refuse a picture with more, before any of it is decoded.

    Raises:
        InputError: the file is missing, empty, no picture, truncated, or has no or too many pixels.
    """
    where = where or str(path)
    with _opened(path, where, max_pixels) as picture:
        return _pixels(picture, where)


def decode_picture(data: bytes, where: str = "", max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """As ``read_picture``, for the content of a file.

    Raises:
        InputError: as ``read_picture``.
    """
    return _pixels(_sized(io.BytesIO(data), where, max_pixels), where)


def picture_size(
    path: str | Path, where: str = "", max_pixels: int = MAX_PIXELS
) -> tuple[int, int]:
    """Width and height in pixels, from the file's header alone.

    Raises:
        InputError: as ``read_picture``, but not for data that is cut off after the header.
    """
    with _opened(path, where or str(path), max_pixels) as picture:
        return picture.size


def encoded_size(data: bytes, where: str = "", max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """As ``picture_size``, for the content of a file.

    Raises:
        InputError: as ``picture_size``.
    """
    return _sized(io.BytesIO(data), where, max_pixels).size


def ends_as_it_should(data: bytes) -> bool:
    """Whether a picture's data end with the mark that ends a complete PNG, JPEG, GIF or WebP.

    It costs next to nothing and finds what a broken download cuts off. ``False`` means only that the
    picture has to be decoded to know: formats without such a mark, or something behind it.
    """
    if data.startswith(b"\x89PNG"):
        return data[-12:] == b"\0\0\0\0IEND\xaeB`\x82"
    if data.startswith(b"\xff\xd8"):
        return data.endswith(b"\xff\xd9")
    if data.startswith(b"GIF8"):
        return data.endswith(b"\0;")
    if data.startswith(b"RIFF"):
        return int.from_bytes(data[4:8], "little") in (len(data) - 8, len(data) - 9)
    return False


def _pixels(picture: ImageFile.ImageFile, where: str) -> np.ndarray:
    try:
        picture.load()
        array = np.asarray(_as_rgb(ImageOps.exif_transpose(picture)))
    except Exception as error:  # a decoder meets damaged data in many ways
        raise InputError("picture is truncated or damaged", where=where,
                         expected="complete picture data", got=error) from error  # fmt: skip
    array.flags.writeable = False
    return array


@contextmanager
def _opened(path: str | Path, where: str, max_pixels: int) -> Iterator[ImageFile.ImageFile]:
    """The picture with its header read and its size checked, nothing decoded."""
    if not os.path.isfile(path):  # keeps out directories, pipes and devices, too
        got = "no such file" if not os.path.exists(path) else "something that is no regular file"
        raise InputError("picture is missing", where=where, expected="a picture file", got=got)
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise InputError("picture cannot be opened", where=where, expected="a readable file",
                         got=error.strerror) from error  # fmt: skip
    with file:
        yield _sized(file, where, max_pixels)


def _sized(file: BinaryIO, where: str, max_pixels: int) -> ImageFile.ImageFile:
    picture = _identified(file, where)
    width, height = picture.size  # at least 1 x 1: Pillow's readers refuse others
    if width * height > max_pixels:
        raise InputError("picture is too large", where=where, expected=f"at most {max_pixels:,} pixels",
                         got=f"{width:,} x {height:,}")  # fmt: skip
    return picture


def _identified(file: BinaryIO, where: str) -> ImageFile.ImageFile:
    head = file.read(16)
    if not head:
        raise InputError("picture file is empty", where=where, expected=_FORMATS, got="0 bytes")
    for accepts, reader in _READERS:
        if accepts(head):
            file.seek(0)
            try:
                return reader(file)
            except Exception as error:
                raise InputError("picture has no pixels or a damaged header", where=where, expected=_FORMATS,
                                 got=error) from error  # fmt: skip
    raise InputError(
        "not a picture", where=where, expected=_FORMATS, got=f"a file that starts with {head!r}"
    )


def _as_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # 16-bit grey; Pillow would clip it at 255
        values = np.asarray(picture).astype(np.int64) >> 8
        return Image.fromarray(values.clip(0, 255).astype(np.uint8)).convert("RGB")
    if picture.mode == "F":
        raise ValueError("floating-point pixels")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert(
            "RGB"
        )
    return picture.convert("RGB")


class PictureCache:
    """The pictures read last, up to a number of bytes. Pickles empty, so it travels lightly.

    Args:
        max_bytes: what the kept arrays may take together.
    """

    def __init__(self, max_bytes: int = 256 * 1024 * 1024):
        self.max_bytes = max_bytes
        self._kept: OrderedDict[Path, np.ndarray] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def read(self, path: Path, where: str = "") -> np.ndarray:
        """As ``read_picture``, from memory where the picture was read lately."""
        array = self._kept.pop(path, None)
        if array is None:
            array = read_picture(path, where)
            self._bytes += array.nbytes
        self._kept[path] = array
        while self._bytes > self.max_bytes and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return array

    def __getstate__(self) -> dict[str, int]:
        return {"max_bytes": self.max_bytes}

    def __setstate__(self, state: dict[str, int]) -> None:
        self.__init__(state["max_bytes"])  # type: ignore[misc]
