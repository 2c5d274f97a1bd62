"""Grading: what a reply answers, and whether that is the gold.

A reply is *understood* in terms of the question as it was asked (``Grade.parsed``) and then mapped
back to *content* (``Grade.canonical``), so that replies to the same question in different orders
can be compared: the same content gives the same string whatever the order, for right and for wrong
answers. What cannot be understood is unparsable, its own outcome; nothing is ever guessed.

``Question.scoring`` names the rule: "strict" is our own, the benchmarks' published
rules are in ``perl_env.scoring``. Whatever the rule, ``canonical`` is comparable across orders.
"""

from __future__ import annotations

from dataclasses import dataclass

from perl_env.answer_text import content_key
from perl_env.answers import extract_answer, is_well_formed
from perl_env.index_lists import permute_index_list
from perl_env.order_algebra import inverse
from perl_env.order_class import OrderClass
from perl_env.question import LETTERS, Question
from perl_env.references import parse_slot
from perl_env.scoring import find_rule
from perl_env.understanding import LIST_OR_SLOT, index_list, joined, named_slots, understand
from perl_env.value_equality import same_value

#: The rule by which replies are graded where a question names no other.
STRICT = "strict"


@dataclass(frozen=True)
class Grade:
    r"""What became of a reply.

    Attributes:
        parsed: the answer as understood, in terms of the question as it was asked: an option's
            letter, "Image 2", a list "3-1-2", else the answer's text; ``None`` if unparsable.
        canonical: the answer's content in terms of the canonical question: an option's text, for
            image options and answers that name images "Image k" (k counts canonical slots from
            one), a list "3-1-2", else a normalised text or number; ``None`` if unparsable.
        correct: whether it is the gold.
        well_formed: whether the reply has the form ``<think>…</think>…\boxed{…}``.
        steps: how many steps of a multi-step answer are right, and of how many; ``None`` for all
            other questions.
    """

    parsed: str | None
    canonical: str | None
    correct: bool
    well_formed: bool
    steps: tuple[int, int] | None = None


def grade(question: Question, reply: str) -> Grade:
    r"""Grade a model's reply to a question, in the order in which the question was asked.

    >>> import numpy as np
    >>> grey = np.zeros((2, 2, 3), "uint8")
    >>> question = Question((grey, grey), "How many?", "A", options=("two", "three"))
    >>> grade(question, r"<think>One and one.</think>\boxed{Two.}")
    Grade(parsed='A', canonical='two', correct=True, well_formed=True, steps=None)
    >>> grade(question, "Based on the images, many.")
    Grade(parsed=None, canonical=None, correct=False, well_formed=False, steps=None)

    Raises:
        InputError: ``question.scoring`` names no rule.
    """
    if question.scoring != STRICT:
        return _grade_as_published(question, reply)
    well_formed = is_well_formed(reply)
    stated = extract_answer(reply)
    parsed = None if stated is None else understand(question, stated)
    canonical = None if parsed is None else _canonical(question, parsed)
    if parsed is None or canonical is None:
        return Grade(None, None, False, well_formed)
    if question.options:
        return Grade(parsed, canonical, parsed == question.answer, well_formed)
    gold = canonical_answer(question, question.answer)
    correct = canonical == gold or (
        question.order_class not in LIST_OR_SLOT and same_value(question.answer, parsed)
    )
    return Grade(parsed, gold if correct else canonical, correct, well_formed)


def _grade_as_published(question: Question, reply: str) -> Grade:
    """Graded by a benchmark's rule; what is right has the gold's content, however it is spelt."""
    reading = find_rule(question.scoring, question.key).read(question, reply)
    answer = question.answer if reading.correct else reading.parsed
    canonical = canonical_answer(question, answer)
    parsed = None if canonical is None else reading.parsed
    return Grade(parsed, canonical, reading.correct, is_well_formed(reply), reading.steps)


def canonical_answer(question: Question, parsed: str | None) -> str | None:
    """The content of an answer to ``question``, as in ``Grade.canonical``; ``None`` if unparsable.

    Args:
        question: in the order in which it was answered.
        parsed: an answer such as ``Grade.parsed``, ``question.answer`` or an option's text.
    """
    understood = None if parsed is None else understand(question, parsed)
    return None if understood is None else _canonical(question, understood)


def gold_slot(question: Question) -> int | None:
    """The slot, from zero, of the image that the gold denotes in the question's current order.

    ``None`` for golds that denote no image or several.
    """
    n = len(question.images)
    if question.order_class is OrderClass.IMAGE_OPTIONS:
        return question.option_slots[LETTERS.index(question.answer)]
    if question.order_class is not OrderClass.SLOT_NAMING:
        return None
    if question.options:
        return parse_slot(question.options[LETTERS.index(question.answer)], n)
    slots = named_slots(question.answer, n)
    return slots[0] if slots and len(slots) == 1 else None


def count_choices(question: Question) -> int | None:
    """How many answers are possible; ``None`` where they cannot be counted."""
    if question.options:
        return len(question.options)
    return len(question.images) if question.order_class is OrderClass.SLOT_NAMING else None


def _canonical(question: Question, parsed: str) -> str | None:
    """The content of an answer that ``understand`` gave."""
    asked = question.order
    if question.options:
        index = LETTERS.index(parsed)
        if question.order_class is OrderClass.IMAGE_OPTIONS:
            return f"Image {asked[question.option_slots[index]] + 1}"
        return (question.canonical or question).options[index]
    if question.order_class is OrderClass.INDEX_LIST:
        values = index_list(question, parsed)
        return None if values is None else joined(_mapped_back(question, values))
    if question.order_class is OrderClass.SLOT_NAMING and (
        slots := named_slots(parsed, len(asked))
    ):
        return ", ".join(f"Image {slot + 1}" for slot in sorted(asked[slot] for slot in slots))
    return content_key(parsed)


def _mapped_back(question: Question, values: tuple[int, ...]) -> tuple[int, ...]:
    kind = question.index_list or "rank"
    return permute_index_list(values, inverse(question.order), kind, question.index_base)
