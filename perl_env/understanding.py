"""What a stated answer means in terms of the question as it was asked: an option, images, a list, a text.

Nothing is guessed: an answer that could mean two things means none.
"""

from __future__ import annotations

import re

from perl_env.answer_text import MAX_ANSWER, content_key, plain, without_punctuation
from perl_env.errors import UnsoundRewriteError
from perl_env.index_lists import parse_index_list, permute_index_list
from perl_env.order_class import OrderClass
from perl_env.question import LETTERS, Question
from perl_env.references import parse_slot
from perl_env.value_equality import same_value

#: Classes whose answers name images or their numbers, and so are not compared as values.
LIST_OR_SLOT = (OrderClass.INDEX_LIST, OrderClass.SLOT_NAMING)

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
        values = index_list(question, stated)
        return None if values is None else joined(values)
    if question.order_class is OrderClass.SLOT_NAMING:
        slots = named_slots(stated, n)
        if slots:
            return ", ".join(f"Image {slot + 1}" for slot in slots)
        if not _NONE_OR_ALL.search(plain(stated)):
            return None  # names an image that is not there, or none at all: no answer to "which"
    return plain(stated) if content_key(stated) else None


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
        return joined(values)
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
    slots = named_slots(text, n)
    if not slots:
        return None
    named = [named_slots(option, n) for option in question.options]
    if question.order_class is OrderClass.SLOT_NAMING:
        return _only([i for i, option in enumerate(named) if option and set(option) == set(slots)])
    pictures = [(slot,) for slot in question.option_slots]
    if any(option and option != picture for option, picture in zip(named, pictures, strict=True)):
        return None  # the options' own names ("Picture 1") are not the slots' numbers
    return _only([i for i, picture in enumerate(pictures) if picture == slots])


def _option_by_value(question: Question, text: str) -> int | None:
    if question.order_class in (*LIST_OR_SLOT, OrderClass.IMAGE_OPTIONS):
        return None
    return _only([i for i, option in enumerate(question.options) if same_value(option, text)])


def _only(found: list[int]) -> int | None:
    return found[0] if len(found) == 1 else None


# --- images and lists ------------------------------------------------------------------------


def named_slots(text: str, n: int) -> tuple[int, ...] | None:
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


def index_list(question: Question, text: str) -> tuple[int, ...] | None:
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


def joined(values: tuple[int, ...]) -> str:
    """The one way in which lists are written where answers are compared."""
    return "-".join(map(str, values))
