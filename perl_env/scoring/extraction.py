r"""Finding an answer where a benchmark has a language model look for it.

MathVista, MathVerse and MV-MATH hand every reply to a language model that extracts its final answer.
This is what stands in for it: what the reply states as its answer, else the one letter or number in its
last line. It is sound, but not what the published figures were made with.
"""

from __future__ import annotations

import re

from perl_env.answer_text import as_measure, number_text
from perl_env.answers import MAX_SEARCHED, marked_answer, phrased_answer, spoken_part
from perl_env.question import LETTERS, Question
from perl_env.understanding import bare_letter, understand

_BRACKETED = re.compile(r"\(([A-Z])\)")
_NUMBER = re.compile(r"[-−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|[-−]?\.\d+")
#: The longest line of which a number may be the answer, in characters.
_MAX_LINE = 2_000


def stated_answer(reply: str) -> str | None:
    """The answer that a reply says to be its answer, by mark-up or by a phrase; else ``None``."""
    return marked_answer(reply) or phrased_answer(reply)


def extracted_letter(question: Question, reply: str) -> str | None:
    """The letter of the option that a reply settles on; ``None`` where that is not clear.

    The answer may be a letter, a letter with its text, or the option's text. A question whose options
    stand in its picture has none of its own; then only letters count.
    """
    text = stated_answer(reply) or last_line(reply)
    if (letter := _letter(question, text)) is not None:
        return letter
    allowed = LETTERS[: len(question.options)] or LETTERS
    named = {letter for letter in _BRACKETED.findall(text[:_MAX_LINE]) if letter in allowed}
    return named.pop() if len(named) == 1 else None


def _letter(question: Question, text: str) -> str | None:
    return understand(question, text) if question.options else bare_letter(text)


def extracted_number(text: str) -> str | None:
    """The number that a text is or, if it holds exactly one, holds; without separators and unit.

    >>> extracted_number("1,234 cm"), extracted_number("about 7.5 of them"), extracted_number("3 or 4")
    ('1234', '7.5', None)
    """
    if measure := as_measure(text):
        return number_text(measure[0])
    found = _NUMBER.findall(text[:_MAX_LINE])
    return found[0].replace(",", "").replace("−", "-") if len(found) == 1 else None


def last_line(reply: str) -> str:
    """The last line of what a reply says."""
    lines = spoken_part(reply)[-MAX_SEARCHED:].strip().splitlines()
    return lines[-1].strip() if lines else ""
