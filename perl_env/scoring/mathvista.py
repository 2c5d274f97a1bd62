"""MathVista's rule (lupantech/MathVista), with a rule where it has GPT extract the answer.

The extracted answer is brought into the form of the gold and has to equal it:

* a choice is a letter, else the option whose text is nearest by edit distance;
* an integer is cut off behind its point, so that 7.9 is 7;
* a float is rounded to the question's precision;
* a list and a text stay as they are.

The published scorer takes the nearest option whatever was extracted, "I do not know" too. Here the
nearest is taken only for what the reply states as its answer; else it is unparsable. Since the extraction
is ours, figures are not comparable with published ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from perl_env.answers import extract_answer
from perl_env.question import LETTERS, Question
from perl_env.scoring.extraction import (
    extracted_letter,
    extracted_number,
    last_line,
    stated_answer,
)
from perl_env.scoring.rule import UNREADABLE, Reading, Rule, fact, read_letter, without_markup

#: The longest text of which the nearest option is looked for, in characters.
_MAX_NEAREST = 200


def read(question: Question, reply: str) -> Reading:
    """Apply the rule to a reply."""
    if question.options:
        return _read_choice(question, reply)
    text = without_markup(extract_answer(reply) or last_line(reply))
    kind = fact(question, "answer_type")
    found = _normal(question, text, kind)
    if found is None:
        return UNREADABLE
    # The gold is brought into the same form, so that 0.50 can be answered at all.
    return Reading(found, found == (_normal(question, question.answer, kind) or question.answer))


def _read_choice(question: Question, reply: str) -> Reading:
    if letter := extracted_letter(question, reply):
        return read_letter(question, letter)
    stated = stated_answer(reply)
    if stated is None or len(stated) > _MAX_NEAREST:
        return UNREADABLE
    return read_letter(question, LETTERS[_nearest(without_markup(stated), question.options)])


def _normal(question: Question, text: str, kind: str) -> str | None:
    """The text in the form of golds of this kind; ``None`` where it has no such form."""
    if kind not in ("integer", "float"):
        return text.strip() or None
    number = extracted_number(text)
    if number is None:
        return None
    try:
        value = float(number) if "/" not in number else _quotient(number)
        if kind == "integer":
            return str(int(value))
        precision = fact(question, "precision")
        return str(round(value, int(float(precision)) if precision else 2))
    except (ValueError, OverflowError):
        return None


def _quotient(number: str) -> float:
    above, below = number.split("/")
    return int(above) / int(below)


def _nearest(text: str, options: Sequence[str]) -> int:
    """The option with the least edit distance, the first of several."""
    distances = [_edit_distance(text, option[:_MAX_NEAREST]) for option in options]
    return distances.index(min(distances))


def _edit_distance(one: str, other: str) -> int:
    """How many letters have to be put in, taken out or exchanged (Levenshtein).

    >>> _edit_distance("kitten", "sitting")
    3
    """
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, start=1):
        diagonal, row[0] = row[0], i
        for j, right in enumerate(other, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (left != right))
    return row[-1]


RULE = Rule("mathvista", read, "always", "MathVista, calculate_score.py; extraction ours")
