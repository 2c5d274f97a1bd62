"""The split of an interval's error near 0, against a slow construction."""

import numpy as np
import pytest
from scipy.stats import norm

from evals.near_zero import tail_above

LEVEL = 0.95


@pytest.mark.parametrize("distance", [0.05, 0.4, 1.0, 1.6, 1.9, 2.5])
def test_it_is_the_likelihood_ratio_ordering_of_a_normal_estimate(distance: float) -> None:
    """Estimates are accepted, the most likely beside the best truth that is not negative first."""
    step = 0.0005
    estimates = np.arange(-12, 12, step)
    ratio = norm.pdf(estimates - distance) / norm.pdf(estimates - np.maximum(estimates, 0))
    order = np.argsort(-ratio, kind="stable")
    mass = np.cumsum(norm.pdf(estimates[order] - distance) * step)
    accepted = estimates[order[: int(np.searchsorted(mass, LEVEL)) + 1]]
    assert tail_above(distance, LEVEL) == pytest.approx(
        norm.sf(accepted.max() - distance), abs=2e-4
    )


def test_at_0_only_one_side_can_miss_and_far_away_both_do() -> None:
    assert tail_above(0.0, LEVEL) == pytest.approx(0.05)
    assert tail_above(1e-3, LEVEL) == pytest.approx(0.05)
    assert tail_above(10.0, LEVEL) == pytest.approx(0.025)
    tails = [tail_above(distance, LEVEL) for distance in np.linspace(0, 3, 40)]
    assert (np.diff(tails) < 1e-9).all()
