"""Intervals that treat questions, not replies, as the units that were sampled.

Measured coverage: ``docs/metrics.md``, made by ``python -m benchmarks.interval_coverage``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evals.bootstrap import RESAMPLES, bootstrap_ratios, bootstrap_sums, unseen_levels
from evals.comparison import Difference, mcnemar_p, paired_difference
from evals.metric import mean
from evals.near_zero import tail_above
from evals.power import detectable_difference, power_note, questions_needed

__all__ = [
    "LEVEL",
    "RESAMPLES",
    "Difference",
    "Estimate",
    "detectable_difference",
    "estimate_biased",
    "estimate_means",
    "estimate_ratios",
    "mcnemar_p",
    "paired_difference",
    "power_note",
    "questions_needed",
]

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A measured number with its interval.

    Attributes:
        value: the estimate; NaN where it is undefined.
        low: lower end of the interval.
        high: upper end of the interval.
        questions: how many questions it rests on.
    """

    value: float
    low: float
    high: float
    questions: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def estimate_means(
    values: pd.DataFrame,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
    *,
    orders: int = 2,
) -> dict[str, Estimate]:
    """The mean of each column of per-question values, with its bootstrap interval.

    Args:
        values: one row a question; NaN where a metric is undefined for it.
        bounds: the range of one question's value, by column; [0, 1] where not given.
        resamples: number of bootstrap draws.
        seed: of the draws.
        level: confidence level.
        orders: in how many orders a question is asked, see ``evals.bootstrap.unseen_levels``.
    """
    array = values.to_numpy(dtype=float)
    defined = ~np.isnan(array)
    limits = np.array(
        [(bounds or {}).get(str(name), (0.0, 1.0)) for name in values.columns], dtype=float
    ).reshape(-1, 2)
    levels = unseen_levels(limits, orders)
    draws = bootstrap_ratios(
        np.where(defined, array, 0.0), defined.astype(float), limits, levels, resamples, seed
    )
    return {
        str(name): Estimate(value, *interval(value, draws[:, i], level), int(defined[:, i].sum()))
        for i, name in enumerate(values.columns)
        for value in [mean(array[:, i])]
    }


def estimate_ratios(
    numerators: pd.DataFrame,
    denominators: pd.DataFrame,
    bounds: tuple[float, float] = (0.0, 1.0),
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
    *,
    orders: int = 2,
) -> dict[object, Estimate]:
    """Σ numerators / Σ denominators of each column, with its bootstrap interval; as ``estimate_means``."""
    top, bottom = numerators.to_numpy(dtype=float), denominators.to_numpy(dtype=float)
    limits = np.tile(np.array(bounds, dtype=float), (top.shape[1], 1))
    draws = bootstrap_ratios(top, bottom, limits, unseen_levels(limits, orders), resamples, seed)
    result: dict[object, Estimate] = {}
    for i, name in enumerate(numerators.columns):
        counted = int((bottom[:, i] > 0).sum())
        value = float(top[:, i].sum() / bottom[:, i].sum()) if counted else float("nan")
        result[name] = Estimate(value, *interval(value, draws[:, i], level), counted)
    return result


def estimate_biased(
    terms: np.ndarray,
    measure: Callable[[np.ndarray], np.ndarray],
    shrink: Callable[[np.ndarray, float], np.ndarray],
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> Estimate:
    """A squared distance made of sums over questions, corrected for what chance adds to it.

    The variance of measured accuracies is above the variance of the true ones, since each is measured
    with noise; resampling adds as much noise once more. So what resampling adds on average, the lift, is
    taken off the value and off the draws' upper end. The lower end is found by test inversion (Carpenter,
    J. R. Statist. Soc. B 61, 1999): it is the least share of what was measured with which, noise added, the
    measured value would still be reached often enough. Where that share is none, it is 0. How often is
    enough depends on how far from 0 the truth would be, see ``evals.near_zero``.

    Args:
        terms: float [Q, T], the sums' terms, one row a question.
        measure: of sums [..., T], gives numbers ≥ 0 [...], quadratic where they are small.
        shrink: of sums [..., T] and a share, gives the sums as they would be if of what was measured that
            share were true: of drawn sums the noise stays as it is.
        resamples: number of bootstrap draws.
        seed: of the draws.
        level: confidence level.
    """
    value = float(measure(terms.sum(axis=0)))
    if np.isnan(value):
        return Estimate(value, value, value, 0)
    sums = bootstrap_sums(terms, resamples, seed)
    draws = measure(sums)
    lift = float(np.nanmean(draws)) - value
    corrected = max(value - lift, 0.0)
    high = float(np.nanquantile(draws, (1 + level) / 2))

    def truth(share: float) -> float:
        return float(measure(shrink(terms.sum(axis=0), share))) if share else 0.0

    def is_reached(share: float) -> bool:
        drawn = measure(shrink(sums, share))
        distance = truth(share) / max(float(np.nanstd(drawn)), 1e-12)
        return float(np.mean(drawn >= value)) >= tail_above(distance, level)

    low = truth(_least_share(is_reached))
    questions = int((terms != 0).any(axis=1).sum())
    return Estimate(corrected, min(low, corrected), max(high - lift, corrected), questions)


def _least_share(is_reached: Callable[[float], bool], halvings: int = 12) -> float:
    """The least share, from 0 to 1, of which ``is_reached`` holds; it holds of all above it."""
    if is_reached(0.0):
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(halvings):
        middle = (low + high) / 2
        low, high = (low, middle) if is_reached(middle) else (middle, high)
    return low


def interval(value: float, draws: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """The draws' quantiles. The value is always inside, also where it lies at the end of its range."""
    if np.isnan(value):
        return value, value
    low, high = np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return min(float(low), value), max(float(high), value)
