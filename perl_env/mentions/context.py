"""What the words around a possible mention say about it, without a parser of English.

All judgements lean to the safe side: what is not surely one thing is "unknown".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from perl_env.mentions import grammar
from perl_env.mentions.parts import Mention
from perl_env.mentions.words import (
    COMPARATIVES,
    FUNCTION_WORDS,
    IMAGE_NOUNS,
    PLAIN_WORDS,
    VERBS,
    VIEW_NOUNS,
)

_IMAGE_WORDS = frozenset(
    noun + ending for noun in (*IMAGE_NOUNS, *VIEW_NOUNS) for ending in ("", "s", "es")
)
_PEOPLE = frozenset({"people", "children", "men", "women", "mice", "fish", "sheep", "geese"})
#: How many characters before "the first one" may say what it is one of.
WINDOW = 600
_LOCATIVE = frozenset({"in", "on", "from", "within", "inside"})


def follows_ordinal(low: str, at: int) -> bool:
    """Whether the word at ``at`` may be what an ordinal before it counts ("the second card").

    It may also make the ordinal part of a superlative ("the second most").
    """
    match = grammar.NEXT_WORD.match(low, at)
    return match is not None and not (match[1] in FUNCTION_WORDS or match[1] in COMPARATIVES)


def follows_number(low: str, at: int, plural_only: bool = False) -> bool:
    """Whether the word at ``at`` may be what a number before it counts ("image 1, 2 dogs").

    Args:
        low: text in lower case.
        at: where the number ends.
        plural_only: whether only words that look like plurals are meant.
    """
    match = grammar.NEXT_WORD_IN_LINE.match(low, at)
    if match is None:
        return False
    word = match[1]
    if word in FUNCTION_WORDS or word in VERBS or word in COMPARATIVES:
        return False
    return not plural_only or _looks_plural(word)


def antecedent(
    low: str, start: int, mentions: Sequence[Mention]
) -> Literal["image", "other", "unknown"]:
    """What "the first one" at ``start`` is one of: by the closest preceding countable noun.

    ``image`` only where the closest one is an image and no counted thing stands in the text before;
    ``other`` where a counted thing ("two cards", "which car", "the first box") is the closest.
    """
    begin = max(0, start - WINDOW)
    images = list(grammar.IMAGE_NOUN.finditer(low, begin, start))
    nouns = [mention for mention in mentions[-20:] if mention.noun and mention.span[0] >= begin]
    image_end = max([m.end() for m in images] + [m.span[1] for m in nouns], default=-1)
    counted_end, by_count = _last_counted(low, begin, start)
    by_ordinal = any(not _by_number(mention) for mention in nouns)
    if counted_end > image_end:  # "the first image shows 2 cats, the second 3" is not about cats
        return "unknown" if by_ordinal and by_count else "other"
    if image_end < 0 or counted_end >= 0 or any(_by_number(mention) for mention in nouns):
        return "unknown"
    words = grammar.WORD.findall(low, image_end, start)
    image_start = max([m.start() for m in images] + [m.span[0] for m in nouns])
    things = any(_looks_plural(word) for word in grammar.WORD.findall(low, begin, start))
    if all(word in PLAIN_WORDS or word.endswith("er") for word in words):
        if nouns and words and words[0] in ("than", "and", "or", "versus", "vs", "but"):
            return "image"  # "apples in the first image than in the second"
        lead = grammar.WORD.findall(low, max(0, image_start - 30), image_start)
        return "unknown" if things and _LOCATIVE & set(lead[-4:]) else "image"
    located = len(words) > 1 and words[-1] == "the" and words[-2] in _LOCATIVE
    return "image" if located and nouns and not things else "unknown"


def _last_counted(low: str, begin: int, start: int) -> tuple[int, bool]:
    """Where the last counted phrase whose noun is no image ends, and whether it is a mere count.

    (-1, False) if there is none between ``begin`` and ``start``.
    """
    end, by_count = -1, False
    for match in grammar.COUNTED.finditer(low, begin, start):
        head = match[0].split()[0]
        wants_plural = head not in ("which", "each") and not head.endswith(("st", "nd", "rd", "th"))
        for word in grammar.WORD.finditer(low, *match.span(1)):
            if word[0] in _IMAGE_WORDS or word[0] in ("one", "ones"):
                break
            if word[0] in ("and", "or", "but", "similar", "different"):
                continue
            if word[0] in FUNCTION_WORDS or word[0] in VERBS:
                break
            if not wants_plural or _looks_plural(word[0]):
                end = word.end()
                by_count = wants_plural and head not in ("these", "those")
                break
    return end, by_count


def _by_number(mention: Mention) -> bool:
    """Whether a mention names its images by digits, which "the second one" would not refer to."""
    return mention.parts[0].words[-1].isdigit()


def _looks_plural(word: str) -> bool:
    return word in _PEOPLE or (
        len(word) > 3
        and word.endswith("s")
        and not word.endswith(("ss", "us", "is"))
        and word not in FUNCTION_WORDS
        and word not in VERBS
        and word not in _IMAGE_WORDS
    )
