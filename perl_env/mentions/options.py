"""Pictures that a text names as its options: "A. <image_2> B. <image_3>", "in order <image2> <image3>".

When the pictures of image options move, a letter stays with its slot and the gold letter follows the
picture. So the stretch of the text that says which slot a letter stands for has to stay as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from perl_env.question import LETTERS

_LABEL = r"(?<![\w'])[(\[]?{letter}\s?(?:[)\].:,]+|(?=\s*<)|(?=\n))\s*"
_NAME = r"(?:<\|?image[ _-]?{number}\|?>|<image>|(?:the\s)?image[ _-]?{number}(?!\w))"
_BETWEEN_OPTIONS = r"[\s,;.|]*(?:(?:and|or)\s+)?"


@dataclass(frozen=True)
class OptionBlock:
    """Where a text binds letters to pictures.

    Attributes:
        start: where the stretch begins.
        end: where it ends.
        labelled: whether it has the letters; else it names the pictures one after the other.
    """

    start: int
    end: int
    labelled: bool


def find_option_block(text: str, option_slots: tuple[int, ...]) -> OptionBlock | None:
    """The stretch of ``text`` that names the option pictures in the order of their letters, if any.

    >>> text = "Which fits <image_1>? A. <image_2> B. <image_3>"
    >>> block = find_option_block(text, (1, 2))
    >>> text[block.start : block.end]
    'A. <image_2> B. <image_3>'
    """
    for pattern, labelled in zip(_patterns(option_slots), (True, False), strict=True):
        if match := pattern.search(text):
            return OptionBlock(*match.span(), labelled)
    return None


@lru_cache(maxsize=512)
def _patterns(option_slots: tuple[int, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    names = [_NAME.format(number=slot + 1) for slot in option_slots]
    labels = [_LABEL.format(letter=letter) for letter in LETTERS[: len(option_slots)]]
    labelled = _BETWEEN_OPTIONS.join(
        label + name for label, name in zip(labels, names, strict=True)
    )
    return (
        re.compile(labelled, re.IGNORECASE),
        re.compile(_BETWEEN_OPTIONS.join(names), re.IGNORECASE),
    )


_LETTER_OF_PICTURE = re.compile(
    # Its first character comes before the look behind it: so the search can skip to it.
    r"[(\[A-Z](?<![\w'].)(?:(?<=[(\[])[A-Z][)\]]|(?<=[A-Z])\s?[.):])"
    r"\s*(?:<\|?image[ _-]?\d*\|?>|(?:the\s)?[Ii]mage[ _-]?\d)"
)


def letters_beside_pictures(text: str) -> str:
    """The first letter that stands before a picture's name like an option's label, or nothing.

    >>> letters_beside_pictures("A. <image_3>"), letters_beside_pictures("Look at <image_3>.")
    ('A. <image_3>', '')
    """
    found = _LETTER_OF_PICTURE.search(text)
    return found[0] if found else ""
