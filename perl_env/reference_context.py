"""What the words around a possible mention say about it, without a parser of English.

All judgements lean to the safe side: what is not surely one thing is "unknown".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from perl_env import reference_grammar as grammar
from perl_env.reference_parts import Mention
from perl_env.reference_words import COMPARATIVES, FUNCTION_WORDS, IMAGE_NOUNS, PLAIN_WORDS, VIEW_NOUNS

_IMAGE_WORDS = frozenset(
    noun + ending for noun in (*IMAGE_NOUNS, *VIEW_NOUNS) for ending in ("", "s", "es")
)
_PEOPLE = frozenset({"people", "children", "men", "women", "mice", "fish", "sheep", "geese"})
_LOCATIVE = frozenset({"in", "on", "from", "within", "inside"})


def is_noun_next(low: str, at: int, plural_only: bool = False) -> bool:
    """Whether the word at ``at`` may be a noun that the words before it count.

    Args:
        low: text in lower case.
        at: where the counting words end.
        plural_only: whether only words that look like plurals are meant.
    """
    match = grammar.NEXT_WORD.match(low, at)
    if match is None:
        return False
    word = match[1]
    if word in FUNCTION_WORDS or word in COMPARATIVES:
        return False
    return not plural_only or _looks_plural(word)


def antecedent(
    low: str, start: int, mentions: Sequence[Mention]
) -> Literal["image", "other", "unknown"]:
    """What "the first one" at ``start`` is one of: by the closest preceding countable noun.

    ``image`` only where the closest one is an image and no counted thing stands in the text before;
    ``other`` where a counted thing ("two cards", "which car", "the first box") is the closest.
    """
    before = low[:start]
    images = list(grammar.IMAGE_NOUN.finditer(before))
    nouns = [mention for mention in mentions if mention.noun]
    image_end = max([m.end() for m in images] + [m.span[1] for m in nouns], default=-1)
    counted_end = _last_counted(before)
    if counted_end > image_end:
        return "other"
    if image_end < 0 or counted_end >= 0 or any(len(mention.slots) and _by_number(mention) for mention in nouns):
        return "unknown"
    words = grammar.WORD.findall(before, image_end)
    image_start = max([m.start() for m in images] + [m.span[0] for m in nouns])
    things = any(_looks_plural(word) for word in grammar.WORD.findall(before))
    if all(word in PLAIN_WORDS or word.endswith("er") for word in words):
        lead = grammar.WORD.findall(before, max(0, image_start - 30), image_start)
        return "unknown" if things and _LOCATIVE & set(lead[-4:]) else "image"
    located = len(words) > 1 and words[-1] == "the" and words[-2] in _LOCATIVE
    return "image" if located and nouns and not things else "unknown"


def _last_counted(before: str) -> int:
    """Where the last counted phrase whose noun is no image ends; -1 if there is none."""
    end = -1
    for match in grammar.COUNTED.finditer(before):
        head = match[0].split()[0]
        wants_plural = head not in ("which", "each") and not head.endswith(("st", "nd", "rd", "th"))
        for word in re.finditer(r"[a-z]+", match[1]):
            if word[0] in _IMAGE_WORDS or word[0] in ("one", "ones"):
                break
            if word[0] in FUNCTION_WORDS and word[0] != "similar":
                if word[0] in ("and", "or", "but"):
                    continue
                break
            if not wants_plural or _looks_plural(word[0]):
                end = match.start(1) + word.end()
                break
    return end


def _by_number(mention: Mention) -> bool:
    """Whether a mention names its images by digits, which "the second one" would not refer to."""
    return mention.parts[0].words[-1].isdigit()


def _looks_plural(word: str) -> bool:
    return word in _PEOPLE or (
        len(word) > 3
        and word.endswith("s")
        and not word.endswith(("ss", "us", "is"))
        and word not in FUNCTION_WORDS
        and word not in _IMAGE_WORDS
    )
