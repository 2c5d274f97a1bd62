"""The punishment of overlong replies, by the paper's three cases."""

import pytest

from agents.overlong import overlong_penalty


@pytest.mark.parametrize(
    ("length", "penalty"),
    [(1, 0.0), (16_384, 0.0), (16_385, -1 / 4096), (18_432, -0.5), (20_480, -1.0), (30_000, -1.0)],
)
def test_dapos_own_setting(length, penalty):
    assert overlong_penalty(length, 20_480, 4_096) == pytest.approx(penalty)


def test_no_buffer_no_punishment():
    assert overlong_penalty(100, 100, 0) == 0.0
