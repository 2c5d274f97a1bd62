"""Spaces for pictures of any size and for free text, which Gymnasium does not have.

``gymnasium.spaces.Text`` knows a closed set of characters and ``Sequence`` has no place in the shared
memory of ``AsyncVectorEnv``. The two spaces here hold any text and any pictures, and work in sync
and async vector environments without any vector arguments.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.vector.utils import (
    create_shared_memory,
    read_from_shared_memory,
    write_to_shared_memory,
)

_SAMPLE_LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz ABC()é中0123456789{}\\"))


class FreeText(Space[str]):
    r"""Any text of at most ``max_length`` characters.

    >>> "The answer is \\boxed{B}, né?" in FreeText()
    True
    """

    def __init__(self, max_length: int = 1_000_000, seed: int | np.random.Generator | None = None):
        self.max_length = max_length
        super().__init__(shape=None, dtype=np.str_, seed=seed)

    @property
    def is_np_flattenable(self) -> bool:
        """Text has no array of fixed size."""
        return False

    def contains(self, x: Any) -> bool:
        """Whether ``x`` is a string that is not too long."""
        return isinstance(x, str) and len(x) <= self.max_length

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """A short random text; masks are not supported and must be ``None``."""
        _refuse_mask(mask, probability)
        length = int(self.np_random.integers(1, min(self.max_length, 40) + 1))
        return "".join(self.np_random.choice(_SAMPLE_LETTERS, length))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FreeText) and other.max_length == self.max_length

    def __hash__(self) -> int:
        return hash(("FreeText", self.max_length))

    def __repr__(self) -> str:
        return f"FreeText({self.max_length})"

    @property
    def max_bytes(self) -> int:
        """Room that the longest text needs in shared memory; texts there are cut at 64 Ki characters."""
        return 4 * min(self.max_length, 65_536)

    def to_bytes(self, value: str) -> bytes:
        """``value`` as UTF-8."""
        return value[:65_536].encode()

    def from_bytes(self, data: bytes) -> str:
        """The text of ``to_bytes``."""
        return data.decode()


class Pictures(Space[tuple[np.ndarray, ...]]):
    """A tuple of one to ``max_images`` uint8 pictures (H, W, 3) of at most ``max_pixels`` pixels each.

    >>> (np.zeros((4, 6, 3), "uint8"),) in Pictures(max_images=2, max_pixels=100)
    True
    """

    def __init__(
        self, max_images: int, max_pixels: int, seed: int | np.random.Generator | None = None
    ):
        self.max_images = max_images
        self.max_pixels = max_pixels
        super().__init__(shape=None, dtype=np.uint8, seed=seed)

    @property
    def is_np_flattenable(self) -> bool:
        """Pictures of any size have no array of fixed size."""
        return False

    def contains(self, x: Any) -> bool:
        """Whether ``x`` is a tuple of such pictures."""
        return (
            isinstance(x, tuple)
            and 1 <= len(x) <= self.max_images
            and all(self._contains_picture(picture) for picture in x)
        )

    def _contains_picture(self, picture: Any) -> bool:
        return (
            isinstance(picture, np.ndarray)
            and picture.dtype == np.uint8
            and picture.ndim == 3
            and picture.shape[2] == 3
            and 0 < picture.shape[0] * picture.shape[1] <= self.max_pixels
        )

    def sample(self, mask: Any = None, probability: Any = None) -> tuple[np.ndarray, ...]:
        """Random pictures; masks are not supported and must be ``None``."""
        _refuse_mask(mask, probability)
        side = max(1, min(64, int(self.max_pixels**0.5)))
        count = int(self.np_random.integers(1, self.max_images + 1))
        sizes = self.np_random.integers(1, side + 1, (count, 2))
        return tuple(
            self.np_random.integers(0, 256, (height, width, 3), dtype=np.uint8)
            for height, width in sizes
        )

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Pictures)
            and other.max_images == self.max_images
            and other.max_pixels == self.max_pixels
        )

    def __hash__(self) -> int:
        return hash(("Pictures", self.max_images, self.max_pixels))

    def __repr__(self) -> str:
        return f"Pictures({self.max_images}, {self.max_pixels})"

    @property
    def max_bytes(self) -> int:
        """Room that the largest pictures need in shared memory."""
        return 4 + self.max_images * (8 + 3 * self.max_pixels)

    def to_bytes(self, value: tuple[np.ndarray, ...]) -> bytes:
        """Count, then height, width and pixels of each picture."""
        parts = [struct.pack("<I", len(value))]
        for picture in value:
            parts += [struct.pack("<II", *picture.shape[:2]), picture.tobytes()]
        return b"".join(parts)

    def from_bytes(self, data: bytes) -> tuple[np.ndarray, ...]:
        """The pictures of ``to_bytes``."""
        (count,) = struct.unpack_from("<I", data)
        pictures, start = [], 4
        for _ in range(count):
            height, width = struct.unpack_from("<II", data, start)
            pixels = np.frombuffer(data, np.uint8, height * width * 3, start + 8)
            pictures.append(pixels.reshape(height, width, 3))
            start += 8 + height * width * 3
        return tuple(pictures)


def _refuse_mask(mask: Any, probability: Any) -> None:
    if mask is not None or probability is not None:
        raise ValueError("this space cannot sample with a mask or probabilities")


class SharedValues(Sequence):
    """The values that the workers of an ``AsyncVectorEnv`` last wrote, one per environment.

    Gymnasium reads the shared memory once and then only copies what it got; so this is a live view,
    and a copy of it is the tuple of the values at that moment.
    """

    def __init__(self, space: FreeText | Pictures, memory: Any, n: int):
        self._space, self._memory, self._n = space, memory, n

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(self._n)))
        if not -self._n <= index < self._n:
            raise IndexError(index)
        return self._space.from_bytes(_slot(self._space, self._memory, index % self._n, None))

    def __deepcopy__(self, memo: dict) -> tuple:
        return tuple(self)


def _slot(space: FreeText | Pictures, memory: Any, index: int, data: bytes | None) -> bytes:
    """Write ``data`` into an environment's part of the memory, or read what is there."""
    stride = 4 + space.max_bytes
    view = memoryview(memory.get_obj()).cast("B")[index * stride : (index + 1) * stride]
    if data is None:
        (length,) = struct.unpack_from("<I", view)
        if length == 0 and isinstance(space, Pictures):
            return struct.pack("<I", 0)
        return bytes(view[4 : 4 + length])
    if len(data) > space.max_bytes:
        raise ValueError(f"{space!r} has room for {space.max_bytes} bytes, got {len(data)}")
    struct.pack_into("<I", view, 0, len(data))
    view[4 : 4 + len(data)] = data
    return data


@create_shared_memory.register(FreeText)
@create_shared_memory.register(Pictures)
def _create(space: FreeText | Pictures, n: int = 1, ctx: Any = None) -> Any:
    if ctx is None:
        import multiprocessing as ctx
    return ctx.Array("B", n * (4 + space.max_bytes))


@read_from_shared_memory.register(FreeText)
@read_from_shared_memory.register(Pictures)
def _read(space: FreeText | Pictures, shared_memory: Any, n: int = 1) -> SharedValues:
    return SharedValues(space, shared_memory, n)


@write_to_shared_memory.register(FreeText)
@write_to_shared_memory.register(Pictures)
def _write(space: FreeText | Pictures, index: int, value: Any, shared_memory: Any) -> None:
    _slot(space, shared_memory, index, space.to_bytes(value))
