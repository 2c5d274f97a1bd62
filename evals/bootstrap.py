"""Resampled questions: the same draws for every number, in bounded memory.

Replies to one question hang together, so whole questions (clusters) are resampled. The draw is the
Bayesian bootstrap (Rubin, The Annals of Statistics 1981): instead of how often a question was drawn, a
weight from the exponential distribution. It is smoother than drawing whole questions, and cheaper.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

RESAMPLES = 10_000
_CELLS_AT_ONCE = 2_000_000  # weights held in memory: 8 MB of float32


def question_weights(n: int, resamples: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """The weights of n questions, float32 [chunk, n], chunk by chunk."""
    chunk = max(1, _CELLS_AT_ONCE // max(n, 1))
    for start in range(0, resamples, chunk):
        yield rng.standard_exponential((min(chunk, resamples - start), n), dtype=np.float32)


def bootstrap_sums(terms: np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """Weighted sums over questions, for many draws.

    Args:
        terms: float [Q, T], one row a question.
        resamples: B, how many draws.
        seed: of the draws; all columns share them.

    Returns:
        float64 [B, T]. The memory needed beside it does not grow with B.
    """
    rng = np.random.default_rng([seed, 0])
    sums = np.empty((resamples, terms.shape[1]))
    narrow, start = terms.astype(np.float32), 0
    for weights in question_weights(len(terms), resamples, rng):
        sums[start : start + len(weights)] = weights @ narrow
        start += len(weights)
    return sums


def unseen_levels(bounds: np.ndarray, orders: int) -> np.ndarray:
    """On how many values unseen questions stand, see ``bootstrap_ratios``.

    Shares are often 0 or 1 for a question, so they stand at the ends. Numbers with a sign lie at an end
    of their range only where everything about a question turns with its order; there the levels are as
    many as its orders. At the ends alone unseen questions would make small samples' intervals too long.

    Args:
        bounds: float [M, 2], the range of one question's value.
        orders: in how many orders a question is asked.

    Returns:
        int64 [M].
    """
    return np.where(bounds[:, 0] < 0, max(orders, 2), 2)


def bootstrap_ratios(
    numerators: np.ndarray,
    denominators: np.ndarray,
    bounds: np.ndarray,
    levels: np.ndarray,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> np.ndarray:
    """Σ numerators / Σ denominators of weighted questions, for many draws.

    A mean over the questions where a metric is defined is the ratio of Σ value and Σ [defined].

    The questions that were not seen have a say too: one more, spread evenly over a number of levels from
    one end of the range to the other (Perks, Journal of the Institute of Actuaries 1947). For values that
    are 0 or 1, two levels, this makes the draws the Beta distribution of Jeffreys' interval, exactly; in
    general it keeps rare large values, of which a small sample may hold none, from being taken for
    impossible. Without it intervals of rare effects are too short (``benchmarks/interval_coverage.py``).

    Args:
        numerators: float [Q, M], one row a question, one column a number to estimate.
        denominators: float [Q, M].
        bounds: float [M, 2], the range of numerator / denominator of one question.
        levels: int [M], on how many values in this range, its ends among them, unseen questions stand.
        resamples: B, how many draws.
        seed: of the draws; all columns share them.

    Returns:
        float64 [B, M]; NaN in a column where no question has a denominator.
    """
    columns = numerators.shape[1]
    sums = bootstrap_sums(np.concatenate([numerators, denominators], axis=1), resamples, seed)
    counted = (denominators > 0).sum(axis=0)
    usual = np.full(columns, np.nan)
    np.divide(denominators.sum(axis=0), counted, out=usual, where=counted > 0)
    top, bottom = sums[:, :columns], sums[:, columns:]
    for count in np.unique(levels):
        of = np.flatnonzero(levels == count)
        rng = np.random.default_rng([seed, int(count) - 1])
        unseen = rng.standard_gamma(1 / count, size=(resamples, count))
        places = np.linspace(bounds[of, 0], bounds[of, 1], count)
        top[:, of] += (unseen @ places) * usual[of]
        bottom[:, of] += unseen.sum(axis=1, keepdims=True) * usual[of]
    return top / bottom
