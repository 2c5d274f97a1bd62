"""Preferences for an option's letter, apart from those for a slot.

Where the options name images, each option keeps its letter and its picture while the pictures change
slots. So within a question every letter visits every slot, and the two preferences come apart:

* *slot* preference shows within questions: the same option, same letter, in another slot;
* *letter* preference shows between questions, averaged over the slots: are questions whose gold is A
  answered right more often than those whose gold is C, and is A chosen more often than it is right?

Where the options *are* the images (order class image-options), the letter moves with the slot: it is the
slot's name, and no data can tell the two apart. Such questions count for slots (``evals.bias``), not here.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from evals.bias import LabelCounts, estimate_ckld, estimate_rstd, label_counts
from evals.bootstrap import RESAMPLES, bootstrap_sums
from evals.statistics import Estimate, interval


def lettered(table: pd.DataFrame) -> pd.DataFrame:
    """The replies to questions with options whose letters do not move with the slots."""
    if not {"gold_letter", "chosen_letter"} <= set(table):
        return table.iloc[:0]
    asked = table[table["gold_letter"].notna()]
    if "order_class" in asked:
        asked = asked[asked["order_class"] != "image-options"]
    moves = asked.groupby("question")["gold_letter"].nunique() > 1
    return asked[~asked["question"].map(moves).to_numpy(dtype=bool)]


def letter_counts(table: pd.DataFrame) -> LabelCounts | None:
    """Counts by letter; questions are kept apart by how many options they have."""
    asked = lettered(table)
    if not len(asked):
        return None
    strata = pd.Series(0, index=asked.index)
    if "n_choices" in asked:
        strata = asked["n_choices"].fillna(0).astype(int)
    return label_counts(
        asked["question"], strata, asked["gold_letter"], asked["chosen_letter"], asked["correct"]
    )


def letter_choices(table: pd.DataFrame) -> pd.DataFrame:
    """How often replies choose each letter, beside how often it is the gold.

    Returns:
        Indexed by letter: ``chosen`` and ``gold``, shares of the replies; ``chosen`` adds up to less than
        1 where replies are unparsable.
    """
    asked = lettered(table)
    columns = {"chosen": "chosen_letter", "gold": "gold_letter"} if len(asked) else {}
    shares = {name: asked[column].value_counts() / len(asked) for name, column in columns.items()}
    return pd.DataFrame(shares, columns=["chosen", "gold"]).fillna(0.0).sort_index().rename_axis("letter")  # fmt: skip


def additive_effects(right: np.ndarray, replies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy by letter and slot as a sum of a letter's and a slot's effect, by weighted least squares.

    Args:
        right: float [..., L, S], right replies whose gold bears letter l and stands in slot s.
        replies: float [..., L, S], all such replies.

    Returns:
        Effects of letters [..., L] and of slots [..., S], each with mean 0 over those that occur. NaN where
        the design cannot tell them apart: where letters and slots do not hang together by cells that were
        asked, as when A is always slot 0 and B always slot 1.
    """
    n_letters, n_slots = replies.shape[-2:]
    by_letter, by_slot = replies.sum(-1), replies.sum(-2)
    normal = np.zeros((*replies.shape[:-2], n_letters + n_slots, n_letters + n_slots))
    index = np.arange(n_letters + n_slots)
    normal[..., index, index] = np.concatenate([by_letter, by_slot], axis=-1)
    normal[..., :n_letters, n_letters:] = replies
    normal[..., n_letters:, :n_letters] = np.swapaxes(replies, -1, -2)
    target = np.concatenate([right.sum(-1), right.sum(-2)], axis=-1)
    solution = (np.linalg.pinv(normal, rcond=1e-9, hermitian=True) @ target[..., None])[..., 0]
    occurring = (np.concatenate([by_letter, by_slot], axis=-1) > 0).sum(-1)
    rank = np.linalg.matrix_rank(normal, hermitian=True, tol=None)
    told_apart = rank == occurring - 1
    letters = _centred(solution[..., :n_letters], by_letter > 0)
    slots = _centred(solution[..., n_letters:], by_slot > 0)
    letters[~told_apart] = np.nan
    slots[~told_apart] = np.nan
    return letters, slots


def _centred(effects: np.ndarray, occurs: np.ndarray) -> np.ndarray:
    mean = np.where(occurs, effects, 0).sum(-1) / np.maximum(occurs.sum(-1), 1)
    return np.where(occurs, effects - mean[..., None], np.nan)


def letter_and_slot_effects(
    table: pd.DataFrame, resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """What each letter and each slot adds to accuracy, the other held fixed.

    Of questions whose options name images: they alone have both, independent of each other.

    Returns:
        Indexed by ``what`` ("letter", "slot") and ``label``: ``effect``, ``low``, ``high`` (shares, with
        95 % intervals by bootstrap over questions); empty where no question has both.
    """
    asked = lettered(table)
    asked = asked[asked["gold_slot"].notna()] if "gold_slot" in asked else asked.iloc[:0]
    empty = pd.DataFrame(columns=["effect", "low", "high"])
    if not len(asked):
        return empty
    row, keys = pd.factorize(asked["question"])
    letter, letters = pd.factorize(asked["gold_letter"], sort=True)
    slot, slots = pd.factorize(asked["gold_slot"].astype(int), sort=True)
    shape = (len(keys), len(letters) * len(slots))
    cell = row * shape[1] + letter * len(slots) + slot
    replies = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape).astype(float)
    right = np.bincount(cell, weights=asked["correct"].to_numpy(dtype=float),
                        minlength=shape[0] * shape[1]).reshape(shape)  # fmt: skip
    terms = np.concatenate([right, replies], axis=1)

    def effects(sums: np.ndarray) -> np.ndarray:
        two_way = sums.reshape(*sums.shape[:-1], 2, len(letters), len(slots))
        return np.concatenate(additive_effects(two_way[..., 0, :, :], two_way[..., 1, :, :]), -1)

    values, draws = effects(terms.sum(axis=0)), effects(bootstrap_sums(terms, resamples, seed))
    if np.isnan(values).all():
        return empty
    index = pd.MultiIndex.from_tuples(
        [("letter", label) for label in letters] + [("slot", label) for label in slots],
        names=["what", "label"],
    )
    spans = [interval(float(value), draws[:, i]) for i, value in enumerate(values)]
    return pd.DataFrame({"effect": values, "low": [low for low, _ in spans],
                         "high": [high for _, high in spans]}, index=index)  # fmt: skip


def estimate_letter_bias(
    table: pd.DataFrame, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Estimate]:
    """RStd and CKLD over letters, corrected for chance; none where no question has letters."""
    counts = letter_counts(table)
    if counts is None:
        return {}
    return {
        "rstd_letter": estimate_rstd(counts, resamples, seed),
        "ckld_letter": estimate_ckld(counts, resamples, seed),
    }
