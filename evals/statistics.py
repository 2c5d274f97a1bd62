"""Intervals and tests that treat questions, not replies, as the units that were sampled.

Replies to one question hang together, so resampling replies would give intervals that are far too
narrow. Everything here resamples whole questions (clusters).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evals.metrics import mean

RESAMPLES = 10_000
LEVEL = 0.95
_CELLS_AT_ONCE = 2_000_000  # resampled indices held in memory: 16 MB of int64


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


@dataclass(frozen=True)
class Difference:
    """A paired difference of two runs on the same questions.

    Attributes:
        value: mean over questions of this run's value minus the other's.
        low: lower end of the interval.
        high: upper end of the interval.
        p_value: two-sided, of the hypothesis that the runs may be exchanged within each question.
        questions: how many questions have a value in both runs.
    """

    value: float
    low: float
    high: float
    p_value: float
    questions: int


def bootstrap_ratios(
    numerators: np.ndarray, denominators: np.ndarray, resamples: int = RESAMPLES, seed: int = 0
) -> np.ndarray:
    """Σ numerators / Σ denominators of questions drawn with replacement, for many draws.

    A mean over the questions where a metric is defined is the ratio of Σ value and Σ [defined].

    Args:
        numerators: float [Q, M], one row a question, one column a number to estimate.
        denominators: float [Q, M].
        resamples: B, how often to draw Q questions.
        seed: of the draws; all columns share the same draws.

    Returns:
        float64 [B, M]; NaN where no drawn question has a denominator. The memory needed beside it
        does not grow with B.
    """
    both = np.concatenate([numerators, denominators], axis=1)
    columns = numerators.shape[1]
    ratios = np.full((resamples, columns), np.nan)
    start = 0
    for weights in _resampled_weights(len(both), resamples, np.random.default_rng(seed)):
        sums = weights @ both
        top, bottom = sums[:, :columns], sums[:, columns:]
        np.divide(top, bottom, out=ratios[start : start + len(sums)], where=bottom > 0)
        start += len(sums)
    return ratios


def _resampled_weights(n: int, resamples: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """How often each of n questions was drawn, float64 [chunk, n], chunk by chunk."""
    chunk = max(1, _CELLS_AT_ONCE // max(n, 1))
    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        drawn = rng.integers(0, n, size=(rows, n))
        drawn += np.arange(rows)[:, None] * n
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)


def estimate_means(
    values: pd.DataFrame,
    bounds: dict[str, tuple[float, float]] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> dict[str, Estimate]:
    """The mean of each column of per-question values, with a percentile bootstrap interval.

    Args:
        values: one row a question; NaN where a metric is undefined for it.
        bounds: the range of one question's value, by column; [0, 1] where not given.
        resamples: number of bootstrap draws.
        seed: of the draws.
        level: confidence level.
    """
    array = values.to_numpy(dtype=float)
    defined = ~np.isnan(array)
    draws = bootstrap_ratios(np.where(defined, array, 0.0), defined.astype(float), resamples, seed)
    return {
        str(name): _estimate(
            array[:, i], draws[:, i], (bounds or {}).get(str(name), (0.0, 1.0)), level
        )
        for i, name in enumerate(values.columns)
    }


def estimate_ratios(
    numerators: pd.DataFrame,
    denominators: pd.DataFrame,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> dict[object, Estimate]:
    """Σ numerators / Σ denominators of each column, with a percentile bootstrap interval."""
    top, bottom = numerators.to_numpy(dtype=float), denominators.to_numpy(dtype=float)
    draws = bootstrap_ratios(top, bottom, resamples, seed)
    result: dict[object, Estimate] = {}
    for i, name in enumerate(numerators.columns):
        counted = bottom[:, i] > 0
        value = float(top[:, i].sum() / bottom[:, i].sum()) if counted.any() else float("nan")
        shares = top[counted, i] / bottom[counted, i]
        low, high = _interval(shares, draws[:, i], (0.0, 1.0), level)
        result[name] = Estimate(value, low, high, int(counted.sum()))
    return result


def _estimate(
    values: np.ndarray, draws: np.ndarray, bounds: tuple[float, float], level: float
) -> Estimate:
    defined = values[~np.isnan(values)]
    low, high = _interval(defined, draws, bounds, level)
    return Estimate(mean(values), low, high, len(defined))


def _interval(
    values: np.ndarray, draws: np.ndarray, bounds: tuple[float, float], level: float
) -> tuple[float, float]:
    """Percentile interval; where all questions have one value, what their number leaves possible.

    Resampling equal values gives an interval of width 0, as if 20 questions without a flip proved
    that none ever flips. With n questions alike, a share p of others stays unseen with probability
    (1 − p)ⁿ; the interval reaches as far as a share that has probability (1 − level) / 2 would move
    the mean (the "rule of three": Hanley and Lippman-Hand, JAMA 1983).
    """
    if not len(values):
        return float("nan"), float("nan")
    tail = (1 - level) / 2
    if np.ptp(values) > 1e-12:
        low, high = np.nanquantile(draws, [tail, 1 - tail])
        return float(low), float(high)
    unseen = 1 - tail ** (1 / len(values))
    value = float(values[0])
    return value - unseen * (value - bounds[0]), value + unseen * (bounds[1] - value)


def paired_difference(
    values: pd.Series,
    others: pd.Series,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> Difference:
    """Mean of ``values − others`` over the questions that both have, with interval and p-value.

    The interval is a bootstrap over questions; the p-value a sign-flip permutation test (exact up to
    the number of draws under the hypothesis that the runs are exchangeable in every question).
    """
    both = pd.concat([values, others], axis=1, join="inner").dropna().to_numpy(dtype=float)
    differences = both[:, 0] - both[:, 1]
    n = len(differences)
    if not n:
        nan = float("nan")
        return Difference(nan, nan, nan, nan, questions=0)
    column = differences[:, None]
    draws = bootstrap_ratios(column, np.ones_like(column), resamples, seed)
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    value = float(differences.mean())
    return Difference(value, float(low), float(high), _sign_flip_p(differences, resamples, seed), n)


def _sign_flip_p(differences: np.ndarray, resamples: int, seed: int) -> float:
    """Share of random sign patterns whose mean difference is at least as large as the observed."""
    differences = differences[differences != 0]  # a tie keeps its value under every sign
    if not len(differences):
        return 1.0
    rng = np.random.default_rng([seed, 1])
    observed = abs(differences.sum())
    chunk, extreme = max(1, _CELLS_AT_ONCE // len(differences)), 0
    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        signs = rng.integers(0, 2, size=(rows, len(differences))) * 2 - 1
        extreme += int((np.abs(signs @ differences) >= observed - 1e-9).sum())
    return (extreme + 1) / (resamples + 1)
