"""Which pictures are the same one, by their perceptual hashes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Colour hashes of one picture differ by at most so many of 42 bits: each of 14 shares is told in 3 bits,
#: and a share at a bin's edge may change all of its own.
COLOUR_DISTANCE = 6
_BLOCK = 1 << 22  # comparisons at a time


class PictureSet:
    """Pictures among which like ones are found.

    Args:
        phashes: 64-bit numbers.
        colours: the colour hash of each.
        distance: by how many bits phashes of one picture may differ.
    """

    def __init__(self, phashes: Sequence[int], colours: Sequence[int], distance: int):
        self.phashes = np.array(phashes, np.uint64)
        self.colours = np.array(colours, np.uint64)
        self.distance = distance

    def like(self, phashes: Sequence[int], colours: Sequence[int]) -> np.ndarray:
        """For each of these pictures the first like one's place in the set, or -1; int64 [pictures]."""
        found = np.full(len(phashes), -1, np.int64)
        if not len(self.phashes):
            return found
        step = max(1, _BLOCK // len(self.phashes))
        for start in range(0, len(phashes), step):
            rows = slice(start, start + step)
            alike = self.alike(np.array(phashes[rows], np.uint64), np.array(colours[rows], np.uint64))  # fmt: skip
            found[rows] = np.where(alike.any(axis=1), alike.argmax(axis=1), -1)
        return found

    def alike(self, phashes: np.ndarray, colours: np.ndarray) -> np.ndarray:
        """Whether each of these pictures is like each of the set; bool [pictures, set]."""
        return same_picture(
            phashes[:, None], colours[:, None], self.phashes, self.colours, self.distance
        )


def same_picture(phash, colour, other_phash, other_colour, distance: int) -> np.ndarray:
    """Whether hashes are near enough to be of one picture; broadcasts over uint64 arrays."""
    near = np.bitwise_count(np.bitwise_xor(phash, other_phash)) <= distance
    return near & (np.bitwise_count(np.bitwise_xor(colour, other_colour)) <= COLOUR_DISTANCE)
