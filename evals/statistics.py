"""Intervals that treat questions, not replies, as the units that were sampled.

Measured coverage: ``docs/metrics.md``, made by ``python -m benchmarks.interval_coverage``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evals.bootstrap import RESAMPLES, bootstrap_ratios, bootstrap_sums
from evals.comparison import Difference, mcnemar_p, paired_difference
from evals.metric import mean
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
) -> dict[str, Estimate]:
    """The mean of each column of per-question values, with its bootstrap interval.

    Args:
        values: one row a question; NaN where a metric is undefined for it.
        bounds: the range of one question's value, by column; [0, 1] where not given.
        resamples: number of bootstrap draws.
        seed: of the draws.
        level: confidence level.
    """
    array = values.to_numpy(dtype=float)
    defined = ~np.isnan(array)
    limits = np.array(
        [(bounds or {}).get(str(name), (0.0, 1.0)) for name in values.columns], dtype=float
    ).reshape(-1, 2)
    draws = bootstrap_ratios(
        np.where(defined, array, 0.0), defined.astype(float), limits, resamples, seed
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
) -> dict[object, Estimate]:
    """Σ numerators / Σ denominators of each column, with its bootstrap interval."""
    top, bottom = numerators.to_numpy(dtype=float), denominators.to_numpy(dtype=float)
    limits = np.tile(np.array(bounds, dtype=float), (top.shape[1], 1))
    draws = bootstrap_ratios(top, bottom, limits, resamples, seed)
    result: dict[object, Estimate] = {}
    for i, name in enumerate(numerators.columns):
        counted = int((bottom[:, i] > 0).sum())
        value = float(top[:, i].sum() / bottom[:, i].sum()) if counted else float("nan")
        result[name] = Estimate(value, *interval(value, draws[:, i], level), counted)
    return result


def estimate_biased(
    terms: np.ndarray,
    measure: Callable[[np.ndarray], np.ndarray],
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
    null: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Estimate:
    """A squared distance made of sums over questions, corrected for what chance adds to it.

    The variance of measured accuracies is above the variance of the true ones, since each is measured
    with noise; resampling adds as much noise once more. So what resampling adds on average, the lift, is
    taken off the value once and off the draws' lower end twice. Off the upper end it is taken once, as
    small values are lifted less than that average where they are large by chance.

    Args:
        terms: float [Q, T], the sums' terms, one row a question.
        measure: of sums [..., T], gives numbers ≥ 0 [...], quadratic where they are small.
        resamples: number of bootstrap draws.
        seed: of the draws.
        level: confidence level.
        null: of drawn sums, gives what the measure would be if the true one were 0. Where the measured
            value is within the level's reach of these, the interval begins at 0.
    """
    value = float(measure(terms.sum(axis=0)))
    if np.isnan(value):
        return Estimate(value, value, value, 0)
    sums = bootstrap_sums(terms, resamples, seed)
    draws = measure(sums)
    lift = float(np.nanmean(draws)) - value
    corrected = max(value - lift, 0.0)
    low, high = np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2])
    low = max(float(low) - 2 * lift, 0.0)
    if null is not None and value <= np.nanquantile(null(sums), (1 + level) / 2):
        low = 0.0
    questions = int((terms != 0).any(axis=1).sum())
    return Estimate(corrected, min(low, corrected), max(float(high) - lift, corrected), questions)


def interval(value: float, draws: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """The draws' quantiles. The value is always inside, also where it lies at the end of its range."""
    if np.isnan(value):
        return value, value
    low, high = np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return min(float(low), value), max(float(high), value)
