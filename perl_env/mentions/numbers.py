"""Mentions by number: "image 2", "<image_2>", "images 1, 2 and 3", "images 1-3", "frame 4"."""

from __future__ import annotations

import re

from perl_env.mentions import grammar
from perl_env.mentions.context import follows_number
from perl_env.mentions.findings import IMAGE_NOUN_SET, Findings
from perl_env.mentions.parts import Part, number_part, number_value, say_image_as_before

_ENDS_PHRASE = frozenset(["", *".,;:?!)]>'\"\n"])
_DETERMINERS = frozenset(
    ("the", "this", "each", "every", "a", "an", "one", "per", "any", "single", "no")
)
#: "Image 1 2 3": a number that counts nothing.
_BARE_NUMBER_NEXT = re.compile(r" \d{1,2}(?: \d{1,2})*(?=[.;:?!)]?(?:\s|\Z))(?! [a-z])")
_NUMBER_WORD_NEXT = re.compile(rf" {grammar.COUNT}")
#: "Choose 1 for image 1, 2 for image 2."
_SAYS_WHAT_FOR = frozenset(("for", "if", "when", "means", "denotes", "indicates", "otherwise"))
_OF_THE_CLOCK = re.compile(" o['’]clock")
#: "in image 1 there are 2, in image 2, 3"
_COMMA = re.compile(r" ?, ?[#(]?\d")
_ONE_ACTS = re.compile(r" (?:can|could|may|might|must|should|would|will|sees|finds|notices)\b")


class NumberForms(Findings):
    """The forms that have a number."""

    def _numbered(self, match: re.Match[str]) -> int | None:
        """Such as "image 2", "<image_2>", "images 1, 2 and 3", "frame 4"."""
        noun, plural = match["noun"], bool(match["noun_s"])
        start, end = match.span("numbered")
        gap = match["number_gap"]
        numbers_at, numbers_end = match.span("numbers")
        is_word = not match["numbers"][0].isdigit()
        if self.low[end : end + 1] == ">" and self._is_placeholder(match, is_word):
            self._add(start, end, [number_part(self.text, numbers_at, numbers_end)], noun)
            return end
        if is_word and not gap:
            return None
        if self._is_quantity(match) or self._is_view_of_image(match, noun):
            return None
        if grammar.FOLLOWED_BY_NUMBERS.match(self.low, end) or (
            plural and self.low[end : end + 1] == " " and self.low[end + 1 : end + 2].isdigit()
        ):
            self._doubt(start, end, "it may be followed by more numbers")
        if "(" in gap:
            self.parenthesised.append(numbers_at)
        if (
            start
            and self.low[start - 1] == "-"
            and start > 2
            and self.low[start - 3 : start - 1].isalpha()
        ):
            self._doubt(start, end, "it may number something else")
        if (
            gap in ("", "-", "_")
            and self.low[end : end + 1] == "."
            and grammar.FILE_AFTER.match(self.low, end)
        ):
            self._doubt(start, end, "it may be a file name")
        if self._one_is_pronoun(match, is_word):
            return None
        if match["more"]:
            items = [
                number_part(self.text, *m.span())
                for m in grammar.NUMBER_ITEM.finditer(self.low, numbers_at, numbers_end)
            ]
            items = self._without_counts(items, match, plural)
            end = items[-1].end + (
                self.low[items[-1].end : items[-1].end + 1] == ")" and "(" in match[0]
            )
        else:
            items = [number_part(self.text, numbers_at, numbers_end)]
            self._check_single_number(start, end, is_word)
        self._check_what_follows(start, end, noun, ordinal=False)
        self._add(start, end, self._with_ranges(items, plural), noun)
        return end

    def _is_placeholder(self, match: re.Match[str], is_word: bool) -> bool:
        """Whether "<image_2>" is all there is: nothing around it needs to be looked at then."""
        return (
            not (is_word or match["more"] or match["noun_s"])
            and match["number_gap"] in ("", "_", " ", "-")
            and match["noun"] in IMAGE_NOUN_SET
            and self.low[match.start() - 1 : match.start()] == "<"
        )

    def _is_view_of_image(self, match: re.Match[str], noun: str) -> bool:
        """Whether "frame 2" belongs to what follows ("frame 2 of image 1")."""
        if noun in IMAGE_NOUN_SET or match["more"] or number_value(match["numbers"]) > self.n:
            return False
        return self._is_nested(match)

    def _by_luck(self, match: re.Match[str]) -> int | None:
        """Such as "the image of lucky number seven"; without luck it may be a picture of a number."""
        start, end = match.span("by_luck")
        if not match["lucky"]:
            self._doubt(start, end, "the number may be what the image shows")
            return end
        slot = number_value(match["lucky_number"]) - 1
        self._check_what_follows(start, end, "image", ordinal=False)
        part = Part(start, end, (slot,), self.text[start:end], say_image_as_before(slot))
        self._add(start, end, [part], "image")
        return end

    def _odd_number(self, match: re.Match[str]) -> int | None:
        """Such as "image 1a", "image 1/3", "image 2D"."""
        if not grammar.FOLLOWED_BY_UNIT.fullmatch(match["odd_suffix"]) and match["odd_suffix"] not in (
            "d", "k", "p", "s", "st", "nd", "rd", "th",
        ):  # fmt: skip
            self._doubt(*match.span(), "it may name a part of an image, or a count")
        return None

    def _is_quantity(self, match: re.Match[str]) -> bool:
        """Whether the number belongs to what follows: "image 2 times larger", "image 3 x 3"."""
        end = match.end()
        if match["more"] or self.low[end : end + 1] in _ENDS_PHRASE:
            return False
        if grammar.FOLLOWED_BY_SIZE.match(self.low, end):
            return True
        if not grammar.FOLLOWED_BY_UNIT.match(self.low, end):
            return False
        if not self._determiner(match.start()):
            self._doubt(*match.span(), "the number may be a quantity")
        return True

    def _check_single_number(self, start: int, end: int, is_word: bool) -> None:
        """Doubts "the image 2 dogs", "in photo 3 people", "picture one of them"."""
        if self.low[end : end + 1] != " ":
            return
        if _BARE_NUMBER_NEXT.match(self.low, end) or (
            is_word and _NUMBER_WORD_NEXT.match(self.low, end)
        ):
            self._doubt(start, end, "it may be followed by more numbers")
        may_count = is_word or self._determiner(start) or self.low.startswith(" people", end)
        may_count = may_count or self.low[:start].endswith(("in ", "on ", "from "))
        if (may_count and follows_number(self.low, end, plural_only=True)) or (
            is_word and self.low.startswith(" of ", end)
        ):
            self._doubt(start, end, "the number may count what follows")

    def _determiner(self, start: int) -> str:
        if self.low[start - 1 : start] != " ":
            return ""
        word = self.low[self.low.rfind(" ", 0, start - 1) + 1 : start - 1]
        return word if word in _DETERMINERS else ""

    def _one_is_pronoun(self, match: re.Match[str], is_word: bool) -> bool:
        """Whether "one" in "in the image one can see" is nobody in particular."""
        determiner = self._determiner(match.start())
        if is_word and match["numbers"].startswith("one"):
            if determiner:
                return True
            if _ONE_ACTS.match(self.low, match.end()):
                self._doubt(*match.span(), "one may mean a person")
        elif determiner and determiner != "the":
            self._doubt(*match.span(), "the number may count what follows")
        return False

    def _without_counts(self, items: list[Part], match: re.Match[str], plural: bool) -> list[Part]:
        """The items without a last number that counts what follows: "in image 1, 5 apples"."""
        end = items[-1].end
        word = grammar.NEXT_WORD.match(self.low, end)
        if not plural and word is not None and word[1] in _SAYS_WHAT_FOR:
            self._doubt(*match.span(), "the last number may be an answer")
        if _OF_THE_CLOCK.match(self.low, end):
            self._doubt(*match.span(), "the last number may be a time")
        noun_next = word is not None and follows_number(self.low, end)
        if not noun_next or (plural and not follows_number(self.low, end, plural_only=True)):
            if not plural and word is not None and word[1] == "of":
                self._doubt(*match.span(), "the last number may count what follows")
            elif self.mentions and not plural and len(items) == 2 and _COMMA.match(match["more"]):
                self._doubt(*match.span(), "the last number may count something")
            return items
        separator = self.low[items[-2].end : items[-1].start].strip()
        if (
            separator == ","
            and len(items) == 2
            and not plural
            and follows_number(self.low, end, plural_only=True)
        ):
            return items[:-1]
        self._doubt(*match.span(), "the last number may count what follows")
        return items
