"""Doubts about texts that depend on the order of the images without naming any of them.

"The graph of f is <image>, of g <image>", "Answer in order", "the one on the left" of two images,
"each pair of images", "the next one": nothing in them could be rewritten, and another order would
change what they mean.
"""

from __future__ import annotations

import itertools
import re

from perl_env.mentions.findings import Findings
from perl_env.mentions.grammar import (
    COUNT,
    IMAGE,
    NUMBER,
    NUMBER_GAP,
    NUMBERED,
    ORDINAL,
    VIEW,
    any_of,
)
from perl_env.mentions.leftovers import (
    Found,
    free_numbers,
    leftover_denotations,
    leftover_numbers,
    leftover_ordinals,
    leftover_sides,
    may_have_denotation,
    may_have_free_ordinal,
    say_a_number,
    things_in_same_image,
)
from perl_env.mentions.letters import has_any
from perl_env.mentions.parts import Mention, say_pair
from perl_env.mentions.unusual_names import (
    may_go_on,
    may_have_one_on_side,
    may_have_unusual_name,
    names_in_brackets,
    numbers_beside,
    ones_on_sides,
    owners,
    pictures_within,
    unusual_names,
)
from perl_env.mentions.words import IMAGE_NOUNS, NUMBERS, OPPOSITE_SIDES, ORDINAL_ENDINGS, ORDINALS

_BARE_PLACEHOLDER = re.compile("<image>")
_SIDE_WORD = re.compile(r"(?<!\w)(?:left|right)(?!\w)")
#: Pairs that are told by the order of the images alone: "each pair of images", "both image pairs".
_EACH_PAIR = re.compile(
    rf"(?<!\w)(?P<each>each|every|both|all|these|those|{any_of(NUMBERS[1:10])}|\d)(?: of the)?"
    rf" (?:(?:{IMAGE}) pairs?|pairs? of (?:the )?(?:{IMAGE})s)(?!\w)"
)
#: What may stand between two bare placeholders without giving the pictures different roles.
_BETWEEN_PLACEHOLDERS = re.compile(
    rf"[\s,;:./|&()\[\]*-]*(?:(?:and|or|vs\.?|versus|then|here(?: is)?)\s*)?"
    rf"(?:(?:the )?(?:(?:{NUMBERED})s?{NUMBER_GAP}(?:{NUMBER})|{ORDINAL}(?: (?:{VIEW}|one))?)\s*(?:[:=(]|is\b|->|→)*\s*)?"
)
#: The answer is to go through the images in their order, which another order would change.
_ANSWER_IN_ORDER = re.compile(
    rf"\bin (?:the )?(?:same |given )?order (?:of|in which|as|that)(?: the| these)? (?:{IMAGE})s\b"
    rf"|\b(?:answer|respond|reply)\b[^.?!\n]{{0,40}}\b(?:in (?:the )?(?:same |given )?order\b(?! (?:of|from|to)\b)|one by one|in turn|in sequence)"
    rf"|\bin order of (?:appearance|presentation)\b|\bin the order (?:(?:they|you|that) |given|shown|presented|provided)"
)
_IN_ORDER = tuple(
    f"in {the}{given}order" for the in ("", "the ") for given in ("", "same ", "given ")
)
_ANSWERS = ("answer", "respond", "reply")
#: "the image on the right …, the one on the left": sides that are said without the noun.
_ONE_ON_SIDE = re.compile(
    r"(?<!\w)ones? (?:that is |shown )?(?:on|at|to) the (?:far )?(?:left|right)(?!\w| (?:side|half|corner|edge|part|of)\b)"
)
_SIDE_THEN = re.compile(r"(?<!\w)(on|at|in) the (left|right)(?= (?:and|or|but|while|than)\b|,)")
#: "which image is on the left", "Left: a dog": a side that stands for an image of two.
_IMAGE_IS_ON_SIDE = re.compile(
    rf"(?<!\w)(?:{IMAGE}) (?:is|was|appears|lies) (?:placed |shown |displayed |located )?"
    r"(?:on|at|to) the (?:left|right)(?! (?:of|half|corner|edge))"
    r"|(?:\A|[\n;.] ?)\(?(?:left|right)\)? ?:"
)
#: "image 1 and the next one", "the previous one"
_NEIGHBOUR = re.compile(
    r"(?<!\w)the (?:next|previous|following|preceding|other next)(?: ones?(?!\w)| ?(?=[.,;:?!)]|\Z))"
)
#: "up to image 2", "from image 2 on": the images in a row from or to the one that is named.
_UP_TO = re.compile(
    r"(?<!\w)(?:up to|until|till|since|as of|start(?:ing)? (?:from|with|at)|begin(?:ning)? (?:from|with|at))(?: and including)? \Z"
)
_ONWARDS = re.compile(
    r" (?:(?:and )?(?:onwards?|forwards?|upwards?|later|beyond)|on)(?=[ ,.;:?!]|\Z)"
)
#: "the predecessor of image 3"
_RELATED = re.compile(r"(?<!\w)(?:predecessors?|successors?|neighbou?rs?)(?!\w)")
#: "image zero", "#2 image", "images [1-4]", "the image that comes second", "second- or third-last image"
_ODD_FORMS = re.compile(
    rf"(?<![^\W_])(?:{IMAGE})s? ?\[ ?\d|(?<![^\W_])(?:{IMAGE}) zero(?!\w)|(?<!\w)zeroth (?:{IMAGE})(?!\w)|#\d+ (?:{IMAGE})(?!\w)"
    rf"|(?<![^\W_])(?:{IMAGE})s? (?:which|that) (?:is|are|comes?|appears?|stands?) (?:{ORDINAL})(?=[.,;:?!)]|\Z| in\b| of\b| among\b)"
    rf"|(?<![^\W_])(?:{IMAGE})s? in (?:the )?(?:{ORDINAL}) place(?!\w)"
    rf"|(?<![\w-])(?:{any_of(ORDINALS)})- (?:or|and) "
)
#: Numbers that name images in other ways than after the noun: "images from 1 to 3", "image numbers 1 and 3".
_ODD_NUMBERS = re.compile(
    rf"(?<![^\W_])(?:{IMAGE})s? (?:(?:from |between )[#(]?\d{{1,2}}\)?(?: ?[-–] ?| to | and | until | till )[#(]?\d"
    rf"|(?:with |by )?(?:the )?(?:numbers|nos\.?|nrs\.?|indices|indexes) [#(]?\d|\d{{1,2}}(?:st|nd|rd|th)(?!\w))"
    rf"|(?<!\w)(?:{ORDINAL}) (?:out )?of (?:{COUNT}) (?:{IMAGE})s(?!\w)"
)
#: Before a mention in quotation marks: it may be written in the image.
_WRITTEN = re.compile(
    r"(?:titled?|labell?ed|named|called|words?|text|reads?|says?|caption(?:ed)?|written|heading|headline|inscription|sign) \Z"
)
#: Before "the first picture": somebody makes pictures.
_MAKES = re.compile(
    r"(?:tak(?:es?|en|ing)|took|shoots?|paints?|painted|draws?|drew|mak(?:es?|ing)|made|publish(?:es|ed)|post(?:s|ed)) the \Z"
)
#: "first-image features", "image (a) and image (b)"
_HYPHENATED = re.compile(
    rf"(?<![\w-])(?:{any_of(ORDINALS)}|last|final)-(?:{IMAGE})s?(?![\w-])"
    rf"|(?<!\w)(?:{IMAGE})s? \([a-h]\)(?:,| and| or| vs\.?| with| to| than) (?:the )?(?:(?:{IMAGE}) )?\([a-h]\)"
)
#: "images: 1, 2 and 3"
_LISTED = re.compile(
    rf"(?<![^\W_])(?:{IMAGE})s?: ?[#(]?\d{{1,2}}\)?(?:, ?| and | or | & )[#(]?\d{{1,2}}(?! ?[\w%])"
)
#: Pieces of which one stands in every text that a pattern above may fit: quicker to look for. What
#: several of them share is looked for first.
_HYPHENS = ("-im", "-pic", "-pho", "-snap", "-scr")
_LETTER_IN_BRACKETS = re.compile(r"\([a-h]\)")
_OPENED = ("image (", "images (", "picture (", "photo (", "img (", "pic (")
_NEIGHBOURS = frozenset(("next", "previous", "following", "preceding"))
_ROW_WORDS = frozenset(
    [
        "up",
        "until",
        "till",
        "since",
        "as",
        "start",
        "starting",
        "begin",
        "beginning",
        "on",
        "onward",
        "onwards",
        "forward",
        "forwards",
        "upward",
        "upwards",
        "later",
        "beyond",
    ]
)
_UP_TO_ENDS = ("to ", "til ", "till ", "ince ", "of ", "from ", "with ", "at ", "including ")
_ONWARDS_BEGINNINGS = (" on", " and ", " forw", " upw", " later", " beyond")
_COLON_AND_NUMBER = re.compile(r": ?[#(]?\d")
_ODD_NUMBER_WORDS = frozenset(
    ["from", "between", "numbers", "no", "nos", "nrs", "indices", "indexes", "out"]
)
_ODD_PIECES = (
    *(f"{noun}s {word} " for noun in IMAGE_NOUNS for word in ("from", "between")),
    *("numbers ", " nos", " nrs", "indices ", "indexes ", "out of "),
)
_OF_COUNT = re.compile(rf" of (?:{any_of(NUMBERS[1:10])}|\d{{1,2}}) ")
_BRACKETED = ("e [", "s [", "s[", "o [")
_STANDS = frozenset(("is", "are", "come", "comes", "appear", "appears", "stand", "stands"))
_THAT_IS = tuple(
    f" {pronoun} {verb}"
    for pronoun in ("that", "which")
    for verb in ("is", "are", "com", "app", "sta")
)
_QUOTES = frozenset("'\"“‘")
_MADE_NOUNS = frozenset(("picture", "pic", "photo", "photograph", "snapshot", "screenshot"))
_SIDES = (
    *(
        f"{end} the {far}{side}"
        for end in "nto"
        for far in ("", "far ")
        for side in ("left", "right")
    ),
    *("left:", "right:", "left)", "right)", "left :", "right :"),
)


def _may_be_hyphenated(low: str) -> bool:
    """Whether ``_HYPHENATED`` is worth a search."""
    return ("-" in low and has_any(low, _HYPHENS)) or (
        "(" in low and has_any(low, _OPENED) and _LETTER_IN_BRACKETS.search(low) is not None
    )


def _may_have_odd_number(low: str, words: frozenset[str]) -> bool:
    """Whether ``_ODD_NUMBERS`` is worth a search."""
    return (
        not words.isdisjoint(ORDINAL_ENDINGS)
        or (not words.isdisjoint(_ODD_NUMBER_WORDS) and has_any(low, _ODD_PIECES))
        or ("of" in words and _OF_COUNT.search(low) is not None)
    )


def _may_have_odd_form(low: str, words: frozenset[str]) -> bool:
    """Whether ``_ODD_FORMS`` is worth a search."""
    return (
        "#" in low
        or "place" in words
        or "zero" in words
        or "zeroth" in words
        or ("[" in low and has_any(low, _BRACKETED))
        or ("- " in low and ("- or " in low or "- and " in low))
        or (
            ("that" in words or "which" in words)
            and not words.isdisjoint(_STANDS)
            and has_any(low, _THAT_IS)
        )
    )


class ImplicitOrder(Findings):
    """The checks of a whole text, after its mentions have been found."""

    def _check_implicit_order(self) -> None:
        """Doubts what depends on the order of the images without naming any of them."""
        low = self.low
        if self.bare_placeholders > 1:
            self._check_placeholder_roles()
        if ("order" in self.words and has_any(low, _IN_ORDER)) or not self.words.isdisjoint(
            _ANSWERS
        ):
            named = {slot for mention in self.mentions for slot in mention.slots}
            for match in _ANSWER_IN_ORDER.finditer(low):
                if match[0].startswith("in ") or len(named) < 2:
                    self._doubt(*match.span(), "the answer goes through the images in their order")
        if self.n > 2 and self.has_image_pairs:
            for match in _EACH_PAIR.finditer(low):
                if match["each"] in ("each", "every", "both", "all") or not self._pairs():
                    self._doubt(*match.span(), "it takes the images two by two in their order")
            if (pairs := self._pairs()) and len(pairs) < len(self.mentions):
                self._doubt(*pairs[0].span, "the text may say itself which images make a pair")
        if ":" in low and _COLON_AND_NUMBER.search(low) and (listed := _LISTED.search(low)):
            self._doubt(*listed.span(), "the numbers may name images")
        if self.n == 1:
            return
        self._check_unusual_names()
        self._check_odd_names()
        if _may_be_hyphenated(low) and (found := _HYPHENATED.search(low)):
            self._doubt(*found.span(), "it may name an image")
        if self.mentions:
            if not self.words.isdisjoint(_NEIGHBOURS) and (found := _NEIGHBOUR.search(low)):
                self._doubt(*found.span(), "it depends on which images are neighbours")
            if not self.words.isdisjoint(_ROW_WORDS):
                self._check_rows()
        if self.n == 2 and ("left" in self.words or "right" in self.words):
            if has_any(low, _SIDES):
                self._check_sides()
            self._check_leftover_sides()

    def _check_unusual_names(self) -> None:
        """Doubts names of images that no form knows."""
        low, words, mentions = self.low, self.words, self.mentions
        found: list[Found] = []
        if may_have_unusual_name(low, words):
            found += unusual_names(low, words)
        if "(" in low:
            found += names_in_brackets(low, mentions)
        if mentions:
            if "s" in words and ("'s" in low or "’s" in low):
                found += owners(low, mentions)
            if say_a_number(mentions) and (free := free_numbers(low, words, mentions, self.n)):
                if may_go_on(low, free):
                    found += numbers_beside(low, mentions, self.n)
                found += leftover_numbers(low, free, mentions)
            if may_have_free_ordinal(low, words, mentions):
                found += leftover_ordinals(low, mentions)
            if may_have_denotation(low, words):
                found += leftover_denotations(low, words, mentions)
            if len(mentions) > 1:
                found += things_in_same_image(low, mentions)
                found += pictures_within(low, mentions)
        if (
            self.n == 2
            and ("left" in words or "right" in words)
            and may_have_one_on_side(low, words)
        ):
            found += ones_on_sides(low)
        for span, reason in found:
            self._doubt(*span, reason)

    def _check_odd_names(self) -> None:
        """Doubts ordinals and numbers that name images without being mentions, and mentions that name none."""
        low = self.low
        if _may_have_odd_number(low, self.words) and (found := _ODD_NUMBERS.search(low)):
            self._doubt(*found.span(), "the numbers may name images")
        if _may_have_odd_form(low, self.words) and (found := _ODD_FORMS.search(low)):
            self._doubt(*found.span(), "it may name an image")
        if not self.mentions:
            return
        if ("cessor" in low or "neighb" in low) and (found := _RELATED.search(low)):
            self._doubt(*found.span(), "it depends on which images are neighbours")
        for mention in self.mentions:
            start, end = mention.span
            if low[start - 1 : start] in _QUOTES and _WRITTEN.search(
                low[max(0, start - 20) : start - 1]
            ):
                self._doubt(start, end, "it may be written in the image")
            elif mention.noun in _MADE_NOUNS and self._is_somebodys(mention):
                self._doubt(start, end, "it may count somebody's pictures")

    def _is_somebodys(self, mention: Mention) -> bool:
        """Whether an ordinal may count the pictures that somebody makes: "takes the first picture"."""
        if mention.parts[0].words.isdigit():
            return False
        start, end = mention.span
        return _MAKES.search(self.low[max(0, start - 20) : start]) is not None or (
            self.low.startswith(" of ", end)
            and any(other.parts[0].words.isdigit() for other in self.mentions)
        )

    def _check_rows(self) -> None:
        """Doubts "up to image 2", "from image 2 on"."""
        for mention in self.mentions:
            start, end = mention.span
            before = self.low[max(0, start - 40) : start].removesuffix("the ")
            if (before.endswith(_UP_TO_ENDS) and _UP_TO.search(before)) or (
                self.low.startswith(_ONWARDS_BEGINNINGS, end)
                and (onwards := _ONWARDS.match(self.low, end))
                and (onwards[0] != " on" or before.endswith("from "))
            ):
                self._doubt(start, end, "it may mean all the images from or to this one")

    def _check_sides(self) -> None:
        """Doubts sides of two that may stand for images without being mentions by themselves."""
        if found := _IMAGE_IS_ON_SIDE.search(self.low):
            self._doubt(*found.span(), "it may mean an image by its side")
        if any(_SIDE_WORD.search(m.words.lower()) for m in self.mentions):
            self._check_bare_sides()

    def _check_leftover_sides(self) -> None:
        """Doubts sides of two that may go on from a mention of the left or right image."""
        if any(_SIDE_WORD.search(m.words.lower()) for m in self.mentions):
            for span, reason in leftover_sides(self.low, self.mentions):
                self._doubt(*span, reason)

    def _pairs(self) -> list[Mention]:
        """The mentions of pairs of images."""
        return [m for m in self.mentions if m.parts[0].say is say_pair]

    def _check_placeholder_roles(self) -> None:
        """Doubts "the graph of f is <image>, of g <image>": another order would swap the roles."""
        at = [m.span() for m in _BARE_PLACEHOLDER.finditer(self.low)]
        for (start, end), (next_start, next_end) in itertools.pairwise(at):
            if not _BETWEEN_PLACEHOLDERS.fullmatch(self.low, end, next_start):
                self._doubt(
                    start, next_end, "the pictures of bare placeholders play different parts"
                )
                return

    def _check_bare_sides(self) -> None:
        """Doubts "the one on the left", "on the left" beside a mention of the right image."""
        for match in _ONE_ON_SIDE.finditer(self.low):
            if not any(m.span[0] <= match.start() < m.span[1] for m in self.mentions):
                self._doubt(*match.span(), "it may mean an image by its side")
        for match in _SIDE_THEN.finditer(self.low):
            other = f"{match[1]} the {OPPOSITE_SIDES[match[2]]}"
            if any(
                other.endswith(m.words.lower().split()[0])
                and self.low[: m.span[0]].endswith(other.rpartition(" ")[0] + " ")
                for m in self.mentions
            ):
                self._doubt(*match.span(), "it may mean an image by its side")
