"""MathVerse: a rule in place of its two language models.

The published scorer has one language model extract the answer and another say whether it is the gold.
Here the answer is found by rule; a choice has to be the gold's letter, any other answer has to have the
gold's value. Figures are not comparable with published ones.
"""

from __future__ import annotations

from perl_env.answer_text import MAX_ANSWER
from perl_env.answers import extract_answer
from perl_env.question import LETTERS, Question
from perl_env.scoring.extraction import extracted_letter, last_line
from perl_env.scoring.rule import UNREADABLE, Reading, Rule, fact, read_letter, without_markup
from perl_env.value_equality import same_value


def read(question: Question, reply: str) -> Reading:
    """Apply the rule to a reply."""
    if is_choice(question, fact(question, "question_type") == "multi-choice"):
        letter = extracted_letter(question, reply)
        return UNREADABLE if letter is None else read_letter(question, letter)
    return read_value(question, reply)


def is_choice(question: Question, called_one: bool) -> bool:
    """Whether a question is answered by a letter: it has options, or they stand in text or picture."""
    return bool(question.options) or (called_one and question.answer in tuple(LETTERS))


def read_value(question: Question, reply: str) -> Reading:
    """The reading of an answer that has to have the gold's value."""
    text = without_markup(extract_answer(reply) or last_line(reply)).strip()
    if not text or len(text) > MAX_ANSWER:
        return UNREADABLE
    return Reading(text, same_value(question.answer, text))


RULE = Rule("mathverse", read, "always", "ours; MathVerse has language models extract and judge")
