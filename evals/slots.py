"""Where in the row of images the right answer stands, and which place the model prefers to name."""

from __future__ import annotations

import numpy as np
import pandas as pd


def gold_slot_terms(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Correct replies and all replies, by question (rows) and slot of the gold (columns).

    Accuracy at a slot is the ratio of the two sums, so both are needed to resample questions.
    """
    table = table[table["gold_slot"].notna()]
    question, keys = pd.factorize(table["question"])
    slot, slots = pd.factorize(table["gold_slot"].astype(int), sort=True)
    cell, shape = question * len(slots) + slot, (len(keys), len(slots))

    def by_cell(weights: np.ndarray) -> pd.DataFrame:
        sums = np.bincount(cell, weights=weights, minlength=shape[0] * shape[1]).reshape(shape)
        return pd.DataFrame(sums, index=keys, columns=pd.Index(slots, name="slot"))

    return by_cell(table["correct"].to_numpy(dtype=float)), by_cell(np.ones(len(table)))


def accuracy_by_gold_slot(table: pd.DataFrame) -> pd.DataFrame:
    """Accuracy where the picture that the gold denotes stands in each slot.

    Late slots exist only in questions with many images, so a slope may come from harder questions;
    the same questions visit several slots when they are permuted, which balances the slots that they
    all have. Restrict the table to one ``n_images`` for a curve without that confound.

    Source: per-position accuracy of SoFA's PQA (arXiv 2503.13792).

    Returns:
        Indexed by slot (0-based): ``accuracy``, ``replies``, ``questions``.
    """
    correct, n = gold_slot_terms(table)
    return pd.DataFrame(
        {
            "accuracy": correct.sum() / n.sum(),
            "replies": n.sum().astype(int),
            "questions": (n > 0).sum().astype(int),
        }
    )


def slot_choices(table: pd.DataFrame) -> pd.DataFrame:
    """How often replies name the picture in slot 0, 1, …, beside how often the gold stands there.

    Only replies to questions whose gold denotes a picture are counted. Without order bias the two
    shares are alike up to what accuracy leaves open.

    Returns:
        Indexed by slot (0-based): ``chosen`` and ``gold``, shares of the replies counted. ``chosen``
        adds up to less than 1 where replies are unparsable or name no picture.
    """
    table = table[table["gold_slot"].notna()]
    n_slots = int(table["n_images"].max()) if len(table) else 0
    shares = {
        name: np.bincount(table[column].dropna().astype(int), minlength=n_slots)
        / max(len(table), 1)
        for name, column in (("chosen", "chosen_slot"), ("gold", "gold_slot"))
    }
    return pd.DataFrame(shares, index=pd.RangeIndex(n_slots, name="slot"))
