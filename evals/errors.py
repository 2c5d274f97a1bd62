"""What stops an evaluation that is no fault of the user's input."""

from __future__ import annotations


class EngineFailedError(RuntimeError):
    """The engine could not go on: a server that is gone, memory that is spent.

    Attributes:
        answered: how many replies were had before.
        wanted: how many were asked for.
    """

    def __init__(self, answered: int, wanted: int, cause: BaseException | None):
        super().__init__(
            f"the engine failed after {answered} of {wanted} replies: {type(cause).__name__}: {cause}"
        )
        self.answered, self.wanted = answered, wanted


class EvaluationStoppedError(RuntimeError):
    """An evaluation that could not be finished; its run directory keeps every reply there is."""
