"""How the error of an interval is split between its ends where the truth cannot be below 0."""

from __future__ import annotations

import functools

from scipy.optimize import brentq
from scipy.stats import norm


def tail_above(distance: float, level: float) -> float:
    """The probability with which the lower end may come out above the truth.

    Far from 0 it is half of what the level leaves. At 0 an interval cannot lie below the truth, so all is
    left for lying above it; otherwise intervals would hold the truth too often there. In between the
    split is that of likelihood-ratio ordering for a normal estimate whose mean is not negative
    (Feldman and Cousins, Phys. Rev. D 57, 1998).

    Args:
        distance: of the truth from 0, in standard deviations of the estimate.
        level: confidence level.

    >>> [round(tail_above(distance, 0.95), 3) for distance in (0.0, 1.0, 3.0)]
    [0.05, 0.034, 0.025]
    """
    return _tail_above(round(distance, 2), level)


@functools.cache
def _tail_above(distance: float, level: float) -> float:
    half = float(norm.isf((1 - level) / 2))
    if distance >= half:
        return (1 - level) / 2
    if distance <= 0:
        return 1 - level

    def accepted_too_much(reach: float) -> float:
        """Of estimates from the likeliest on, up to ``reach`` above the truth; below 0 the best fit is 0."""
        below = (distance**2 - reach**2) / (2 * distance)
        return float(norm.cdf(reach) - norm.cdf(below - distance)) - level

    return float(norm.sf(brentq(accepted_too_much, distance, half + 1)))
