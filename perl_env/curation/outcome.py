"""What a stage decides about a question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from perl_env.errors import InputError
from perl_env.question import Question
from perl_env.tasks.folder import check_gradable, check_permutable


@dataclass(frozen=True)
class Outcome:
    """One question after one stage.

    Attributes:
        key: of the question.
        kept: whether it goes on.
        reason: why not, or what was done, in words that are counted.
        changes: fields of the question that the stage set.
        note: figures and words worth keeping, such as a measured accuracy.
    """

    key: str
    kept: bool
    reason: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    note: Mapping[str, Any] = field(default_factory=dict)


def changed(question: Question, changes: Mapping[str, Any]) -> Question:
    """The question with some fields set; what follows from a new class is worked out anew."""
    if not changes:
        return question
    if "order_class" in changes:
        changes = {"pinned": None, "option_slots": ()} | dict(changes)
    return replace(question, **changes)


def checked(question: Question) -> Question:
    """The question, if it can be graded and asked in other orders.

    Raises:
        InputError: it cannot.
    """
    check_gradable(question, f"question {question.key!r}")
    check_permutable(question)
    return question


def problem(question: Question, changes: Mapping[str, Any]) -> str:
    """What would be wrong with the question once it is changed; "" where nothing is."""
    try:
        checked(changed(question, changes))
    except InputError as error:
        return error.what
    return ""
