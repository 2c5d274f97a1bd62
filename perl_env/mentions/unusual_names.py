"""Names of images that no form knows: found in order to be doubted, never rewritten.

Each is a pattern with words of which one stands in every text that it may fit: those are quicker to
look for.
"""

from __future__ import annotations

import itertools
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from perl_env.mentions.grammar import IMAGE, any_of
from perl_env.mentions.letters import has_any
from perl_env.mentions.parts import Mention
from perl_env.mentions.words import (
    COMPARATIVES,
    FUNCTION_WORDS,
    IMAGE_NOUNS,
    NUMBERS,
    ORDINAL_ENDINGS,
    ORDINALS,
    PLAIN_WORDS,
    VERBS,
)

_ORDINAL_WORD = (
    rf"(?:{any_of([*ORDINALS, 'last', 'final', 'penultimate'])}|\d{{1,2}}(?:st|nd|rd|th))"
)
_SHOWN = ("shown", "displayed", "given", "presented", "listed", "provided", "placed", "positioned")
_SHOWN_IN_TURN = (*_SHOWN, "appearing", "coming")


class _UnusualName(NamedTuple):
    """A way to name an image that cannot be said of another order.

    Attributes:
        words: one of them has to be there.
        pattern: what names an image.
        reason: why it is doubtful.
        also: one of these words has to be there, too; empty where that is not asked.
        pieces: the same of pieces of the text.
    """

    words: frozenset[str]
    pattern: re.Pattern[str]
    reason: str
    also: frozenset[str] = frozenset()
    pieces: tuple[str, ...] = ()


#: "the last-but-one image", "the second but last picture"
_BUT_ONE = _UnusualName(
    frozenset(("but",)),
    re.compile(
        rf"(?<!\w)(?:{_ORDINAL_WORD})[- ]but[- ](?:one|two|three|last|final|first)[- ](?:[a-z]+ )?(?:{IMAGE})s?(?!\w)"
    ),
    "it counts from the end",
)
#: "the 2-nd image", "2 nd image"
_SPLIT_ORDINAL = _UnusualName(
    ORDINAL_ENDINGS,
    re.compile(rf"(?<!\w)\d{{1,3}}[- ](?:st|nd|rd|th) (?:[a-z]+ )?(?:{IMAGE})s?(?!\w)"),
    "an ordinal in an unusual spelling",
)
#: "the image shown second"
_SHOWN_AT = _UnusualName(
    frozenset(_SHOWN_IN_TURN),
    re.compile(
        rf"(?<![^\W_])(?:{IMAGE})s? (?:(?:that|which) (?:is|was|are|were|comes?) )?(?:{any_of(_SHOWN_IN_TURN)})"
        rf" (?:as )?(?:the )?{_ORDINAL_WORD}(?!\w)(?! (?:week|month|year|night|time)\b)"
    ),
    "it may name an image",
    also=ORDINAL_ENDINGS.union(ORDINALS, ("last", "final", "penultimate")),
)
#: "the second MRI scan", "thumbnail 2": nouns that may as well be things within an image
_RARE_NOUN = _UnusualName(
    frozenset(
        noun + ending
        for noun in ("scan", "thumbnail", "radiograph", "ray", "mammogram", "selfie", "micrograph")
        for ending in ("", "s")
    ),
    re.compile(
        rf"(?<![\w-]){_ORDINAL_WORD} (?:[a-z]+ ){{0,2}}(?:(?:scan|thumbnail|radiograph|x-ray|mammogram|selfie|micrograph)s?)(?!\w)"
        rf"(?! (?:the|all|each|both|every|these|it|them|an?|(?:{IMAGE})s?)(?!\w))"
        r"|(?<!\w)(?:scan|thumbnail|radiograph|x-ray|mammogram|selfie|micrograph)s? ?[#(]?\d{1,2}(?!\w)"
    ),
    "it may name an image",
)
#: "the image left"
_SIDE_BEHIND = _UnusualName(
    frozenset(("left", "right")),
    re.compile(
        rf"(?<![^\W_])(?:the|this|that|which|in|and) (?:{IMAGE}) (?:left|right)"
        r"(?=[.,;:?!)]|\Z| (?:is|was|has|shows|contains|and|or|than)\b)"
    ),
    "it may mean an image by its side",
    pieces=tuple(f"{noun} {side}" for noun in IMAGE_NOUNS for side in ("left", "right")),
)
#: "all images but the second"
_ALL_BUT = _UnusualName(
    frozenset(("but", "apart", "besides", "bar", "save")),
    re.compile(
        rf"(?<![^\W_])(?:{IMAGE})s? (?:but|but for|apart from|besides|bar|save) the {_ORDINAL_WORD}(?!\w)"
        rf"(?! (?:[a-z]+ )?(?:{IMAGE})s?(?!\w))"
    ),
    "it may name an image",
)
_UNUSUAL = (_ALL_BUT, _BUT_ONE, _SPLIT_ORDINAL, _SHOWN_AT, _RARE_NOUN, _SIDE_BEHIND)
_UNUSUAL_WORDS = frozenset[str]().union(*(name.words for name in _UNUSUAL))

#: "Image: 2", "Image = 2", but not "dogs per image: 2" nor "image: 2 dogs"; "Is image\\n2 darker"
_SET_TO = re.compile(
    r"[:=][ \t]?[\"'*(#]{0,3}\d{1,2}(?![\w%°]|\.\d|[:/]\d)(?! (?!and\b|or\b|is\b|has\b|shows\b)[a-z])"
)
_NEXT_LINE = re.compile(r"[\t\n] ?[#(]?\d{1,2}(?![\w%°.):\t\n])")
_WHAT_IS_SET = re.compile(
    rf"(?<![^\W_])(?<!per )(?<!each )(?<!every )(?:{IMAGE})(?: (?:number|no\.?|nr\.?|id|index)| ?#)?[\"'*]{{0,3}} ?\Z"
)
#: "image ②"
_CIRCLED = re.compile(rf"(?<![^\W_])(?:{IMAGE})s? ?[#(]?[①-⑳❶-❿➀-➓]")
#: "second (2nd) image", "the image (second)"
_IN_BRACKETS = re.compile(rf"\((?:the |or |or the |i\.?e\.?,? )?{_ORDINAL_WORD}(?: ones?)?\)")
_NEAR = 12
#: How many characters of a sentence before "the one on the left" may say what it is one of.
_WINDOW = 300
_IMAGE_NEAR = re.compile(rf"(?<![^\W_])(?:{IMAGE})s?(?!\w)")
#: "image 1's and 2's cats"
_OWNS = re.compile(rf"(?<![\w.]){_ORDINAL_WORD}['’]s(?!\w)|(?<![\w.])\d{{1,2}}['’]s(?!\w)")
#: "image 1 rather than 2", "image 1 is closer to 2 or 3": what stands between a mention and a number
#: that may go on from it.
_GOES_ON = re.compile(
    r"[>\])}*]{0,3},?((?: [a-z]+){0,5},? )[#(]?(\d{1,2})(?=[.,;:?!)]|\Z|\n| (?:and|or|is|are|has|in|from|when|if|while)\b)(?!\.\d|,\d{3}|:\d)"
)
_LINKS = frozenset(
    [
        "with",
        "but",
        "not",
        "than",
        "as",
        "nor",
        "plus",
        "minus",
        "then",
        "by",
        "to",
        "into",
        "against",
        "else",
        "versus",
        "from",
        "over",
        "like",
        "without",
        "except",
        "in",
    ]
)
_BEFORE_LINK = _LINKS | COMPARATIVES | frozenset(
    ["is", "are", "be", "and", "or", "more", "less", "rather", "followed", "compared", "well", "also", "either", "both", "the", "look", "looks", "similar", "same", "identical", "equal", "close", "match", "matches", "matched", "differ", "differs", "different", "looking", "instead", "of", "preceded"]
)  # fmt: skip
_LINKS_BEHIND = tuple(
    f"{comma} {word}"
    for comma in ("", ",")
    for word in ("and ", "or ", "with ", "to ", "than ", "vs", "versus ", "& ")
)
_LEADS = ("and", "or", "with", "to", "than", "vs", "vs.", "versus", "&", "the")
#: "Compare 1 with image 2"
_LED_TO = re.compile(
    r"(?<![\w.,/:-])(\d{1,2}),? (?:and|or|with|to|than|vs\.?|versus|&) (?:the )?[<\[(]?\Z"
)
#: "the second photo on the wall in image 1": words between the two that say where it is.
_WITHIN = re.compile(r"((?: [a-z'-]+){0,5}) (?:in|of|on|from|within|inside)(?: the)? [<\[{(]?")
#: "In image 1, the second photo is torn."
_WITHIN_BEFORE = re.compile(r"[>\])}]?,?((?: [a-z]+){0,3}) the ")
_PLACES = re.compile(r"(?<!\w)(?:in|on|of|from|within|inside)(?: the)? [<\[{(]?\Z")
#: "photo 2 in the album in image 3"
_IN_COLLECTION = re.compile(
    r" (?:in|of|on|from) (?:the|an|a|his|her|their) (?:[a-z]+ )?(?:album|book|frame|wall|collage|magazine|newspaper|poster|shelf|table|screen|folder|gallery)"
    r" (?:in|of|on|from|within|inside)(?: the)? [<\[{(]?"
)
_JOINING = (FUNCTION_WORDS | VERBS) - frozenset(
    ("above", "across", "against", "at", "behind", "below", "by", "from", "in", "inside", "near", "of")
) - frozenset(("on", "over", "the", "to", "under", "with", "within", "a", "an", "her", "his", "their"))  # fmt: skip
#: "Is the one on the left brighter?"
_ONE_ON_SIDE = re.compile(
    r"(?<!\w)ones? (?:that is |shown )?(?:on|at|to) (?:the )?(?:far )?(?:left|right)(?!\w| (?:side|half|corner|edge|part|of)\b)"
    rf"|(?<!\w)the (?:left|right) (?:is|has|shows|contains|{any_of(COMPARATIVES)})(?!\w)"
)
_SIDE_IS = re.compile(rf" (?:is|has|shows|contains|{any_of(COMPARATIVES)})(?!\w)")
_WORD = re.compile(r"[a-z]+")
_IMAGE_WORDS = frozenset(noun + ending for noun in IMAGE_NOUNS for ending in ("", "s"))
_NAMES_NOTHING = PLAIN_WORDS | _IMAGE_WORDS | frozenset(NUMBERS)
_PICTURES = frozenset(("picture", "pic", "photo", "photograph", "snapshot", "screenshot"))


def may_have_unusual_name(low: str, words: frozenset[str]) -> bool:
    """Whether ``unusual_names`` is worth its searches."""
    return (
        not words.isdisjoint(_UNUSUAL_WORDS)
        or not low.isascii()
        or ":" in low
        or "\n" in low
        or "=" in low
        or "\t" in low
    )


def unusual_names(low: str, words: frozenset[str]) -> Iterator[tuple[tuple[int, int], str]]:
    """Places that may name images in a way that no form knows, and why they are doubtful."""
    for needed, pattern, reason, also, pieces in (
        () if words.isdisjoint(_UNUSUAL_WORDS) else _UNUSUAL
    ):
        if (
            not words.isdisjoint(needed)
            and not (also and words.isdisjoint(also))
            and not (pieces and not has_any(low, pieces))
            and (found := pattern.search(low))
        ):
            yield found.span(), reason
    for pattern, signs in ((_SET_TO, ":="), (_NEXT_LINE, "\n\t")):
        for match in pattern.finditer(low) if signs[0] in low or signs[1] in low else ():
            if _WHAT_IS_SET.search(low, max(0, match.start() - 34), match.start()):
                yield match.span(), "the number may name an image or be a count"
    if not low.isascii() and (found := _CIRCLED.search(low)):
        yield found.span(), "the number may name an image"


def names_in_brackets(
    low: str, mentions: Sequence[Mention]
) -> Iterator[tuple[tuple[int, int], str]]:
    """Ordinals in brackets that say again, or first, which image is meant: "second (2nd) image"."""
    starts = [mention.span[0] for mention in mentions]
    for match in _IN_BRACKETS.finditer(low):
        start, end = match.span()
        at = bisect_left(starts, start)
        near = any(
            m.span[0] - end < _NEAR and start - m.span[1] < _NEAR
            for m in mentions[max(0, at - 1) : at + 1]
        )
        if near or _IMAGE_NEAR.search(low, max(0, start - _NEAR), end + 2 * _NEAR):
            yield (start, end), "an ordinal in brackets may name an image"


def owners(low: str, mentions: Sequence[Mention]) -> Iterator[tuple[tuple[int, int], str]]:
    """Numbers with "'s" that are no part of a mention: "image 1's and 2's cats"."""
    named = {at for m in mentions for part in m.parts for at in (part.start, part.end)}
    for match in _OWNS.finditer(low):
        if named.isdisjoint((match.start(), match.end() - 2)):  # before it, before "'s"
            yield match.span(), "the number may name an image"


def may_go_on(low: str, free: Sequence[tuple[int, int]]) -> bool:
    """Whether ``numbers_beside`` is worth its searches: a free number has a link beside it."""
    for start, end in free:
        before = low[max(0, start - 10) : start].rstrip(" #(,").rpartition(" ")[2]
        if before in _LINKS or low.startswith(_LINKS_BEHIND, end):
            return True
    return False


def numbers_beside(
    low: str, mentions: Sequence[Mention], n_images: int
) -> Iterator[tuple[tuple[int, int], str]]:
    """Bare numbers before or after a mention that may name images too: "image 1 rather than 2"."""
    named = {part.start for mention in mentions for part in mention.parts}
    for mention in mentions:
        if not mention.parts[-1].words[-1:].isdigit():
            continue
        start, end = mention.span
        after = _GOES_ON.match(low, end)
        if after and after.start(2) not in named and 1 <= int(after[2]) <= n_images:
            words = after[1].replace(",", " ").split()
            if words and words[-1] in _LINKS and _BEFORE_LINK.issuperset(words):
                yield (start, after.end()), "the number may name an image"
        leads = low[max(0, start - 20) : start].rstrip(" <[(").endswith(_LEADS)
        before = leads and _LED_TO.search(low, max(0, start - 20), start)
        if before and before.start(1) not in named and 1 <= int(before[1]) <= n_images:
            yield (before.start(), end), "the number may name an image"


def pictures_within(low: str, mentions: Sequence[Mention]) -> Iterator[tuple[tuple[int, int], str]]:
    """Pictures that an image may show: "the second photo on the wall in image 1"."""
    for first, second in itertools.pairwise(mentions):
        start, end = first.span[1], second.span[0]
        if end - start > 60 or first.noun == second.noun:
            continue
        if _may_be_shown(first) and (found := _WITHIN.fullmatch(low, start, end)):
            if not _JOINING & set(found[1].split()):
                yield first.span, "it may be a picture within an image"
        elif first.noun in _PICTURES and _IN_COLLECTION.fullmatch(low, start, end):
            yield first.span, "it may be a picture within an image"
        elif (
            _may_be_shown(second)
            and _WITHIN_BEFORE.fullmatch(low, start, end)
            and _PLACES.search(low, max(0, first.span[0] - 12), first.span[0])
            and ("," in low[start:end] or low[start:end] == " the ")
        ):
            yield second.span, "it may be a picture within an image"


def _may_be_shown(mention: Mention) -> bool:
    return mention.noun in _PICTURES and not mention.parts[-1].words[-1:].isdigit()


def may_have_one_on_side(low: str, words: frozenset[str]) -> bool:
    """Whether ``ones_on_sides`` is worth its search."""
    if "one" in words or "ones" in words:
        return True
    for side in ("the left", "the right"):
        at = low.find(side)
        while at >= 0:
            if _SIDE_IS.match(low, at + len(side)):
                return True
            at = low.find(side, at + 1)
    return False


def ones_on_sides(low: str) -> Iterator[tuple[tuple[int, int], str]]:
    """Of two images, "the one on the left" where nothing else in the sentence can be meant."""
    for match in _ONE_ON_SIDE.finditer(low):
        window = max(0, match.start() - _WINDOW)
        begin = max([window - 1, *(low.rfind(sign, window, match.start()) for sign in ".?!\n")]) + 1
        words = _WORD.findall(low, begin, match.start())
        if all(word in _NAMES_NOTHING for word in words):
            yield match.span(), "it may mean an image by its side"
