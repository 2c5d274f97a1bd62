"""Whether two open answers say the same, however they are written."""

from __future__ import annotations

from perl_env.answer_text import (
    MAX_ANSWER,
    as_measure,
    as_number,
    content_key,
    is_formula,
    normal_text,
    plain,
    without_punctuation,
)
from perl_env.math_equality import same_expression


def same_value(gold: str, reply: str) -> bool:
    r"""Whether two open answers say the same: as numbers, measures, texts or formulas.

    A unit may be missing on one side ("5 cm" for "5"), but two units must agree. Brackets around a
    pair may be missing on one side. Formulas are compared by math-verify where that is cheap.

    >>> same_value("1000", "1,000.0"), same_value("5", "5 cm"), same_value("5 m", "5 cm")
    (True, True, False)
    >>> same_value("True", "true."), same_value("0.5", r"\frac{1}{2}"), same_value("red", "der")
    (True, True, False)
    """
    if content_key(gold) == content_key(reply) != "":
        return True
    left, right = as_measure(gold), as_measure(reply)
    if left and right:
        if left[1] and right[1] and left[1] != right[1]:
            return False
        if left[0] == right[0]:
            return True
        if left[0].denominator == right[0].denominator == 1 and "%" not in (left[1], right[1]):
            return False
    a, b = normal_text(gold), normal_text(reply)
    if (a[:1] in "[(") != (b[:1] in "[(") and without_punctuation(a) == without_punctuation(b):
        return True
    return _is_mathematical(gold) and _is_mathematical(reply) and same_expression(gold, reply)


def _is_mathematical(text: str) -> bool:
    return len(text) <= MAX_ANSWER and (
        as_measure(text) is not None or as_number(text) is not None or is_formula(plain(text))
    )
