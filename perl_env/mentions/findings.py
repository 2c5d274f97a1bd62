"""What the forms of mentions share: keeping mentions and doubts, lists and ranges."""

from __future__ import annotations

import re

from perl_env.mentions import grammar
from perl_env.mentions.letters import lower, words_of
from perl_env.mentions.parts import (
    Doubt,
    Mention,
    Part,
    number_value,
    say_image_by_ordinal,
    say_range,
)
from perl_env.mentions.words import IMAGE_NOUNS

IMAGE_NOUN_SET = frozenset(IMAGE_NOUNS)

_RANGE_WORDS = re.compile(r"to|through|thru|[-–—~]")
_BEFORE_NUMBER = frozenset(" \xa0#(_0123456789")
_WORD_FOLLOWS = frozenset(" -")
_NUMBER_NEXT = re.compile(r"[ \xa0]?[#(]?\d|_\d")


class Findings:
    """What was found in one text so far."""

    def __init__(self, text: str, n_images: int):
        self.text = text
        self.low = lower(text)
        self.n = n_images
        self.mentions: list[Mention] = []
        self.doubts: list[Doubt] = []
        self.words = words_of(self.low)
        self.bare_placeholders = self.low.count("<image>")
        self.relative: re.Match[str] | None = None
        self.parenthesised: list[int] = []
        self.has_image_pairs = "pair" in self.low and bool(grammar.PAIR_OF_IMAGES.search(self.low))

    def _doubt(self, start: int, end: int, reason: str) -> None:
        self.doubts.append(Doubt((start, end), reason))

    def _add(self, start: int, end: int, parts: list[Part], noun: str) -> None:
        """Keeps a mention, unless it labels a bare placeholder or has a number no image has."""
        slots = (
            parts[0].slots if len(parts) == 1 else tuple([s for part in parts for s in part.slots])
        )
        label = self.bare_placeholders and grammar.LABEL_BEFORE_PLACEHOLDER.match(self.low, end)
        if label:
            if slots != (self.low.count("<image>", 0, end),):
                self._doubt(start, end, "a label that does not count the placeholders")
            return
        if self.relative is not None:
            parts, start, slots = self._resolved(start, end, parts, slots)
        self.mentions.append(Mention((start, end), slots, self.text[start:end], tuple(parts), noun))

    def _resolved(
        self, start: int, end: int, parts: list[Part], slots: tuple[int, ...]
    ) -> tuple[list[Part], int, tuple[int, ...]]:
        """Such as "image after the second one" as one part that names the third image."""
        relative, self.relative = self.relative, None
        assert relative is not None
        if relative.end() not in (start, start - 1):  # an opening bracket may stand between
            return parts, start, slots
        begin = relative.start()
        step = -1 if relative["direction"] in ("before", "preceding") else 1
        follows = grammar.NEXT_WORD.match(self.low, end)
        if (
            len(slots) != 1
            or relative["relative_s"]
            or relative["relative_noun"] == "one"
            or not self.low[:begin].endswith("the ")
            or (follows is not None and follows[1] in ("was", "were", "got", "gets"))
            or not 0 <= slots[0] + step < self.n
        ):
            self._doubt(begin, end, "an image before or after another")
            return parts, start, slots
        slots = (slots[0] + step,)
        return [Part(begin, end, slots, self.text[begin:end], say_image_by_ordinal)], begin, slots

    def _check_what_follows(self, start: int, end: int, noun: str, *, ordinal: bool) -> None:
        low = self.low
        if low[end : end + 1] not in _WORD_FOLLOWS:
            return
        follows = grammar.FOLLOWED_BY_OTHER_COUNT.match(low, end)
        if follows and not (self.n == 2 and grammar.FOLLOWED_BY_PAIR.match(low, end)):
            self._doubt(start, end, "it may be counted within something else, or from another side")
        initial = low[end + 1 : end + 2]
        if initial == "b" and grammar.BUT_ONE.match(low, end):
            self._doubt(start, end, "it counts from the end")
        elif initial == "(" and grammar.FOLLOWED_BY_SIDE.match(low, end):
            self._doubt(start, end, "it depends on the layout")
        elif initial == "o":
            total = grammar.FOLLOWED_BY_TOTAL.match(low, end)
            if total is not None and number_value(total[1]) != self.n:
                self._doubt(start, end, "it counts only some of the images")

    def _with_ranges(self, items: list[Part], plural: bool) -> list[Part]:
        """The items with each "1-3" or "1 to 3" joined into one part."""
        if len(items) == 1:
            return items
        joined: list[Part] = []
        for index, item in enumerate(items):
            before = self.low[joined[-1].end : item.start] if joined else ""
            if not joined or not _RANGE_WORDS.fullmatch(
                bare := before.strip(" #(*)").removesuffix(" the")
            ):
                joined.append(item)
                continue
            first, last = joined[-1].slots[0], item.slots[0]
            is_to = bare == "to"
            if not plural and (is_to or before != bare):
                from_end = item.words.lower() in ("last", "final")  # "second to the last image"
                if from_end or not (is_to and self._is_change(first, last, joined[-1].start)):
                    self._doubt(joined[-1].start, item.end, "a range or a change")
                joined.append(item)
                continue
            if last <= first or len(joined[-1].slots) > 1:
                self._doubt(joined[-1].start, item.end, "a range that does not ascend")
            left = joined.pop()
            slots = tuple(range(first, last + 1)) if first < last < self.n else (first, last)
            say = say_range(left, item, is_last=index == len(items) - 1)
            joined.append(Part(left.start, item.end, slots, self.text[left.start : item.end], say))
        return joined

    def _is_change(self, first: int, last: int, start: int) -> bool:
        """Whether "image 1 to image 3" speaks of these two only, not of those between."""
        return (
            abs(first - last) == 1
            or grammar.CHANGE.search(self.low, max(0, start - 60), start) is not None
        )

    def _number_follows(self, at: int) -> bool:
        return (
            self.low[at : at + 1] in _BEFORE_NUMBER and _NUMBER_NEXT.match(self.low, at) is not None
        )

    def _named_so_far(self) -> int:
        """How many images were named by now, those by "former" and "latter" not counted."""
        return sum(
            len(mention.slots)
            for mention in self.mentions
            if mention.parts[0].words.lower() not in ("former", "latter")
        )

    def _is_nested(self, match: re.Match[str]) -> bool:
        """Whether a view is part of an image ("the first panel of image 2"); doubts other parts."""
        nested = grammar.FOLLOWED_BY_WHOLE.match(self.low, match.end())
        if nested and not nested[1]:
            self._doubt(*match.span(), "it may be a part of an image")
        return bool(nested and nested[1])
