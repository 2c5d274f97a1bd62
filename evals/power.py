"""How many questions a comparison needs."""

from __future__ import annotations

import math
from statistics import NormalDist

POWER = 0.8
LEVEL = 0.95


def questions_needed(
    difference: float, deviation: float, power: float = POWER, level: float = LEVEL
) -> int:
    """Questions that both runs have to be asked so that a paired test sees a difference.

    n = ((z₁₋α⸝₂ + z_power) · deviation / difference)², the usual formula of a paired z-test.

    Args:
        difference: the true mean difference, such as 0.02.
        deviation: standard deviation over questions of the two runs' difference.
        power: probability that the test sees it.
        level: 1 − the test's error rate.

    >>> questions_needed(0.02, 0.4)
    3140
    """
    return max(2, math.ceil((_reach(power, level) * deviation / difference) ** 2))


def detectable_difference(
    questions: int, deviation: float, power: float = POWER, level: float = LEVEL
) -> float:
    """The smallest true difference that so many questions show with this power.

    >>> round(detectable_difference(3140, 0.4), 4)
    0.02
    """
    return _reach(power, level) * deviation / math.sqrt(questions)


def power_note(questions: int, deviation: float, difference: float = 0.02) -> str:
    """What a comparison could have seen, in one sentence.

    >>> power_note(500, 0.4)
    'to see a difference of 2 points you need n ≥ 3140 questions; 500 show one of 5.0 points (power 80 %)'
    """
    if not questions or math.isnan(deviation):
        return "nothing was compared"
    if deviation == 0:
        return f"the runs do not differ in any of {questions} questions"
    return (
        f"to see a difference of {100 * difference:g} points you need "
        f"n ≥ {questions_needed(difference, deviation)} questions; {questions} show one of "
        f"{100 * detectable_difference(questions, deviation):.1f} points (power {POWER:.0%})"
    ).replace("80%", "80 %")


def _reach(power: float, level: float) -> float:
    normal = NormalDist()
    return normal.inv_cdf((1 + level) / 2) + normal.inv_cdf(power)
