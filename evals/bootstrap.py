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


def bootstrap_ratios(
    numerators: np.ndarray,
    denominators: np.ndarray,
    bounds: np.ndarray,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> np.ndarray:
    """Σ numerators / Σ denominators of weighted questions, for many draws.

    A mean over the questions where a metric is defined is the ratio of Σ value and Σ [defined].

    The questions that were not seen have a say too: two more, one at each end of the range, with half a
    question's weight each on average. For values that are 0 or 1 this makes the draws the Beta
    distribution of Jeffreys' interval, exactly; in general it keeps rare large values, of which a small
    sample may hold none, from being taken for impossible. Without it intervals of rare effects are too
    short (``benchmarks/interval_coverage.py``).

    Args:
        numerators: float [Q, M], one row a question, one column a number to estimate.
        denominators: float [Q, M].
        bounds: float [M, 2], the range of numerator / denominator of one question.
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
    unseen = np.random.default_rng([seed, 1]).standard_gamma(0.5, size=(resamples, 2))
    top = sums[:, :columns] + (unseen @ bounds.T) * usual
    return top / (sums[:, columns:] + unseen.sum(axis=1, keepdims=True) * usual)
