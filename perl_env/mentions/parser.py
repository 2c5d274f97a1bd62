"""Decides which places in a text mention images, of which slots, and where that cannot be known."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping

from perl_env.mentions import grammar
from perl_env.mentions.findings import IMAGE_NOUN_SET
from perl_env.mentions.implicit_order import ImplicitOrder
from perl_env.mentions.leftovers import STOPS
from perl_env.mentions.letters import UNSEEN
from perl_env.mentions.numbers import NumberForms
from perl_env.mentions.ordinals import OrdinalForms
from perl_env.mentions.parts import Doubt, Mention, side_part
from perl_env.mentions.words import NUMBERED_VIEW_NOUNS

_NUMBERED_VIEW_NOUNS = frozenset(NUMBERED_VIEW_NOUNS)
_IMAGE_OR_NO_NOUN = IMAGE_NOUN_SET | {""}
_BETWEEN_MENTIONS = re.compile(
    r"[\s>\]})*]*(to|through|thru|until|[-–—~…]|\.{2,})[\s<\[{(*]*(?:the\s)?"
)
#: "the picture on the left wall"
_THING_ON_SIDE = re.compile(rf" (?!{STOPS}|side|hand|there|an?\b|the\b|one\b|two\b)[a-z]")
_PARENTHESISED = re.compile(r"\(\d{1,2}\)")
_ALWAYS_DOUBTFUL = {
    "indexed": "an index, which may count from zero",
    "labelled": "the label may be drawn in the image or stand for its place",
    "marked": "the number may name an image",
    "laid_out": "it depends on the layout",
    "large_ordinal": "there is no such image",
}


class Parser(NumberForms, OrdinalForms, ImplicitOrder):
    """One pass over one text."""

    def parse(self) -> tuple[tuple[Mention, ...], tuple[Doubt, ...]]:
        """The mentions and doubts, in the order of the text."""
        low, at = self.low, 0
        next_may_fit = grammar.NOUN_NEXT.match
        forms, handlers = grammar.forms_of(low), _HANDLERS
        for start, kind in grammar.trigger_places(low, self.words):
            if start < at or (kind == "noun" and next_may_fit(low, start) is None):
                continue
            match = forms[kind].match(low, start)
            if match is not None:
                at = handlers[match.lastgroup or ""](self, match) or match.end()
        if self.mentions or self.doubts or "respectively" in low or " or " in low:
            self._check_whole_text()
        self._drop_relative()
        self._check_implicit_order()
        if not low.isascii() and UNSEEN.search(low):
            self._check_unseen()
        if len(self.doubts) > 1:
            self.doubts.sort(key=lambda doubt: doubt.span)
        return tuple(self.mentions), tuple(self.doubts)

    def _check_unseen(self) -> None:
        """Doubts a text that names other images to a reader, who sees no letters without width."""
        text = UNSEEN.sub("", self.text)
        mentions, doubts = Parser(text, self.n).parse()
        same = [m.slots for m in mentions] == [m.slots for m in self.mentions]
        if doubts or not same:
            found = UNSEEN.search(self.low)
            assert found is not None
            self._doubt(*found.span(), "letters without width may hide a mention")

    def _always_doubtful(self, match: re.Match[str]) -> int | None:
        """Forms that never can be rewritten safely."""
        self._doubt(*match.span(), _ALWAYS_DOUBTFUL[match.lastgroup or ""])
        return None

    def _placed(self, match: re.Match[str]) -> int | None:
        """Such as "the image on the left"."""
        side = match["side"]
        start, end = match.span()
        after = self.low[end : end + 4]
        if (
            self.n != 2
            or match["placed_s"]
            or side in ("top", "bottom")
            or after in (" of ", " or ", " and")
            or _THING_ON_SIDE.match(self.low, end)
        ):
            self._doubt(start, end, "left and right name an image only where there are two")
            return None
        part = side_part(self.text, *match.span("side"))
        self._add(start, end, [part], "image")
        return None

    def _relative(self, match: re.Match[str]) -> int | None:
        """Such as "the image after the second": remembered until the anchor has been read."""
        direction = match["direction"]
        if match["pronoun"] or direction not in ("before", "after", "preceding", "following"):
            at_noun = match["pronoun"] or grammar.TRIGGER.match(f" {self.low}", match.end())
            if at_noun:
                self._doubt(*match.span(), "it depends on which images are neighbours")
            return None
        self._drop_relative()
        self.relative = match
        return None

    def _drop_relative(self) -> None:
        """Doubts "the image before last", whose anchor was not understood."""
        if self.relative is not None:
            self._doubt(*self.relative.span(), "it depends on which images are neighbours")

    def _vague(self, match: re.Match[str]) -> int | None:
        if not grammar.FOLLOWED_BY_COMPOUND.match(self.low, match.end()):
            self._doubt(*match.span(), "it depends on which images are neighbours or on the layout")
        return None

    def _grouped(self, match: re.Match[str]) -> int | None:
        if match["group"] in ("half", "third", "quarter", "row", "column") and (
            not match[0].endswith("s") or match[0].startswith(("left", "right", "middle"))
        ):
            return match.end("group")  # "the right half of the picture", "the first row of image 2"
        self._doubt(*match.span(), "it counts groups of images")
        return None

    def _lettered(self, match: re.Match[str]) -> int | None:
        """Such as "Image A": a drawn label, or a name for a slot? Lower case "image a dog" is neither."""
        start, end = match.span("letter")
        letters = self.text[start:end]
        if letters.isupper() and letters not in ("I",):
            self._doubt(
                *match.span(), "the letter may be drawn in the image or stand for its place"
            )
        return None

    def _check_whole_text(self) -> None:
        self._check_views()
        for mention in self.mentions:
            for slot in mention.slots:
                if not 0 <= slot < self.n:
                    self._doubt(*mention.span, f"there are only {self.n} images")
                    break
        if self.n > 2:
            for left, right in itertools.pairwise(self.mentions):
                if right.span[0] - left.span[1] < 20:
                    self._check_range(left, right)
        if self.parenthesised:
            numbers = _PARENTHESISED.findall(self.low)
            if len(numbers) > sum(
                self.low[:at].endswith("(") for at in self.parenthesised
            ) and not any(len(mention.slots) > 1 for mention in self.mentions):
                self._doubt(
                    self.parenthesised[0], self.parenthesised[0] + 1, "it may number a sub-question"
                )
        if " or " in self.low and "which" in self.low:
            self._check_bare_choice()
        if not self.mentions and "respectively" in self.low and (
            found := grammar.PLURAL_IMAGE_NOUN.search(self.low)
        ):  # fmt: skip
            self._doubt(*found.span(), "the answer goes through the images in their order")

    def _check_bare_choice(self) -> None:
        """Doubts "which image is darker, 2 or 3?": numbers without a noun that leave an image out."""
        for match in grammar.BARE_CHOICE.finditer(self.low):
            if any(m.span[0] < match.end() and match.start() < m.span[1] for m in self.mentions):
                continue
            numbers = {int(number) for number in re.findall(r"\d+", match[0])}
            if numbers < set(range(1, self.n + 1)) and grammar.IMAGE_NOUN.search(
                self.low, 0, match.start()
            ):
                self._doubt(*match.span(), "the numbers may name images")

    def _check_views(self) -> None:
        """Drops "panel 3", "the first chart" … where they are no images; doubts what may be either."""
        views = [mention for mention in self.mentions if mention.noun not in _IMAGE_OR_NO_NOUN]
        if not views:
            return
        outside = [m for m in views if any(not 0 <= slot < self.n for slot in m.slots)]
        if len(outside) == len(views):
            self.mentions = [mention for mention in self.mentions if mention not in views]
            return
        nouns = {mention.noun for mention in views}
        reason = ""
        if any(self._names_image(mention) for mention in self.mentions):
            reason = "it may be a part of an image"
        elif grammar.SINGLE_IMAGE.search(self.low):
            reason = "it may be a part of the image"
        elif len(nouns & _NUMBERED_VIEW_NOUNS) > 1:
            reason = "two kinds of views"
        elif not nouns <= _NUMBERED_VIEW_NOUNS and grammar.CAPTION.search(self.low):
            reason = "it may be a caption"
        elif "figure" in nouns and grammar.GROWTH_PATTERN.search(self.low):
            reason = "it may be a step of a pattern"
        if reason:
            self._doubt(*views[0].span, reason)

    def _names_image(self, mention: Mention) -> bool:
        """Whether a mention says "image" and is no placeholder that only shows one ("<image_1>")."""
        if mention.noun not in IMAGE_NOUN_SET:
            return False
        start, end = mention.span
        if self.low[start - 1 : start] != "<" or self.low[end : end + 1] != ">":
            return True
        words = grammar.WORD.findall(self.low, max(0, start - 12), start)
        return bool(words) and words[-1] in (
            "in",
            "of",
            "on",
            "from",
            "than",
            "to",
            "with",
            "and",
            "or",
        )

    def _check_range(self, left: Mention, right: Mention) -> None:
        """Doubts "image 1 to image 3" where it may mean the images between as well."""
        between = _BETWEEN_MENTIONS.fullmatch(self.low, left.span[1], right.span[0])
        if between and not (
            between[1] in ("to", "until")
            and self._is_change(left.slots[-1], right.slots[0], left.span[0])
        ):
            self._doubt(left.span[0], right.span[1], "a range or a change")


_HANDLERS: Mapping[str, Callable[[Parser, re.Match[str]], int | None]] = {
    "numbered": Parser._numbered,
    "odd_number": Parser._odd_number,
    "lettered": Parser._lettered,
    "by_luck": Parser._by_luck,
    "denoted": Parser._denoted,
    "paired": Parser._paired,
    "placed": Parser._placed,
    "relative": Parser._relative,
    "vague": Parser._vague,
    "grouped": Parser._grouped,
    "ordinal": Parser._ordinal,
} | dict.fromkeys(_ALWAYS_DOUBTFUL, Parser._always_doubtful)
