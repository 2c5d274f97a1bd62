"""Questions whose answer is one of the images: does the answer move with its picture?

Two replies to different orders tell where the picture that the first one names stands in both. Where
it moved, a model that looks names the same picture again, in another slot; a model that answers by
position names the same slot again, another picture. Where the picture did not move, the two cannot be
told apart, and the pair is left out. A pair with a reply that names no picture counts, as neither.
"""

from __future__ import annotations

import itertools

import numpy as np

from evals.metric import metric, once_per_table
from evals.reply_counts import ReplyCounts


@metric("Answer moves with its picture", "higher",
        "share of ordered pairs (o, o′), less those whose named picture stays: canonical(o′) = canonical(o)",
        "own; equivariance as the target for questions that name positions",
        unparsable="its pairs count and do not move")  # fmt: skip
def moves_with_picture(counts: ReplyCounts) -> np.ndarray:
    """How often the same picture is named again where it has moved. An unparsable reply never does."""
    return _pairs(counts)[0]


@metric("Answer sticks to its slot", "lower",
        "share of ordered pairs (o, o′), less those whose named picture stays: slot(o′) = slot(o)",
        "own; the other half of equivariance",
        unparsable="its pairs count and do not stick")  # fmt: skip
def sticks_to_slot(counts: ReplyCounts) -> np.ndarray:
    """How often the same slot is named again where another picture stands there now.

    It and ``moves_with_picture`` leave out what names a third picture, or none.
    """
    return _pairs(counts)[1]


@once_per_table
def _pairs(counts: ReplyCounts) -> tuple[np.ndarray, np.ndarray]:
    """float64 [Q] twice: shares of telling pairs that move with the picture, and that stick."""
    n = len(counts.questions)
    telling, moves, sticks = np.zeros(n), np.zeros(n), np.zeros(n)
    slot = np.where(np.isnan(counts.chosen_slot), -1, counts.chosen_slot).astype(np.int64)
    picture = _named_pictures(counts, slot)
    for block in counts.first_blocks:
        rows = block.rows[:, :, 0]
        for i, j in itertools.permutations(range(rows.shape[1]), 2):
            first, second = rows[:, i], rows[:, j]
            named = picture[first] >= 0
            stands = counts.position[second, np.maximum(picture[first], 0)]
            tells = ~(named & (stands == slot[first])) | (picture[second] < 0)
            both = tells & named & (picture[second] >= 0)
            telling[block.questions] += tells
            moves[block.questions] += both & (picture[second] == picture[first])
            sticks[block.questions] += both & (slot[second] == slot[first])
    names_pictures = counts.count(~np.isnan(counts.gold_slot)) > 0
    defined = names_pictures & (telling > 0)
    telling = np.where(defined, telling, np.nan)
    return moves / telling, sticks / telling


def _named_pictures(counts: ReplyCounts, slot: np.ndarray) -> np.ndarray:
    """int64 [N]: the canonical picture that each reply names; -1 if none."""
    found = (counts.position == slot[:, None]) & (slot[:, None] >= 0)
    return np.where(found.any(1), found.argmax(1), -1)
