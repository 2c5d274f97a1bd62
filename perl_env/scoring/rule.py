"""What a published scoring rule is, and the text that all of them are applied to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from perl_env.answer_text import MAX_ANSWER, plain
from perl_env.answers import MAX_SEARCHED, marked_answer, spoken_part
from perl_env.question import LETTERS, Question


@dataclass(frozen=True)
class Reading:
    """What a rule makes of a reply.

    Attributes:
        parsed: the answer in terms of the question as it was asked, as in ``Grade.parsed``; ``None``
            if the rule cannot read one.
        correct: whether the rule takes it for the gold.
        steps: how many steps of a multi-step answer are right, and of how many there are.
    """

    parsed: str | None
    correct: bool
    steps: tuple[int, int] | None = None


#: A reply that the rule cannot read.
UNREADABLE = Reading(None, False)


@dataclass(frozen=True)
class Rule:
    """A benchmark's published scoring rule.

    Attributes:
        name: what ``Question.scoring`` says.
        read: applies it to a reply.
        judge: whether the published scorer asks a language model: "never", so that our figures are
            comparable; "fallback", for replies that its rule cannot read and that are unparsable
            here, so that ours can only be lower; "always", so that they are not comparable.
        source: whose rule it is.
    """

    name: str
    read: Callable[[Question, str], Reading]
    judge: Literal["never", "fallback", "always"]
    source: str


def stated_text(reply: str) -> str:
    r"""The part of a reply that a rule is applied to: the marked answer, else what follows the thoughts.

    >>> stated_text(r"<think>A or B</think> So \boxed{\text{B}}"), stated_text("<think>A?</think> The dog.")
    ('B', 'The dog.')
    """
    marked = marked_answer(reply)
    return without_markup(marked) if marked else spoken_part(reply)[-MAX_SEARCHED:].strip()


def without_markup(answer: str) -> str:
    r"""An answer without the LaTeX or Markdown around it, such as a box's ``\text{B}``."""
    return plain(answer) if len(answer) <= MAX_ANSWER else answer


def read_letter(question: Question, letter: str) -> Reading:
    """The reading of a letter; one beyond the options is unreadable."""
    letter = letter.upper()
    if question.options and letter not in LETTERS[: len(question.options)]:
        return UNREADABLE
    return Reading(letter, letter == question.answer)


def fact(question: Question, name: str) -> str:
    """A fact of the question's row; "" where there is none."""
    return dict(question.facts).get(name, "")
