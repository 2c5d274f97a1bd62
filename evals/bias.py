"""Preferences for a place, over all questions whose answer is one of the images or options.

A *label* is a slot (``slot_counts``) or an option's letter (``evals.letters``). Questions are kept apart
by how many labels they have: late slots exist only in questions with many images, which may be harder.
Each measure is taken of each such stratum, and their mean, weighted by replies, is told (of RStd
the root of the mean square).

Unparsable replies are wrong (they lower every recall alike) and choose no label; they have their own
rate, ``unparsable_rate``. A measure that chance alone lifts above 0 is corrected for that in summaries
(``evals.statistics.estimate_biased``); the functions here give the peers' own formulas.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evals.bootstrap import RESAMPLES
from evals.statistics import Estimate, estimate_biased, estimate_ratios

#: What smoothing adds to each label's count, so that a label that was never chosen costs no infinity.
_SMOOTHING = 0.5


@dataclass(frozen=True, eq=False)
class LabelCounts:
    """Replies by question, stratum and label.

    Attributes:
        terms: float64 [Q, 3 · C]: for each of C cells (stratum, label) the replies whose gold it is, those
            of them that are right, and the replies that chose it.
        stratum: int64 [C], the stratum of each cell.
    """

    terms: np.ndarray
    stratum: np.ndarray

    def by_stratum(self, sums: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Gold, right and chosen counts [..., labels] of each stratum, from sums of terms [..., 3 · C]."""
        gold, right, chosen = np.split(sums, 3, axis=-1)
        return [
            (gold[..., cells], right[..., cells], chosen[..., cells])
            for found in np.unique(self.stratum)
            for cells in [self.stratum == found]
        ]


def label_counts(
    question: pd.Series,
    strata: pd.Series,
    gold: pd.Series,
    chosen: pd.Series,
    correct: pd.Series,
) -> LabelCounts:
    """Counts of N replies; a label never seen in a stratum, as gold or as choice, has no cell there."""
    row, keys = pd.factorize(question)
    seen = pd.concat(
        [pd.DataFrame({"s": strata, "label": labels}).dropna() for labels in (gold, chosen)]
    )
    cells = pd.MultiIndex.from_frame(seen.drop_duplicates().sort_values(["s", "label"]))

    def count(labels: pd.Series, where: np.ndarray) -> np.ndarray:
        where = where & labels.notna().to_numpy()
        cell = cells.get_indexer(pd.MultiIndex.from_arrays([strata[where], labels[where]]))
        flat = np.bincount(row[where] * len(cells) + cell, minlength=len(keys) * len(cells))
        return flat.reshape(len(keys), len(cells)).astype(float)

    everywhere = np.ones(len(row), dtype=bool)
    right = correct.to_numpy(dtype=bool)
    terms = [count(gold, everywhere), count(gold, right), count(chosen, everywhere)]
    return LabelCounts(
        np.concatenate(terms, axis=1), pd.factorize(cells.get_level_values(0))[0].astype(np.int64)
    )


def slot_counts(table: pd.DataFrame) -> LabelCounts | None:
    """Counts by slot, of the questions whose gold denotes a picture; ``None`` if there are none."""
    if (
        not {"gold_slot", "chosen_slot", "n_images"} <= set(table)
        or table["gold_slot"].isna().all()
    ):
        return None
    asked = table[table["gold_slot"].notna()]
    choices = asked["n_choices"] if "n_choices" in asked else asked["n_images"]
    strata = asked["n_images"].astype(int) * 1000 + choices.fillna(0).astype(int)
    return label_counts(
        asked["question"], strata, asked["gold_slot"], asked["chosen_slot"], asked["correct"]
    )


def variance_of_recalls(counts: LabelCounts, sums: np.ndarray) -> np.ndarray:
    """The square of RStd: the variance over labels of the accuracy where the gold bears the label.

    Zheng et al., arXiv 2309.03882; "RStd" in PA-GRPO. Without preference all recalls are alike: 0.

    Args:
        counts: what the sums are of.
        sums: float [..., 3 · C], sums of ``counts.terms`` over questions.
    """
    return _weighed(counts, sums, _recall_variance)


def shrunk(counts: LabelCounts, sums: np.ndarray, share: float) -> np.ndarray:
    """Sums as they would be if only a share of the measured preferences were true; their noise stays.

    Taken off are, of each label, the rest of how far its measured recall lies from the mean recall, and of
    how much more often it was chosen than it was the gold.
    """
    result = sums.copy()
    gold, right, chosen = np.split(result, 3, axis=-1)  # views
    measured = np.split(counts.terms.sum(axis=0), 3)
    for stratum in np.unique(counts.stratum):
        cells = counts.stratum == stratum
        gold_0, right_0, chosen_0 = (part[cells] for part in measured)
        recall = _recalls(gold_0, right_0)
        excess = np.nan_to_num(recall - np.nanmean(recall)) if gold_0.any() else 0.0
        right[..., cells] -= (1 - share) * excess * gold[..., cells]
        shift = chosen_0 / max(chosen_0.sum(), 1.0) - gold_0 / max(gold_0.sum(), 1.0)
        every = chosen[..., cells].sum(-1, keepdims=True)
        chosen[..., cells] = np.maximum(chosen[..., cells] - (1 - share) * shift * every, 0.0)
    return result


def choice_divergence(counts: LabelCounts, sums: np.ndarray) -> np.ndarray:
    """CKLD: Σ p log(p / q), p the labels' shares of golds, q their shares of choices; natural logarithm.

    "CKLD" in PA-GRPO (arXiv 2603.21016). Half a reply is added to each label, since q may be 0.
    """
    return _weighed(counts, sums, _divergence)


def _recall_variance(gold: np.ndarray, right: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    return _variance(_recalls(gold, right))


def _recalls(gold: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Right of gold [..., labels]; NaN where no gold bears the label."""
    return np.divide(right, gold, out=np.full_like(right, np.nan), where=gold > 0)


def _variance(recall: np.ndarray) -> np.ndarray:
    """The variance over the labels that have a recall."""
    known = ~np.isnan(recall)
    n = np.maximum(known.sum(-1), 1)
    centre = np.where(known, recall, 0).sum(-1) / n
    return np.where(known, (recall - centre[..., None]) ** 2, 0).sum(-1) / n


def _divergence(gold: np.ndarray, right: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    p, q = (
        (counts + _SMOOTHING) / (counts + _SMOOTHING).sum(-1, keepdims=True)
        for counts in (gold, chosen)
    )
    return (p * np.log(p / q)).sum(-1)


_OfStratum = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def _weighed(counts: LabelCounts, sums: np.ndarray, function: _OfStratum) -> np.ndarray:
    """The mean of a measure over strata, each weighing as much as it has replies."""
    total, weight = np.zeros(sums.shape[:-1]), np.zeros(sums.shape[:-1])
    for gold, right, chosen in counts.by_stratum(sums):
        replies = gold.sum(-1)
        total += replies * function(gold, right, chosen)
        weight += replies
    return np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0)


def rstd(counts: LabelCounts) -> float:
    """RStd of all replies, uncorrected, as peers report it."""
    return math.sqrt(float(variance_of_recalls(counts, counts.terms.sum(axis=0))))


def ckld(counts: LabelCounts) -> float:
    """CKLD of all replies, uncorrected, as peers report it."""
    return float(choice_divergence(counts, counts.terms.sum(axis=0)))


def estimate_rstd(counts: LabelCounts, resamples: int, seed: int) -> Estimate:
    """RStd corrected for chance, with its interval."""
    squared = estimate_biased(
        counts.terms, lambda sums: variance_of_recalls(counts, sums),
        lambda sums, share: shrunk(counts, sums, share), resamples, seed,
    )  # fmt: skip
    value, low, high = (math.sqrt(x) for x in (squared.value, squared.low, squared.high))
    return Estimate(value, low, high, squared.questions)


def estimate_ckld(counts: LabelCounts, resamples: int, seed: int) -> Estimate:
    """CKLD corrected for chance, with its interval."""
    return estimate_biased(
        counts.terms, lambda sums: choice_divergence(counts, sums),
        lambda sums, share: shrunk(counts, sums, share), resamples, seed,
    )  # fmt: skip


# The direction of the preference: which end of the row.


def slope_terms(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Numerators and denominators, by question, of the slopes and the shift; columns as below.

    * ``recency_slope``: how much more often the question is answered right when the gold stands last
      than when it stands first, by least squares with a level of its own for each question. Below 0:
      primacy. Source: per-position accuracy of SoFA's PQA (arXiv 2503.13792), made one number.
    * ``first_slot_gain``, ``last_slot_gain``: accuracy with the gold in the first (last) slot less
      accuracy elsewhere, within questions. Both above 0: a U-shape, which a slope cannot see.
    * ``choice_shift``: how much further towards the end than the gold the named picture stands, in
      lengths of the row. Replies that name no picture are left out.

    All are ratios of sums over questions, and 0 for a model without preference.
    """
    asked = table[table["gold_slot"].notna() & (table["n_images"] > 1)]
    last = asked["n_images"].to_numpy(dtype=float) - 1
    gold = asked["gold_slot"].to_numpy(dtype=float)
    row, keys = pd.factorize(asked["question"])
    correct = asked["correct"].to_numpy(dtype=float)
    xs = {
        "recency_slope": gold / last,
        "first_slot_gain": (gold == 0).astype(float),
        "last_slot_gain": (gold == last).astype(float),
    }
    top, bottom = {}, {}
    for name, x in xs.items():
        top[name], bottom[name] = _within(row, len(keys), x, correct)
    chosen = asked["chosen_slot"].to_numpy(dtype=float)
    named = ~np.isnan(chosen)
    shift = np.where(named, chosen - gold, 0.0) / last
    top["choice_shift"] = np.bincount(row, weights=shift, minlength=len(keys))
    bottom["choice_shift"] = np.bincount(row, weights=named.astype(float), minlength=len(keys))
    return pd.DataFrame(top, index=keys), pd.DataFrame(bottom, index=keys)


def _within(row: np.ndarray, n: int, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each question's Σ (x − x̄)(y − ȳ) and Σ (x − x̄)²."""
    replies = np.maximum(np.bincount(row, minlength=n), 1)
    x = x - (np.bincount(row, weights=x, minlength=n) / replies)[row]
    y = y - (np.bincount(row, weights=y, minlength=n) / replies)[row]
    squares = np.bincount(row, weights=x * x, minlength=n)
    return np.bincount(row, weights=x * y, minlength=n), np.where(squares > 1e-12, squares, 0.0)


def estimate_slot_bias(
    table: pd.DataFrame, resamples: int = RESAMPLES, seed: int = 0, *, orders: int = 2
) -> dict[str, Estimate]:
    """Every measure of slot bias with its interval; none where no gold denotes a picture.

    ``orders`` is in how many orders a question is asked, as in ``evals.statistics.estimate_means``.

    Of ``rstd_slot`` and ``ckld_slot`` what chance adds is taken off; see ``estimate_biased``.
    """
    counts = slot_counts(table)
    if counts is None:
        return {}
    found = {
        "rstd_slot": estimate_rstd(counts, resamples, seed),
        "ckld_slot": estimate_ckld(counts, resamples, seed),
    }
    top, bottom = slope_terms(table)
    if len(top):
        shift = ["choice_shift"]  # which no question can move by more than half the row on average
        slopes = estimate_ratios(
            top.drop(columns=shift), bottom.drop(columns=shift), (-1.0, 1.0), resamples, seed, orders=orders,
        ) | estimate_ratios(top[shift], bottom[shift], (-0.5, 0.5), resamples, seed, orders=orders)  # fmt: skip
        found |= {str(name): estimate for name, estimate in slopes.items()}
    return found
