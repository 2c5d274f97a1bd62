r"""MathVision's rule (mathllm/MATH-V, evaluation/evaluate.py).

The answer is the last ``\boxed{…}``, else what follows "the answer is", else a short reply as a whole.
It is right if it is the gold's letter, or if it equals the gold option's value or the gold: as text
without white space, as a number to within 1e-6, or as a formula. The published script hands replies to
Python's ``eval``; here formulas are compared by math-verify and nothing is evaluated. Units count: "5 cm"
is not "5".

The rule uses no judge: figures are comparable. (PeRL's own were made with VLMEvalKit, which asks one.)
"""

from __future__ import annotations

from perl_env.answer_text import as_measure, as_number, plain
from perl_env.answers import extract_answer
from perl_env.grading import MAX_ANSWER, bare_letter
from perl_env.math_equality import same_expression
from perl_env.question import LETTERS, Question
from perl_env.scoring.rule import UNREADABLE, Reading, Rule, read_letter

_TOLERANCE = 1e-6


def read(question: Question, reply: str) -> Reading:
    """Apply the rule to a reply."""
    text = extract_answer(reply)
    if text is None or len(text) > MAX_ANSWER:
        return UNREADABLE
    if not question.options:
        return Reading(plain(text), _equal(question.answer, text))
    if (letter := bare_letter(text)) and letter in LETTERS[: len(question.options)]:
        return read_letter(question, letter)
    equal = [
        letter
        for letter, option in zip(LETTERS, question.options, strict=False)
        if _equal(option, text)
    ]
    if not equal:
        return UNREADABLE
    return read_letter(question, question.answer if question.answer in equal else equal[0])


def _equal(gold: str, text: str) -> bool:
    if "".join(plain(gold).split()).lower() == "".join(plain(text).split()).lower():
        return True
    left, right = as_number(gold), as_number(text)
    if left is not None and right is not None:
        return abs(left - right) < _TOLERANCE
    return not _has_unit(gold, text) and same_expression(gold, text)


def _has_unit(*texts: str) -> bool:
    """Whether one is a number with a unit, whose letters a formula would take for factors."""
    return any((measure := as_measure(text)) is not None and measure[1] for text in texts)


RULE = Rule("mathvision", read, "never", "MATH-V, evaluation/evaluate.py")
