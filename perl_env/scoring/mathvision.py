r"""MathVision's rule, as in its authors' evaluation (mathllm/MATH-V, evaluation/evaluate.py).

The answer is, in this order: the letter from A to E with which a reply ends ("… (C).") or which is its
first line; the number behind the last "is"; the last ``\boxed{…}``; what follows "the answer is" or the
like up to the end of its sentence; a short reply as a whole. What stands before "=" or "≈" in it is dropped,
and so are white space, case, "°", "%", "km", "m^3" and "units". It is right if it equals the gold or the gold
option's value: as text, or, a number or a tuple of numbers, rounded to two places. So 3.142 is 3.14; but
"5 cm" is not 5, since no other unit is known.

The published script evaluates formulas with Python's ``eval`` and rounds them too. Here nothing is
evaluated: formulas are compared by math-verify, so √2 is not 1.41. No judge is asked and figures are
comparable. (PeRL's own were made with VLMEvalKit, which asks one.)
"""

from __future__ import annotations

import re

from perl_env.answer_text import MAX_ANSWER, as_measure, as_number, plain
from perl_env.answers import MAX_SEARCHED, extract_answer, marked_answer, spoken_part
from perl_env.math_equality import same_expression
from perl_env.question import LETTERS, Question
from perl_env.scoring.rule import UNREADABLE, Reading, Rule, read_letter

_PLACES = 2
_LAST_LETTER = re.compile(r"\s(?:([A-E])|\(([A-E])\))\.\Z")
_FIRST_LINE = re.compile(r"(?:([A-E])|\(([A-E])\)(?: \2)?)\n")
_LAST_IS = re.compile(r"is (?!.*is )([^\n]{1,60})\Z")
_DROPPED = re.compile(r"\s+|m\^3|units|km|[°%]")
_DRESSED_LETTER = re.compile(r"[({]([a-e])[)}]")


def read(question: Question, reply: str) -> Reading:
    """Apply the rule to a reply."""
    text = _stated(reply)
    if text is None or len(text) > MAX_ANSWER:
        return UNREADABLE
    if not question.options:
        return Reading(plain(text), _equal(question.answer, text))
    letter = _normal(text).upper()
    if letter in tuple(LETTERS[: len(question.options)]):
        return read_letter(question, letter)
    equal = [
        letter
        for letter, option in zip(LETTERS, question.options, strict=False)
        if _equal(option, text)
    ]
    if not equal:
        return UNREADABLE
    return read_letter(question, question.answer if question.answer in equal else equal[0])


def _stated(reply: str) -> str | None:
    spoken = spoken_part(reply)[-MAX_SEARCHED:].strip()
    for edge in (_LAST_LETTER.search(spoken[-6:]), _FIRST_LINE.match(spoken)):
        if edge:
            return edge.group(1) or edge.group(2)
    end = spoken[-80:]
    if (found := _LAST_IS.search(end)) and _float(found.group(1).rstrip(".")) is not None:
        return found.group(1).rstrip(".")
    return marked_answer(reply) or extract_answer(reply)


def _equal(gold: str, text: str) -> bool:
    left, right = _normal(gold), _normal(text)
    if left == right != "":
        return True
    a, b = _rounded(left), _rounded(right)
    if a is not None and b is not None:
        return a == b
    return not _has_unit(gold, text) and same_expression(gold, text)


def _normal(text: str) -> str:
    r"""What of an answer counts.

    >>> _normal(r"x = 5\text{ km}"), _normal(r"45^\circ"), _normal("(C)")
    ('5', '45', 'c')
    """
    said = plain(text).lower().rsplit("=", 1)[-1].replace(r"\approx", "≈").rsplit("≈", 1)[-1]
    said = _DROPPED.sub("", said).rstrip(".").lstrip(":")
    dressed = _DRESSED_LETTER.fullmatch(said)
    return dressed.group(1) if dressed else said


def _rounded(text: str) -> tuple[str, list[float]] | None:
    """A number, or a tuple's or list's brackets and numbers, rounded; ``None`` for anything else."""
    brackets = text[:1] + text[-1:] if "," in text and text[:1] in ("(", "[") else ""
    parts = text[1:-1].split(",") if brackets else [text]
    numbers = [as_number(part) for part in parts]
    if any(number is None for number in numbers):
        return None
    try:
        return brackets, [round(float(n), _PLACES) for n in numbers if n is not None]
    except OverflowError:
        return None


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _has_unit(*texts: str) -> bool:
    """Whether one is a number with a unit, whose letters a formula would take for factors."""
    return any((measure := as_measure(text)) is not None and measure[1] for text in texts)


RULE = Rule("mathvision", read, "never", "MATH-V, evaluation/evaluate.py")
