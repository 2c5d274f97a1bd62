"""Which pictures are the same one: perceptual hashes and mean colours.

The phash of the ``imagehash`` library (64 bits: the low frequencies of the cosine transform of the grey
picture) survives another size or compression. It does not see colours, so that a red and a blue ball have
one phash; the mean colours of a grid of 4 × 4 have to agree as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from perl_env.errors import InputError

#: Mean colours of one picture, at another size or after JPEG, differ by less (of 255).
COLOUR_DISTANCE = 12
_GRID = (4, 4)
_BLOCK = 1 << 22  # comparisons at a time


@dataclass(frozen=True)
class Hashes:
    """What pictures are compared by.

    Attributes:
        phashes: uint64 [...].
        colours: uint8 [..., 48].
    """

    phashes: np.ndarray
    colours: np.ndarray

    @classmethod
    def of(cls, phashes: Sequence[int], colours: Sequence[str]) -> Hashes:
        """From numbers and hexadecimal texts, as ``picture_hashes`` gives them."""
        values = np.frombuffer(b"".join(map(bytes.fromhex, colours)), np.uint8)
        return cls(np.array(phashes, np.uint64), values.reshape(len(colours), 3 * _GRID[0] * _GRID[1]))  # fmt: skip

    def __getitem__(self, which) -> Hashes:
        return Hashes(self.phashes[which], self.colours[which])

    def __len__(self) -> int:
        return len(self.phashes)


def picture_hashes(image: np.ndarray) -> tuple[int, str]:
    """The perceptual hash (64 bits) and the mean colours (hexadecimal) of a picture."""
    try:
        import imagehash
    except ImportError:
        raise InputError("package is not installed", where="imagehash", expected="pip install 'perl-env[curate]'",
                         got="none") from None  # fmt: skip
    picture = Image.fromarray(image)
    means = np.asarray(picture.resize(_GRID, Image.Resampling.BOX))
    return int(str(imagehash.phash(picture)), 16), means.tobytes().hex()


def same_picture(one: Hashes, others: Hashes, distance: int) -> np.ndarray:
    """Whether pictures are the same one; the shapes of ``phashes`` broadcast.

    Args:
        one: pictures.
        others: pictures to which they are compared.
        distance: by how many bits phashes of one picture may differ.
    """
    near = np.bitwise_count(np.bitwise_xor(one.phashes, others.phashes)) <= distance
    places = np.nonzero(near)  # few: colours are compared there alone
    a = np.broadcast_to(one.colours, (*near.shape, one.colours.shape[-1]))[places]
    b = np.broadcast_to(others.colours, (*near.shape, others.colours.shape[-1]))[places]
    near[places] = (np.abs(a.astype(np.int16) - b) <= COLOUR_DISTANCE).all(axis=-1)
    return near


def first_like(pictures: Hashes, known: Hashes, distance: int) -> np.ndarray:
    """For each picture the place of the first like one among the known, or -1; int64 [pictures]."""
    found = np.full(len(pictures), -1, np.int64)
    if not len(known):
        return found
    step = max(1, _BLOCK // len(known))
    for start in range(0, len(pictures), step):
        rows = slice(start, start + step)
        some = pictures[rows]
        alike = same_picture(Hashes(some.phashes[:, None], some.colours[:, None]), known, distance)
        found[rows] = np.where(alike.any(axis=1), alike.argmax(axis=1), -1)
    return found
