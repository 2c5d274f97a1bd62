"""What an engine raises that fails in the middle of a call."""

from __future__ import annotations

from collections.abc import Sequence

from agents.engines.base import Reply


class PartialRepliesError(RuntimeError):
    """Some prompts of a call were answered, others cannot be; raised ``from`` what went wrong.

    So that an engine that pays for each prompt on its own, as one behind a URL does, loses none of its
    answers when the server goes away.

    Attributes:
        replies: prompt by prompt all of its replies; ``None`` where there are none, or not all.
    """

    def __init__(self, message: str, replies: Sequence[Sequence[Reply] | None]):
        super().__init__(message)
        self.replies = tuple(replies)
