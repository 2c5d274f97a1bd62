"""What a text's mentions of images are made of, and how each part is said of other slots."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from perl_env.mentions.letters import lower
from perl_env.mentions.words import (
    END_SLOTS,
    LEFT_SIDES,
    NUMBER_VALUES,
    OPPOSITE_SIDES,
    ORDINAL_SLOTS,
    article_for,
    cased_like,
    joined,
    number_word,
    ordinal_number,
    ordinal_word,
)

#: Puts slots into the style of some words: (slots, words, number of images) -> new words.
Say = Callable[[tuple[int, ...], str, int], str]


class Part(NamedTuple):
    """A stretch of the text that is replaced as a whole: "2", "first", "1-3", "first two".

    Attributes:
        start: where it begins in the text.
        end: where it ends.
        slots: the slots it names, from zero, in the order of mention.
        words: the text between ``start`` and ``end``.
        say: puts other slots into the style of ``words``.
    """

    start: int
    end: int
    slots: tuple[int, ...]
    words: str
    say: Say


class Mention(NamedTuple):
    """A mention of one or more images, such as "images 1, 2 and 3".

    Attributes:
        span: start and end of the whole mention in the text.
        slots: the slots it names, from zero, in the order of mention.
        words: the text of the mention.
        parts: what of it is replaced.
        noun: the noun it uses, in the singular; "" for "the second one" and "the second".
    """

    span: tuple[int, int]
    slots: tuple[int, ...]
    words: str
    parts: tuple[Part, ...]
    noun: str


class Doubt(NamedTuple):
    """A place that cannot safely be said of another order, and why."""

    span: tuple[int, int]
    reason: str


def say_digits(slots: tuple[int, ...], words: str, n: int) -> str:
    """A number in digits, zero-padded as before ("01")."""
    number = str(slots[0] + 1)
    return number.zfill(len(words)) if words[0] == "0" else number


def say_number_word(slots: tuple[int, ...], words: str, n: int) -> str:
    """A number in words."""
    return cased_like(number_word(slots[0]), words)


def say_ordinal(slots: tuple[int, ...], words: str, n: int) -> str:
    """An ordinal in words, with the article in ``words`` if there is one."""
    return _with_article(ordinal_word(slots[0]), words)


def say_ordinal_digits(slots: tuple[int, ...], words: str, n: int) -> str:
    """An ordinal in digits, with the article in ``words`` if there is one."""
    return _with_article(ordinal_number(slots[0] + 1), words)


def _with_article(ordinal: str, words: str) -> str:
    if words.isalnum():  # one word
        return cased_like(ordinal, words)
    article, blank, word = " ".join(words.split()).rpartition(" ")
    if not blank:
        return cased_like(ordinal, words)
    ordinal = cased_like(ordinal, word)
    return f"{article_for(ordinal, article)} {ordinal}"


def say_fixed(slot: int) -> Say:
    """Words that mean ``slot`` only ("last", "middle"): kept for it, an ordinal for others."""

    def say(slots: tuple[int, ...], words: str, n: int) -> str:
        return words if slots[0] == slot else cased_like(ordinal_word(slots[0]), words)

    return say


def say_side(slot: int) -> Say:
    """Words for one of two sides: kept for ``slot``, else their opposite."""

    def say(slots: tuple[int, ...], words: str, n: int) -> str:
        return words if slots[0] == slot else cased_like(OPPOSITE_SIDES[lower(words)], words)

    return say


_SAY_LEFT, _SAY_RIGHT = say_side(0), say_side(1)


def say_range(first: Part, second: Part, is_last: bool) -> Say:
    """A range such as "1-3": kept where the slots ascend one by one, else a list."""

    def say(slots: tuple[int, ...], words: str, n: int) -> str:
        separator = words[len(first.words) : len(words) - len(second.words)]
        if slots == tuple(range(slots[0], slots[0] + len(slots))):
            low = first.say(slots[:1], first.words, n)
            return f"{low}{separator}{second.say(slots[-1:], second.words, n)}"
        said = [first.say((slot,), first.words.split()[-1], n) for slot in slots]
        return joined(said) if is_last else ", ".join(said)

    return say


def say_group(slots: tuple[int, ...], words: str, n: int) -> str:
    """Such as "first two", "last three", "latter two": kept where it still says the same in order."""
    end, count = words.rsplit(maxsplit=1)
    size = len(slots)
    if slots == tuple(range(size)):
        word = end if end.lower() in ("first", "initial", "former") else "first"
        return f"{cased_like(word, end)} {count}"
    if slots == tuple(range(n - size, n)):
        word = end.lower() if end.lower() in ("last", "final", "latter") else "last"
        return f"{cased_like(word, end)} {count}"
    return joined([cased_like(ordinal_word(slots[0]), end)] + [ordinal_word(s) for s in slots[1:]])


def say_image_by_ordinal(slots: tuple[int, ...], words: str, n: int) -> str:
    """A whole phrase such as "image after the second one", replaced by "third image"."""
    noun = words.split()[0]
    return f"{cased_like(ordinal_word(slots[0]), noun)} {noun.lower() if noun.istitle() else noun}"


def say_image_as_before(slot: int) -> Say:
    """A whole phrase that means the image of ``slot`` only: kept for it, "third image" for others."""

    def say(slots: tuple[int, ...], words: str, n: int) -> str:
        return words if slots[0] == slot else say_image_by_ordinal(slots, words, n)

    return say


def say_pair(slots: tuple[int, ...], words: str, n: int) -> str:
    """Such as "second pair of images": kept in form where the two still make one of the pairs in turn.

    Else the two by their ordinals, in the order of mention: "pair of the fourth and second images".
    """
    first, rest = slots[0], words.partition(" ")[2]
    ordinal = words.partition(" ")[0]
    if first % 2 == 0 and slots[1] == first + 1:
        said = ordinal_number(first // 2 + 1) if ordinal[0].isdigit() else ordinal_word(first // 2)
        return f"{cased_like(said, ordinal)} {rest}"
    spell = (lambda s: ordinal_number(s + 1)) if ordinal[0].isdigit() else ordinal_word
    noun = next((word for word in reversed(rest.split()) if not word.startswith("pair")), "images")
    noun = noun if noun.endswith("s") else f"{noun}s"
    return f"{cased_like('pair', ordinal)} of the {spell(slots[0])} and {spell(slots[1])} {noun}"


def number_value(word: str) -> int:
    """The number that digits or a lower-case number word say."""
    return NUMBER_VALUES.get(word) or int(word)


def number_part(text: str, start: int, end: int) -> Part:
    """The part that ``text[start:end]``, a number in digits or words, makes."""
    words = text[start:end]
    if words[0].isdigit():
        return Part(start, end, (int(words) - 1,), words, say_digits)
    return Part(start, end, (NUMBER_VALUES[words.lower()] - 1,), words, say_number_word)


def ordinal_part(text: str, start: int, end: int, n_images: int) -> Part | None:
    """The part that ``text[start:end]``, an ordinal or a side, makes.

    ``None`` for a side where there are not two images, and for a middle where there are not three.
    """
    words = text[start:end]
    word = lower(words)
    slot = ORDINAL_SLOTS.get(word)
    if slot is not None:
        return Part(start, end, (slot,), words, say_ordinal)
    if word[0].isdigit():
        return Part(start, end, (int(word[:-2]) - 1,), words, say_ordinal_digits)
    if word in OPPOSITE_SIDES:
        return side_part(text, start, end) if n_images == 2 else None
    if word == "middle" and n_images != 3:
        return None
    if word in ("initial", "middle"):
        slot = 0 if word == "initial" else 1
    elif word in END_SLOTS:
        slot = n_images + END_SLOTS[word]
    else:  # "second-to-last", "next to last"
        from_end = re.split("[ -]", word)[0]
        slot = n_images - 1 - ORDINAL_SLOTS.get(from_end, 1)
    return Part(start, end, (slot,), words, say_fixed(slot))


def side_part(text: str, start: int, end: int) -> Part:
    """The part that a side of two ("left", "former") makes."""
    words = text[start:end]
    if lower(words) in LEFT_SIDES:
        return Part(start, end, (0,), words, _SAY_LEFT)
    return Part(start, end, (1,), words, _SAY_RIGHT)
