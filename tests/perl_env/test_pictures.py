import contextlib
import os
import pickle
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from perl_env.errors import InputError
from perl_env.pictures import (
    MAX_PIXELS,
    PictureCache,
    decode_picture,
    encoded_size,
    ends_as_it_should,
    picture_size,
    read_picture,
)

NOISE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def saved(path, array=NOISE, **more):
    picture = array if isinstance(array, Image.Image) else Image.fromarray(array)
    picture.save(path, **more)
    return path


def png_header(width, height):
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "webp", "gif", "jpg"])
def test_formats(tmp_path, suffix):
    path = saved(tmp_path / f"a.{suffix}", **({"lossless": True} if suffix == "webp" else {}))
    array = read_picture(path)
    assert (array.shape, array.dtype) == ((40, 60, 3), np.uint8)
    assert picture_size(path) == (60, 40)
    assert not array.flags.writeable
    if suffix in ("png", "bmp", "tiff", "webp"):
        assert np.array_equal(array, NOISE)


def test_a_wrong_suffix_does_not_matter(tmp_path):
    saved(tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert np.array_equal(read_picture(tmp_path / "a.jpg"), NOISE)


def test_the_cameras_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    assert np.array_equal(read_picture(saved(tmp_path / "a.png", exif=exif)), np.rot90(NOISE, -1))


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "LA", "RGBA", "I;16"])
def test_modes_become_rgb(tmp_path, mode):
    picture = Image.new(mode, (5, 4), 1 if mode == "1" else 0)
    array = read_picture(saved(tmp_path / "a.tiff", picture))
    assert (array.shape, array.dtype) == ((4, 5, 3), np.uint8)


def test_transparency_becomes_white(tmp_path):
    picture = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    picture.putpixel((1, 0), (255, 0, 0, 255))
    assert read_picture(saved(tmp_path / "a.png", picture)).tolist() == [
        [[255, 255, 255], [255, 0, 0]]
    ]
    indexed = Image.new("P", (1, 1), 0)
    assert read_picture(saved(tmp_path / "b.png", indexed, transparency=b"\0")).tolist() == [
        [[255, 255, 255]]
    ]


def test_sixteen_bits_are_scaled(tmp_path):
    grey = Image.fromarray(np.array([[0, 0x8000, 0xFFFF]], np.uint16))
    assert read_picture(saved(tmp_path / "a.png", grey))[0, :, 0].tolist() == [0, 128, 255]


def test_a_missing_picture(tmp_path):
    with pytest.raises(
        InputError, match=r"^picture is missing: row 3: expected a picture file, got no such file$"
    ):
        read_picture(tmp_path / "a.png", where="row 3")


def test_a_folder_or_pipe_is_no_picture(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):  # opening the pipe would wait for ever
        with pytest.raises(InputError, match="no regular file"):
            read_picture(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "picture file is empty"),
        (b"hello", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
        (b"<svg/>", "not a picture"),
        (b"\x89PNG\r\n\x1a\n", "damaged header"),
        (b"\xff\xd8\xff", "damaged header"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "damaged header"),
        (b"GIF89a", "damaged header"),
        (b"BM", "damaged header"),
        (b"II*\0", "damaged header"),
        (png_header(0, 5), "no pixels"),
        (png_header(20_000, 20_000), "too large"),
        (png_header(2**31 - 1, 2**31 - 1), "too large"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} bytes",
)
def test_bad_files_give_one_line(tmp_path, data, message):
    path = tmp_path / "a.png"
    path.write_bytes(data)
    for read in (read_picture, picture_size):
        with pytest.raises(InputError, match=message) as caught:
            read(path, where="here")
        assert "here" in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif", "bmp", "tiff"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_truncated_picture(tmp_path, suffix, share):
    path = saved(tmp_path / f"a.{suffix}")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError, match=r"truncated or damaged|damaged header"):
        read_picture(path)


def test_damage_anywhere_is_one_error_or_none(tmp_path):
    rng = np.random.default_rng(1)
    for suffix in ("png", "jpg", "gif", "webp", "bmp"):
        data = bytearray(saved(tmp_path / f"a.{suffix}").read_bytes())
        for _ in range(40):
            damaged = data.copy()
            damaged[int(rng.integers(4, len(data)))] ^= 1 << int(rng.integers(8))
            (tmp_path / "b").write_bytes(damaged)
            with contextlib.suppress(InputError):  # nothing else may come out
                assert read_picture(tmp_path / "b", max_pixels=10**6).dtype == np.uint8


def test_the_limit_counts_pixels_and_can_be_set(tmp_path):
    path = saved(tmp_path / "a.png")
    assert read_picture(path, max_pixels=2400).shape == (40, 60, 3)
    with pytest.raises(InputError, match="at most 2,399 pixels, got 60 x 40"):
        read_picture(path, max_pixels=2399)
    assert MAX_PIXELS < 20_000 * 20_000


def test_pillows_own_limit_is_left_alone(tmp_path):
    before = Image.MAX_IMAGE_PIXELS
    read_picture(saved(tmp_path / "a.png"))
    assert before == Image.MAX_IMAGE_PIXELS


def test_the_cache_keeps_what_was_read_last(tmp_path):
    paths = [saved(tmp_path / f"{i}.png", NOISE + np.uint8(i)) for i in range(4)]
    cache = PictureCache(max_bytes=3 * NOISE.nbytes)
    arrays = [cache.read(path) for path in paths]
    assert len(cache) == 3
    assert cache.read(paths[3]) is arrays[3]
    assert cache.read(paths[1]) is arrays[1]
    again = cache.read(paths[0])
    assert again is not arrays[0]
    assert np.array_equal(again, arrays[0])
    assert cache.read(paths[1]) is arrays[1]
    assert len(cache) == 3


def test_the_cache_travels_empty(tmp_path):
    cache = PictureCache(max_bytes=5)
    cache.read(saved(tmp_path / "a.png"))
    copy = pickle.loads(pickle.dumps(cache))
    assert (len(copy), copy.max_bytes) == (0, 5)
    assert np.array_equal(copy.read(tmp_path / "a.png"), NOISE)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "webp", "gif", "jpg"])
def test_the_content_of_a_file_is_read_like_the_file(tmp_path, suffix):
    path = saved(tmp_path / f"noise.{suffix}")
    np.testing.assert_array_equal(decode_picture(path.read_bytes()), read_picture(path))
    assert encoded_size(path.read_bytes()) == picture_size(path)
    with pytest.raises(InputError, match="not a picture: row 3"):
        decode_picture(b"no picture", "row 3")
    with pytest.raises(InputError, match="picture is too large: row 3"):
        encoded_size(path.read_bytes(), "row 3", max_pixels=100)


@pytest.mark.parametrize("suffix", ["png", "webp", "gif", "jpg", "bmp", "tiff"])
def test_a_complete_picture_ends_as_it_should_and_a_cut_one_does_not(tmp_path, suffix):
    data = saved(tmp_path / f"noise.{suffix}").read_bytes()
    assert ends_as_it_should(data) == (suffix not in ("bmp", "tiff"))  # these have no such mark
    for cut in (1, 2, 5, 20, len(data) // 2, len(data) - 1):
        assert not ends_as_it_should(data[:-cut])
