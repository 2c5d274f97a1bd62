"""Grading: what a reply answers, and whether that is the gold.

A reply is *understood* in terms of the question as it was asked (``Grade.parsed``) and then mapped
back to *content* (``Grade.canonical``), so that replies to the same question in different orders
can be compared: the same content gives the same string whatever the order, for right and for wrong
answers. What cannot be understood is unparsable, its own outcome; nothing is ever guessed.

``Question.scoring`` names the rule: "strict" is the one in this file, the benchmarks' published
rules are in ``perl_env.scoring``. Whatever the rule, ``canonical`` is comparable across orders.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from perl_env.answer_text import (
    as_measure,
    as_number,
    content_key,
    is_formula,
    normal_text,
    plain,
    without_punctuation,
)
from perl_env.answers import extract_answer, is_well_formed
from perl_env.errors import UnsoundRewriteError
from perl_env.index_lists import parse_index_list, permute_index_list
from perl_env.math_equality import same_expression
from perl_env.order_class import OrderClass
from perl_env.permutation import inverse
from perl_env.question import LETTERS, Question
from perl_env.references import parse_slot

#: The rule by which replies are graded where a question names no other.
STRICT = "strict"
#: The longest answer that is looked at, in characters; a longer one is unparsable.
MAX_ANSWER = 2_000

_BARE_LETTER = re.compile(
    r"(?:(?:the\s+)?(?:option|choice|answer|letter)\s*:?\s*)?[(\[{]?\s*([A-Za-z])\s*[)\]}]?\s*[.:,;]?",
    re.IGNORECASE,
)
_LETTER_AND_TEXT = re.compile(
    r"(?:option\s+|choice\s+)?"
    r"(?:[(\[]([A-Za-z])[)\]]\s*[.:,-]?|([A-Za-z])\s?[).\]:,]|([A-Za-z])(?=\s))\s*(.+)",
    re.IGNORECASE | re.DOTALL,
)
_REASON = re.compile(r"[,;-]?\s*(?:because|since)\b", re.IGNORECASE)
_OTHER_LETTER = re.compile(r"[(\[]([A-Za-z])[)\]]|(?<![\w'’])([B-HJ-Z])(?![\w'’])")
_LIST_SEPARATOR = re.compile(r"\s*(?:,|;|&|\+|\band\b)\s*", re.IGNORECASE)
_IMAGE_NOUN = re.compile(
    r"\b(?:images?|pictures?|pics?|photos?|imgs?)(?![^\W\d_])\s*(?:number\b|no\.)?\s*[#_-]?\s*",
    re.IGNORECASE,
)
_NONE_OR_ALL = re.compile(
    r"^\W*(?:none|neither|nothing|no (?:image|picture)|both|all)\b", re.IGNORECASE
)


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
        question.order_class not in _LIST_OR_SLOT and same_value(question.answer, parsed)
    )
    return Grade(parsed, gold if correct else canonical, correct, well_formed)


def _grade_as_published(question: Question, reply: str) -> Grade:
    """Graded by a benchmark's rule; what is right has the gold's content, however it is spelt."""
    from perl_env.scoring import find_rule  # the rules are made of the functions below

    reading = find_rule(question.scoring, question.key).read(question, reply)
    answer = question.answer if reading.correct else reading.parsed
    canonical = canonical_answer(question, answer)
    parsed = None if canonical is None else reading.parsed
    return Grade(parsed, canonical, reading.correct, is_well_formed(reply), reading.steps)


_LIST_OR_SLOT = (OrderClass.INDEX_LIST, OrderClass.SLOT_NAMING)


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
    slots = _named_slots(question.answer, n)
    return slots[0] if slots and len(slots) == 1 else None


def count_choices(question: Question) -> int | None:
    """How many answers are possible; ``None`` where they cannot be counted."""
    if question.options:
        return len(question.options)
    return len(question.images) if question.order_class is OrderClass.SLOT_NAMING else None


def bare_letter(text: str) -> str | None:
    """The letter that a text is, if it is nothing else: "B", "(b)", "Option B.", "answer: B".

    >>> bare_letter("(b)."), bare_letter("Option C"), bare_letter("A dog")
    ('B', 'C', None)
    """
    match = _BARE_LETTER.fullmatch(plain(text)) if len(text) <= MAX_ANSWER else None
    return match.group(1).upper() if match else None


def understand(question: Question, stated: str) -> str | None:
    """A stated answer in terms of the question as asked, as in ``Grade.parsed``."""
    if len(stated) > MAX_ANSWER or not stated.strip():
        return None
    if question.options:
        index = _option_index(question, stated)
        return None if index is None else LETTERS[index]
    n = len(question.images)
    if question.order_class is OrderClass.INDEX_LIST:
        values = _index_list(question, stated)
        return None if values is None else _joined(values)
    if question.order_class is OrderClass.SLOT_NAMING:
        slots = _named_slots(stated, n)
        if slots:
            return ", ".join(f"Image {slot + 1}" for slot in slots)
        if not _NONE_OR_ALL.search(plain(stated)):
            return None  # names an image that is not there, or none at all: no answer to "which"
    return plain(stated) if content_key(stated) else None


def _canonical(question: Question, parsed: str) -> str | None:
    """The content of an answer that ``understand`` gave."""
    asked = question.order
    if question.options:
        index = LETTERS.index(parsed)
        if question.order_class is OrderClass.IMAGE_OPTIONS:
            return f"Image {asked[question.option_slots[index]] + 1}"
        return (question.canonical or question).options[index]
    if question.order_class is OrderClass.INDEX_LIST:
        values = _index_list(question, parsed)
        return None if values is None else _joined(_mapped_back(question, values))
    if question.order_class is OrderClass.SLOT_NAMING and (
        slots := _named_slots(parsed, len(asked))
    ):
        return ", ".join(f"Image {slot + 1}" for slot in sorted(asked[slot] for slot in slots))
    return content_key(parsed)


# --- options ---------------------------------------------------------------------------------


def _option_index(question: Question, stated: str) -> int | None:
    """Which option is meant: by bare letter, by text, by letter and text, or by image."""
    text = plain(stated)
    if letter := _BARE_LETTER.fullmatch(text):
        index = LETTERS.index(letter.group(1).upper())
        if index < len(question.options):
            return index
    finders = (_option_by_text, _option_by_letter_and_text, _option_by_image, _option_by_value)
    return next((found for find in finders if (found := find(question, text)) is not None), None)


def _option_by_text(question: Question, text: str) -> int | None:
    key = _option_key(question, text)
    return _only(
        [i for i, option in enumerate(question.options) if key == _option_key(question, option)]
    )


def _option_key(question: Question, text: str) -> str:
    if question.order_class is OrderClass.INDEX_LIST and (values := parse_index_list(plain(text))):
        return _joined(values)
    key = content_key(text)
    # "(…)" and "[…]" around an option's text mean nothing.
    return key if key[:1] not in "[(" else without_punctuation(key)


def _option_by_letter_and_text(question: Question, text: str) -> int | None:
    """An option by "B. text", "(B) text", "B because …"; not where the text is another option's or names one."""
    match = _LETTER_AND_TEXT.fullmatch(text)
    if not match:
        return None
    bracketed, delimited, spaced, rest = match.groups()
    letter = bracketed or delimited or spaced
    index = LETTERS.index(letter.upper())
    if index >= len(question.options):
        return None
    named = _option_by_text(question, rest)
    if named is not None:
        return index if named == index else None
    if spaced or (delimited and letter.islower()):
        # "A dog", "e. coli": a letter only if what follows is a reason, not a text.
        sure = letter.isupper() and _REASON.match(rest) is not None
    else:
        sure = True
    others = {(a or b).upper() for a, b in _OTHER_LETTER.findall(rest)} - {letter.upper()}
    others &= set(LETTERS[: len(question.options)])
    return (
        index if sure and not others and _option_by_image(question, rest) in (None, index) else None
    )


def _option_by_image(question: Question, text: str) -> int | None:
    """The option that denotes the image that ``text`` names; a bare number names none here."""
    if question.order_class not in (OrderClass.SLOT_NAMING, OrderClass.IMAGE_OPTIONS):
        return None
    if not any(character.isalpha() for character in text):
        return None
    n = len(question.images)
    slots = _named_slots(text, n)
    if not slots:
        return None
    named = [_named_slots(option, n) for option in question.options]
    if question.order_class is OrderClass.SLOT_NAMING:
        return _only([i for i, option in enumerate(named) if option and set(option) == set(slots)])
    pictures = [(slot,) for slot in question.option_slots]
    if any(option and option != picture for option, picture in zip(named, pictures, strict=True)):
        return None  # the options' own names ("Picture 1") are not the slots' numbers
    return _only([i for i, picture in enumerate(pictures) if picture == slots])


def _option_by_value(question: Question, text: str) -> int | None:
    if question.order_class in (*_LIST_OR_SLOT, OrderClass.IMAGE_OPTIONS):
        return None
    return _only([i for i, option in enumerate(question.options) if same_value(option, text)])


def _only(found: list[int]) -> int | None:
    return found[0] if len(found) == 1 else None


# --- images and lists ------------------------------------------------------------------------


def _named_slots(text: str, n: int) -> tuple[int, ...] | None:
    """The distinct slots that "image 2", "2", "images 1 and 3" name, ascending; else ``None``."""
    text = plain(text).removesuffix(".")
    if len(text) > 200:
        return None
    if (slot := _slot(text, n)) is not None:
        return (slot,)
    parts = [
        part for part in _LIST_SEPARATOR.split(_IMAGE_NOUN.sub("", text).strip("()[]{} ")) if part
    ]
    slots = [_slot(part, n) for part in parts]
    if len(parts) < 2 or None in slots:
        return None
    return tuple(sorted({slot for slot in slots if slot is not None}))


def _slot(text: str, n: int) -> int | None:
    if text.isascii() and text.isdigit() and len(text) < 4:
        return int(text) - 1 if 1 <= int(text) <= n else None
    return parse_slot(text, n)


def _index_list(question: Question, text: str) -> tuple[int, ...] | None:
    """A list that is possible for the question: a rank for each image, or image numbers."""
    text = plain(text)
    if question.index_list == "sequence" and question.index_base == 1:
        text = _IMAGE_NOUN.sub("", text)
    values = parse_index_list(text)
    if values is None:
        return None
    try:
        permute_index_list(
            values, question.order, question.index_list or "rank", question.index_base
        )
    except UnsoundRewriteError:
        return None
    return values


def _mapped_back(question: Question, values: tuple[int, ...]) -> tuple[int, ...]:
    kind = question.index_list or "rank"
    return permute_index_list(values, inverse(question.order), kind, question.index_base)


def _joined(values: tuple[int, ...]) -> str:
    return "-".join(map(str, values))


# --- values ----------------------------------------------------------------------------------


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
