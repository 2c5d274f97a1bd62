"""The reward of a graded reply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from perl_env.argument_checks import check_number
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
            check_number(getattr(self, name), f"reward_weights, {name}", least=0)

    @classmethod
    def from_setting(cls, setting: object) -> RewardWeights:
        """The weights that a user's argument means.

        Args:
            setting: the weights themselves, or both by their names, as a file of settings has them.

        Raises:
            InputError: it is something else, or does not name both weights.

        >>> RewardWeights.from_setting({"accuracy": 1, "format": 0})
        RewardWeights(accuracy=1, format=0)
        """
        if isinstance(setting, cls):
            return setting
        if not isinstance(setting, Mapping) or set(setting) != {"accuracy", "format"}:
            raise InputError("unusable reward weights", where="reward_weights",
                             expected="RewardWeights, or 'accuracy' and 'format', each with its weight",
                             got=repr(setting))  # fmt: skip
        return cls(**setting)


DEFAULT_WEIGHTS = RewardWeights()


def reward(grade: Grade, weights: RewardWeights = DEFAULT_WEIGHTS) -> float:
    """The reward of a grade.

    >>> reward(Grade(parsed="B", canonical="a cat", correct=True, well_formed=True))
    1.0
    >>> reward(Grade(parsed=None, canonical=None, correct=False, well_formed=True))
    0.1
    """
    return weights.accuracy * grade.correct + weights.format * grade.well_formed
