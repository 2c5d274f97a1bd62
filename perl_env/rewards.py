"""The reward of a graded reply."""

from __future__ import annotations

import math
from dataclasses import dataclass

from perl_env.errors import InputError
from perl_env.grading import Grade


@dataclass(frozen=True)
class RewardWeights:
    """What accuracy and format count for.

    The defaults are those of PeRL's released scorer (``0.9 * accuracy + 0.1 * format``); the paper
    itself (arXiv 2506.14907) names both parts but no weights.

    Attributes:
        accuracy: added when the answer is correct.
        format: added when the reply has the form that the instruction asks for.

    Raises:
        InputError: a weight that is negative or not finite.
    """

    accuracy: float = 0.9
    format: float = 0.1

    def __post_init__(self) -> None:
        for name in ("accuracy", "format"):
            weight = getattr(self, name)
            if not (math.isfinite(weight) and weight >= 0):
                raise InputError("unusable reward weight", where=name,
                                 expected="a finite number of at least 0", got=weight)  # fmt: skip


DEFAULT_WEIGHTS = RewardWeights()


def reward(grade: Grade, weights: RewardWeights = DEFAULT_WEIGHTS) -> float:
    """The reward of a grade.

    >>> reward(Grade(parsed="B", canonical="a cat", correct=True, well_formed=True))
    1.0
    >>> reward(Grade(parsed=None, canonical=None, correct=False, well_formed=True))
    0.1
    """
    return weights.accuracy * grade.correct + weights.format * grade.well_formed
