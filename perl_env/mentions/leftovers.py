"""Numbers, ordinals and sides beside a mention that may name images without saying so.

"Images 1 and 2 show the kitchen; 3 and 4 show the bath": only the first two would be rewritten. Each
such word is doubted where what follows it leaves no noun that it could count or belong to.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from perl_env.mentions.grammar import IMAGE, any_of
from perl_env.mentions.parts import Mention
from perl_env.mentions.words import DENOTATIONS, NUMBER_VALUES, NUMBERS, ORDINAL_ENDINGS, ORDINALS

Found = tuple[tuple[int, int], str]

_VERBS = (
    "is", "are", "was", "were", "isn't", "aren't", "has", "have", "had", "do", "does", "did", "don't", "doesn't",
    "can", "could", "will", "would", "should", "shows?", "showing", "showed", "depicts?", "contains?",
    "displays?", "features?", "looks?", "looked", "appears?", "seems?", "match(?:es)?", "differs?", "come", "comes", "follows?",
)  # fmt: skip
_LINKS = (
    "and", "or", "but", "nor", "in", "from", "with", "than", "as", "on", "at", "by", "when", "while",
    "whereas", "if", "then", "vs", "versus", "both", "also", "only", "not", "respectively", "who", "which",
    "that", "because", "although", "to", "can", "instead", "rather", "compared", "where", "apart", "except",
)  # fmt: skip
#: What may follow a name of an image, and no number that counts.
_ENDS = (
    rf"(?=['’]s\b|\s*(?:[.,;:?!)\]=]|\Z|\n|&|/ ?\d)|\s+(?:{'|'.join((*_VERBS, *_LINKS))})(?!\w))"
)
#: Words after which a noun does not go on.
STOPS = rf"(?:{'|'.join((*_VERBS, *_LINKS))})(?!\w)"
_PLAIN_NUMBERS = frozenset(NUMBERS[1:10])
_NUMBER_WORDS = any_of(NUMBERS[1:10])
_ORDINAL_WORDS = rf"{any_of(ORDINALS)}|last|\d{{1,2}}(?:st|nd|rd|th)"
#: "2 and 3 dogs", "the first and the second row": what both belong to comes behind the second.
_SHARED_NOUN = rf"(?!,? (?:and|or|to) (?:the )?(?:{_ORDINAL_WORDS}|{_NUMBER_WORDS}|\d{{1,2}}) (?!{STOPS})[a-z])"
# What is looked for begins with letters or digits of its own: a search can then skip to them. What
# stands before and behind is looked at afterwards.
_AFTER_DIGITS = re.compile(rf"(?![\w%°]|[.,:/]\d){_SHARED_NOUN}{_ENDS}")
_AFTER_WORD = re.compile(rf"{_SHARED_NOUN}{_ENDS}")
_NOT_BEFORE_NUMBER = frozenset("_.,:/$€£%=+*^<>→[-")
_SIGN_BEFORE_NUMBER = ("= ", "+ ", "* ", "× ", "− ", "– ")
#: Words before a number that is no image's: "step 2", "at least 2", "the two", "shows two".
_COUNTED_THINGS = (
    "step question table figure part page option choice case level class grade row column line player number room exit "
    "route chapter section problem item type phase day week month year rank team group point node time panel chart graph "
    "plot diagram map frame slide view scene set size score answer digit"
)  # fmt: skip
_NO_IMAGE_WORDS = frozenset(
    [word + ending for word in _COUNTED_THINGS.split() for ending in ("", "s")]
    + ["no.", "least", "most", "exactly", "about", "roughly", "equals", "equal", "total", "totals", "totaling", "totalling", "the", "these", "those", "all", "other", "any"]
    + ["age", "aged", "ages", "scale", "ratio", "labeled", "labelled", "marked", "numbered", "show", "shows", "has", "have", "contain", "contains", "display", "displays"]
    + ["depict", "depicts", "feature", "features", "see", "sees", "value", "count", "sum", "max", "maximum", "min", "minimum"]
)  # fmt: skip
_NO_IMAGE_PAIRS = ("there are", "there is", "there were", "there was", "equal to", "up to")
_LIST_NUMBER = re.compile(r"(?:\A|\n)[ \t]*\(?\Z")
# Two patterns that each begin with a sign of their own: a search can skip to it.
_LIST = re.compile(r"\[[^\]\n]*\]")
_COORDINATES = re.compile(r"\(\s*-?\d+(?:\s*,\s*-?\d+)*\s*\)")
_ORDINAL = re.compile(rf"(?:{_ORDINAL_WORDS})(?!\w)")
_ORDINAL_SET = frozenset((*ORDINALS, "last"))
_AFTER_ORDINAL = re.compile(
    rf"(?: (?:{_NUMBER_WORDS}|\d))?(?:['’]s)?(?! to\b){_SHARED_NOUN}{_ENDS}"
)
_BEFORE_ORDINAL = ("the ", " and ", " or ", ". ", "; ", ", ")
#: "Image 1: <image>", a label that is no mention; "image 1 of 3"
_LABELS = re.compile(rf"(?<![^\W_])(?:{IMAGE})s?[ #(]{{0,2}}\Z")
#: "first, look at …", "the last in the row", "the first that …"
_NO_SLOT = re.compile(r"(?:,| that\b| who\b| which\b| to\b)")
_DENOTED = any_of(sorted(DENOTATIONS))
#: "the image after the lead image": what is meant is its neighbour.
_BESIDE = re.compile(
    rf"(?<![^\W_])(?:(?:{IMAGE})s?|ones?) (?:(?:that |which )?(?:comes?|is|was) )?(?:directly |right |immediately |just )?"
    r"(?:after|before|following|preceding|next to|beside) (?:the )?\Z"
)
#: "the opening and the closing image"
_DENOTED_BEFORE = re.compile(rf"(?<!\w)the (?:{_DENOTED})(?:,| and| or|, and|, or) (?:the )?\Z")
#: "the lead image and the secondary"
_DENOTED_AFTER = re.compile(rf"[^.?!;\n]{{0,40}}(?<!\w)the (?:{_DENOTED})(?: one)?{_ENDS}")
_BESIDE_ENDS = tuple(
    f"{word} {article}"
    for word in ("after", "before", "following", "preceding", "next to", "beside")
    for article in ("", "the ")
)
_UNKNOWN_WORDS = frozenset(
    [
        "tertiary",
        "quaternary",
        "inaugural",
        "ultimate",
        "antepenultimate",
        "introductory",
        "conclusive",
    ]
)
_UNKNOWN = re.compile(
    rf"(?<!\w)(?:{any_of(sorted(_UNKNOWN_WORDS))}|(?:{any_of(ORDINALS[1:])})-last) (?:{IMAGE})s?(?!\w)"
)
_DENOTATION_WORDS = (
    frozenset(DENOTATIONS)
    | _UNKNOWN_WORDS
    | frozenset(("after", "before", "following", "preceding", "next", "beside"))
)
_SIDE = re.compile(
    rf"(?<![\w-])(?:left|right)(?![\w-]){_ENDS}|(?<=\bthe )(?:left|right)['’]s"
    r"|(?<=\b(?:on|in|at) the )(?:left|right)(?= (?:there|an?|the|one|two|three|four|five|it|he|she|they|we|you|no)\b)"
)
#: Before a side that is a direction or a corner: "turn left", "to the left", "lower right".
_DIRECTION = re.compile(
    r"(?<!\w)(?:turn\w*|fac\w+|look\w*|mov\w+|go\w*|point\w*|lean\w*|head\w*|driv\w+|walk\w*|run\w*|fly\w*|flies|face[sd]?"
    r"|slid\w+|rotat\w+|shift\w*|tilt\w*|swip\w+|travel\w*|its|his|her|their|your|my|far|upper|lower|top|bottom|up|down|more|further|farther"
    r"|to|toward|towards|from|all|(?:left|right)(?:,| and| or| to)|that's|that is|it is|is it|are|be) (?:the |to the |towards the |to |toward the )?\Z"
)


@lru_cache(maxsize=64)
def _numbers_to(n_images: int) -> re.Pattern[str]:
    """Numbers of images, and a few larger ones; not those of "<image_2>"."""
    return re.compile(rf"[0-{min(n_images, 9)}]{{1,2}}(?![0-9])(?<![0-9]{{3}})(?<!_[0-9])")


def free_numbers(
    low: str, words: frozenset[str], mentions: Sequence[Mention], n_images: int
) -> list[tuple[int, int]]:
    """Where numbers of images that there are stand outside of mentions, in digits and in words."""
    found = []
    for match in _numbers_to(n_images).finditer(low):
        start, end = match.span()
        if 1 <= int(low[start:end]) <= n_images and low[start - 1 : start] != "_":
            for mention in mentions:
                if mention[0][0] <= start < mention[0][1]:
                    break
            else:
                found.append((start, end))
    if words.isdisjoint(_PLAIN_NUMBERS):
        return found
    for word in words & _PLAIN_NUMBERS:
        if NUMBER_VALUES[word] > n_images:
            continue
        for start in _places_of(low, word):
            end = start + len(word)
            if not (low[end : end + 1].isalnum() or low[end : end + 1] == "_"):
                found.append((start, end))
    return found


def leftover_numbers(
    low: str, free: Sequence[tuple[int, int]], mentions: Sequence[Mention]
) -> Iterator[Found]:
    """Free numbers that may name images, where a mention says one: "brighter than image 1, 2"."""
    taken: list[tuple[int, int]] = []
    for start, end in free:
        before = low[start - 1 : start]
        if before.isalnum() or before in _NOT_BEFORE_NUMBER:
            continue
        if before == "(" and low[end : end + 1] == ")":  # "f(2)"
            continue
        if _says_what_is_counted(low[max(0, start - 24) : start]):
            continue
        if not (_AFTER_DIGITS if low[start].isdigit() else _AFTER_WORD).match(low, end):
            continue
        taken = taken or _taken(low, mentions)
        if not _within(start, taken) and not _is_certainly_no_image(low, start, end, taken):
            yield (start, end), "the number may name an image"


def _taken(low: str, mentions: Sequence[Mention]) -> list[tuple[int, int]]:
    """Where mentions, lists and coordinates stand."""
    return [
        *(mention.span for mention in mentions),
        *(match.span() for match in _LIST.finditer(low)),
        *(match.span() for match in _COORDINATES.finditer(low)),
    ]


def say_a_number(mentions: Sequence[Mention]) -> bool:
    """Whether a mention names its image by a number, in digits or as a word."""
    for mention in mentions:
        for part in mention.parts:
            if part.words[-1:].isdigit() or part.words.lower() in NUMBERS:
                return True
    return False


def _within(at: int, spans: Sequence[tuple[int, int]]) -> bool:
    for start, end in spans:  # noqa: SIM110 - any() with a generator takes several times as long
        if start <= at < end:
            return True
    return False


def _is_certainly_no_image(
    low: str, start: int, end: int, taken: Sequence[tuple[int, int]]
) -> bool:
    """Whether what stands before a number says what it is: "step 2", "x = 2", "image 1 of 3"."""
    before = low[max(0, start - 24) : start]
    return (
        before.endswith(_SIGN_BEFORE_NUMBER)
        or _LABELS.search(before) is not None
        or (before.endswith(" of ") and any(b == start - 4 for _, b in taken))
        or (low[end : end + 1] in (".", ")") and _LIST_NUMBER.search(low, 0, start) is not None)
    )


def _says_what_is_counted(before: str) -> bool:
    words = before.rstrip(" ")
    last = words[max(words.rfind(" "), words.rfind("\n"), words.rfind("(")) + 1 :]
    return (
        last in _NO_IMAGE_WORDS
        or words.endswith(_NO_IMAGE_PAIRS)
        or words.endswith(("∠", "△", "#"))
    )


def leftover_ordinals(low: str, mentions: Sequence[Mention]) -> Iterator[Found]:
    """Free ordinals that belong to no noun, beside a mention: "the first image has a car, the second a bus"."""
    for match in _ORDINAL.finditer(low):
        start = match.start()
        if not low.endswith(_BEFORE_ORDINAL, max(0, start - 5), start):
            continue
        if _within(start, [mention.span for mention in mentions]):
            continue
        after = _AFTER_ORDINAL.match(low, match.end())
        if after is None:
            continue
        end = after.end()
        if low[start - 2 : start] == ". " and low[end : end + 1] == ",":
            continue  # "First, …"
        if (
            low[start - 2 : start] != "; "
            and _NO_SLOT.match(low, end)
            and low[start - 4 : start] != "the "
        ):
            continue
        yield (start, end), "it may name an image"


def things_in_same_image(low: str, mentions: Sequence[Mention]) -> Iterator[Found]:
    """Ordinals of things that an image shows: "in the second image, the first is red, the second blue"."""
    for first, second in itertools.pairwise(mentions):
        if (
            not second.noun
            and first.slots == second.slots
            and low[first.span[1] : first.span[1] + 1] == ","
        ):
            yield second.span, "it may be the first of the things in that image"


def may_have_free_ordinal(low: str, words: frozenset[str], mentions: Sequence[Mention]) -> bool:
    """Whether there may be more ordinals than the mentions have."""
    if not words.isdisjoint(ORDINAL_ENDINGS):
        return True
    there = words & _ORDINAL_SET
    if not there:
        return False
    named = sum([part.words.lower() in there for mention in mentions for part in mention.parts])
    return sum([low.count(word) for word in there]) > named


def may_have_denotation(low: str, words: frozenset[str]) -> bool:
    """Whether ``leftover_denotations`` is worth its searches."""
    return not words.isdisjoint(_DENOTATION_WORDS) or "-last " in low


def leftover_denotations(
    low: str, words: frozenset[str], mentions: Sequence[Mention]
) -> Iterator[Found]:
    """What a known name of an image is a part of: "the image after the lead image", "the opening and the last image"."""
    has_denotation = not words.isdisjoint(DENOTATIONS)
    for mention in mentions:
        start, end = mention.span
        if (
            low.endswith(_BESIDE_ENDS, max(0, start - 16), start)
            and _BESIDE.search(low, max(0, start - 48), start)
        ) or (has_denotation and _DENOTED_BEFORE.search(low, max(0, start - 32), start)):
            yield (start, end), "it is a part of another name"
        elif has_denotation and (found := _DENOTED_AFTER.match(low, end)):
            yield (start, found.end()), "the second name has no noun"
    if found := _UNKNOWN.search(low):
        yield found.span(), "it may name an image"


def _places_of(low: str, *words: str) -> Iterator[int]:
    for word in words:
        at = low.find(word)
        while at >= 0:
            yield at
            at = low.find(word, at + 1)


def leftover_sides(low: str, mentions: Sequence[Mention]) -> Iterator[Found]:
    """Of two images, sides that belong to no noun, where a mention says a side."""
    taken = [mention.span for mention in mentions]
    for start in _places_of(low, "left", "right"):
        match = _SIDE.match(low, start)
        if match is None or _within(start, taken):
            continue
        end = match.end()
        if _DIRECTION.search(low[max(0, start - 32) : start]):
            continue
        yield (start, end), "it may mean an image by its side"
