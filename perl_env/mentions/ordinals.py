"""Mentions by ordinal or side: "the second image", "first and third photos", "the last two", "the left image"."""

from __future__ import annotations

import re

from perl_env.mentions import grammar
from perl_env.mentions.context import antecedent, follows_number, follows_ordinal
from perl_env.mentions.findings import IMAGE_NOUN_SET, Findings
from perl_env.mentions.parts import (
    Part,
    number_value,
    ordinal_part,
    say_fixed,
    say_group,
    say_ordinal,
    say_ordinal_digits,
    say_pair,
)
from perl_env.mentions.words import DENOTATIONS, NUMBERS, OPPOSITE_SIDES, ORDINAL_SLOTS

#: "at first glance image 2 …" and the like.
_IDIOMS = frozenset({"glance", "place", "time", "person", "hand", "sight", "look", "step"})
_FRACTION_COUNTS = frozenset(["a", "about", "nearly", *NUMBERS])
#: Before "the fourth to come": what images are told of by.
_TOLD_OF = re.compile(
    r"(?:caption|describ|description|depict|image|picture|photo)[^.?!]*\b(?:the )\Z"
)
_IN_THE = (" in the ", "from the ", "than the ", "within the ", "inside the ")
_ENDS_PHRASE = re.compile(
    r" (?:and|or|but|than|while|whereas|has|is|are|there|we|you)\b|[,.;:?!)]|\Z"
)
_LOCATED = re.compile(r"(?<!\w)(?:in|on|from|of|within|inside|with) (?:the )?\Z")
#: "the left-most dog"
_THING_AT_SIDE = re.compile(rf"(?:left|right)-?most (?!(?:{grammar.IMAGE})s?\b|ones?\b)[a-z]")
_GOES_ON = frozenset(" -")
_SECONDS = re.compile(r"\d[ -]\Z")
_OTHER_COUNT = re.compile(rf" (?:or|to|and) {grammar.COUNT}")


class OrdinalForms(Findings):
    """The forms that have an ordinal."""

    def _ordinal(self, match: re.Match[str]) -> int | None:
        """Such as "the second image", "first and third pictures", "the last two", "the first one"."""
        noun = match["ordinal_noun"]
        if noun:
            if noun not in IMAGE_NOUN_SET and self._is_no_view(match):
                return match.end("ordinals")
            if match["modifier"]:
                return self._modified(match)
            return self._ordinal_with_noun(match, noun)
        if match["to_come"]:
            return self._to_come(match)
        if match["placeholder"]:
            self._doubt(*match.span(), "it may count what is not in the text")
            return None
        if match["of"]:
            return self._ordinal_of_images(match)
        return self._ordinal_alone(match)

    def _to_come(self, match: re.Match[str]) -> int | None:
        """Such as "a caption for the fourth to come"; "Is she the first to come?" is about a person."""
        start, end = match.span("ordinal")
        before, after = self.low[max(0, start - 40) : start], self.low[end : end + 1]
        if not (_TOLD_OF.search(before) and after in ("", *".,;:?!)\n")) or match["more_ordinals"]:
            self._doubt(start, end, "it may count what is no image")
            return end
        parts = self._ordinal_parts(match, plural=False)
        if parts is not None:
            self._add(start, end, parts, "image")
        return end

    def _denoted(self, match: re.Match[str]) -> int | None:
        """Such as "the opening image", "the end image in the series"."""
        word = "denotation" if match["denotation"] else "end_denotation"
        start, end = match.span("denoted")
        if self._number_follows(end):
            return match.end(word)  # "Opening image 2 shows …": the number is the name
        if grammar.FOLLOWED_BY_COMPOUND.match(self.low, end):
            return None
        in_contrast = match[word] == "secondary" and "primary" in self.low
        if match["denoted_s"] or in_contrast or not self.low[:start].endswith("the "):
            self._doubt(start, end, "the word may mean something else than a place in the order")
            return None
        self._check_what_follows(start, end, "image", ordinal=True)
        slot = DENOTATIONS.get(match[word], -1) % self.n
        words = self.text[slice(*match.span(word))]
        part = Part(*match.span(word), (slot,), words, say_fixed(slot))
        self._add(start, end, [part], "image")
        return None

    def _paired(self, match: re.Match[str]) -> int | None:
        """Such as "the second pair of images": two by two in their order, four images or more."""
        start, end = match.span("paired")
        named = match["pair_noun"] or match["noun_of_pair"]
        if not named and not self.has_image_pairs:
            if self.n > 2:
                self._doubt(start, end, "it may mean a pair of images")
            return end
        at = match.span("pair_ordinal")
        part = None
        if match["pair_ordinal"] not in OPPOSITE_SIDES and self.n % 2 == 0 and self.n > 2:
            part = ordinal_part(self.text, *at, self.n // 2)
        before = self.low[:start]
        if part is None or not 0 <= part.slots[0] < self.n // 2 or not before.endswith("the "):
            self._doubt(start, end, "it counts groups of images")
            return end
        first = 2 * part.slots[0]
        slots = (first, first + 1)
        self._add(start, end, [Part(start, end, slots, self.text[start:end], say_pair)], "image")
        return end

    def _modified(self, match: re.Match[str]) -> int | None:
        """Such as "the first reference image": first of all, or first of the references?"""
        if match["modifier"] in _IDIOMS:
            return match.end("modifier")
        if match["ordinal_noun"] in IMAGE_NOUN_SET:
            if self._number_follows(match.end()):
                return match.end("ordinals")  # "in the second row image 2 is …": by number
            side = all(word in OPPOSITE_SIDES for word in grammar.WORD.findall(match["ordinals"]))
            if not (side and self._is_no_side(match)):
                self._doubt(match.start(), match.end(), "it may count only some of the images")
        return match.end("ordinals")

    def _ordinal_with_noun(self, match: re.Match[str], noun: str) -> int | None:
        start, end = match.span()
        plural = bool(match["ordinal_s"])
        if self._number_follows(end):  # "first image 2": the number is the name
            if "\n" not in self.low[match.end("ordinals") : end]:
                self._doubt(start, end, "an ordinal and a number")
            return match.end("ordinals")
        before = self.low[max(0, start - 12) : start]
        if self.low[end : end + 1] in _GOES_ON:
            if grammar.FOLLOWED_BY_COMPOUND.match(self.low, end) and not (
                noun == "image" and self.low.startswith(" frame", end)
            ):
                return None
            if grammar.FOLLOWED_BY_TECHNIQUE.match(self.low, end):
                if _LOCATED.search(before):  # "in the first image sensors are shown"
                    self._doubt(start, end, "it may be called after images without being one")
                return None
            if grammar.FOLLOWED_BY_COLLECTION.match(self.low, end):
                self._doubt(start, end, "it may be called after images without being one")
        if not before.endswith("the "):
            if before.endswith(("every ", "each ", "any ")):
                self._doubt(start, end, "it may mean one of every so many images")
                return None
            if before.endswith(("my ", "his ", "her ", "their ", "its ", "'s ", "’s ")):
                self._doubt(start, end, "it may count somebody's images")
            if before.endswith("-") or (match["ordinals"] == "second" and _SECONDS.search(before)):
                return None
        self._check_what_follows(start, end, noun, ordinal=True)
        parts = self._ordinal_parts(match, plural)
        if parts is not None:
            single = len(parts) == 1 and len(parts[0].slots) == 1
            if plural and single:
                self._doubt(start, end, "one ordinal, several images")
            self._add(start, end, parts, noun)
        return None

    def _ordinal_of_images(self, match: re.Match[str]) -> int | None:
        """Such as "the second of the three images"."""
        start, end = match.span("ordinal")
        before = self.low[max(0, start - 20) : start].split()[-1:]
        if before and (before[0] in _FRACTION_COUNTS or before[0].isdigit()):
            return None  # "one third of the images"
        count = match["of_count"]
        if count and number_value(count) != self.n:
            self._doubt(start, end, "it counts only some of the images")
        parts = self._ordinal_parts(match, plural=bool(match["count"]))
        if parts is not None:
            self._add(start, end, parts, "image")
        return None

    def _ordinal_alone(self, match: re.Match[str]) -> int | None:
        """Such as "the first one", "the second", "the latter two": images only by what was said before."""
        start, end = match.span("ordinal")
        words = grammar.WORD.findall(match["ordinals"])
        sides = [
            word for word in words if word in OPPOSITE_SIDES and word not in ("former", "latter")
        ]
        if (sides or words == ["middle"]) and not match["one"]:
            if grammar.ORDINAL_IN_BRACKETS.match(self.low, end):
                self._doubt(start, end, "a side and an ordinal")
            return None  # "moving left", "on the right", "the middle of"
        if sides and match["ordinals"].endswith("most") and _THING_AT_SIDE.search(self.low):
            self._doubt(start, end, "it may mean a thing by its side")
            return None
        has_article = self.low[max(0, start - 4) : start] == "the "
        whole = self._is_whole_text(start, end)
        counts = match["count"] and has_article and follows_number(self.low, end)
        if counts and any(mention.noun for mention in self.mentions):
            # "the first image shows 5 and the second 7 dogs"
            self._doubt(start, end, "it may mean an image or something else")
            return None
        if not match["one"]:
            if follows_ordinal(self.low, end):
                if grammar.POSITION_NEXT.match(self.low, end) and grammar.IMAGE_NOUN.search(
                    self.low
                ):
                    self._doubt(start, end, "the place of an image")
                return None
            if not (has_article or whole):
                return self._ordinal_without_article(match)
            if self.low.startswith(" to ", end):  # "the first to arrive"
                return None
        if words[0] in ("former", "latter") and self._named_so_far() == 2:
            return None  # they mean what was mentioned, whichever slots these are
        if self.relative is not None and self.relative.end() == start:
            kind = "image"
        elif not whole:
            kind = antecedent(self.low, start, self.mentions)
        else:
            kind = "unknown"
        if kind == "other":
            if self._is_place(start, end):
                self._doubt(start, end, "it may mean an image or something else")
            return None
        if kind == "unknown" or self.low.startswith(" of ", end):
            self._doubt(start, end, "it may mean an image or something else")
            return None
        parts = self._ordinal_parts(match, plural=True)
        if parts is not None:
            self._add(start, end, parts, "")
        return None

    def _is_place(self, start: int, end: int) -> bool:
        """Whether things are in it: "5 dogs in the first and 7 in the second image"."""
        before = self.low[max(0, start - 11) : start]
        return before.endswith(_IN_THE) and _ENDS_PHRASE.match(self.low, end) is not None

    def _is_whole_text(self, start: int, end: int) -> bool:
        """Whether nothing else is said than "second" or "The second one."."""
        if start > 20 or len(self.low) - end > 20:
            return False
        before = self.low[:start].strip(" \t\n\"'(*.")
        return before in ("", "the") and not self.low[end:].strip(" \t\n\"')*.!?")

    def _ordinal_without_article(self, match: re.Match[str]) -> int | None:
        """Such as "Which images match? A. first and second": an answer, unlike "first, look at …"."""
        start, end = match.span("ordinal")
        listed = match["more_ordinals"] and " to " not in match["more_ordinals"]
        is_option = grammar.OPTION_LABEL.search(self.low, max(0, start - 5), start)
        may_answer = (listed or is_option) and grammar.IMAGE_NOUN.search(self.low, 0, start)
        if may_answer or self._goes_on_from_mention(start, end):
            self._doubt(start, end, "it may mean an image or something else")
        return None

    def _goes_on_from_mention(self, start: int, end: int) -> bool:
        """Whether an ordinal goes on from a mention: "the first image, then last"."""
        return (
            bool(self.mentions)
            and start - self.mentions[-1].span[1] < 8
            and grammar.THEN_ORDINAL.search(self.low, max(0, start - 8), start) is not None
            and self.low[end : end + 1] in ("", *".,;:?!)\n")
        )

    def _ordinal_parts(self, match: re.Match[str], plural: bool) -> list[Part] | None:
        """The parts of an ordinal list; ``None`` (perhaps with a doubt) where it names no slots."""
        start, end = match.span("ordinals")
        words = match["ordinals"]
        if match["count"]:
            return self._group_parts(match)
        slot = ORDINAL_SLOTS.get(words)
        if slot is not None:  # most are one plain word
            part = Part(start, end, (slot,), self.text[start:end], say_ordinal)
            return [part if match["one"] else self._with_article(part)]
        if words in ("former", "latter") and not self._may_count_slots(match):
            return None
        if not match["more_ordinals"]:
            items = [ordinal_part(self.text, start, end, self.n)]
        else:
            items = [
                ordinal_part(self.text, *m.span(), self.n)
                for m in grammar.ORDINAL_ITEM.finditer(self.low, start, end)
            ]
        found = [item for item in items if item is not None]
        if len(found) < len(items):
            side = all(
                word in OPPOSITE_SIDES
                for word in grammar.WORD.findall(words)
                if word not in ("and", "or", "the")
            )
            if side and self._is_no_side(match):
                return None
            self._doubt(*match.span(), "sides and middles name an image only of two or three")
            return None
        if words in ("right", "right-hand") and (
            grammar.FOLLOWED_BY_CHOICE.match(self.low, match.end())
            or ("left" not in self.low and grammar.RIGHT_MEANS_CORRECT.search(self.low, 0, start))
        ):
            self._doubt(*match.span(), "right may mean correct")
        if len(found) == 1 and not match["one"]:
            found = [self._with_article(found[0])]
        return self._with_ranges(found, plural)

    def _group_parts(self, match: re.Match[str]) -> list[Part] | None:
        """Such as "first two", "latter two", "last three"."""
        words, count = match["ordinals"], number_value(match["count"])
        start, end = match.start("ordinals"), match.end("count")
        if words in ("first", "1st", "initial", "former"):
            slots = tuple(range(count))
        elif words in ("last", "final", "latter"):
            slots = tuple(range(max(0, self.n - count), self.n))
        else:
            self._doubt(*match.span(), "it counts groups of images")
            return None
        named = self._named_so_far()
        if (words in ("former", "latter") and named > 2) or count > self.n or count < 2:
            self._doubt(*match.span(), "it may mean the images mentioned before")
            return None
        if _OTHER_COUNT.match(self.low, end):
            self._doubt(*match.span(), "the count is not certain")
        return [Part(start, end, slots, self.text[start:end], say_group)]

    def _may_count_slots(self, match: re.Match[str]) -> bool:
        """Whether "the latter" means the second of two images rather than what was said last.

        After two mentions it means the second mentioned, whichever slot that is, and stays.
        """
        named = self._named_so_far()
        if named == 2:
            return False
        if named or self.n != 2:
            self._doubt(*match.span(), "it may mean the image mentioned before")
            return False
        return True

    def _with_article(self, part: Part) -> Part:
        """The part together with an "a" or "an" before it, which has to agree."""
        if self.low[part.start - 2 : part.start] not in ("a ", "n "):
            return part
        for article in ("a ", "an "):
            at = part.start - len(article)
            if (
                self.low.startswith(article, max(at, 0))
                and at >= 0
                and not self.low[at - 1 : at].isalnum()
            ):
                if part.say in (say_ordinal, say_ordinal_digits):
                    return part._replace(start=at, words=self.text[at : part.end])
                self._doubt(at, part.end, "an article that fits no other image")
        return part

    def _is_no_side(self, match: re.Match[str]) -> bool:
        """Whether "left" is part of a place within one picture ("the bottom left figure")."""
        return match["ordinal_noun"] not in IMAGE_NOUN_SET and self.low[
            : match.start()
        ].rstrip().endswith(("top", "bottom", "upper", "lower", "far"))

    def _is_no_view(self, match: re.Match[str]) -> bool:
        """Whether a noun such as "frame" or "figure" after an ordinal is surely no image."""
        if match["modifier"] or self.low[: match.start()].endswith(("at ", "on ")):
            return True  # "the second window frame", "at first view"
        if self._is_no_side(match):
            return True
        if self._is_nested(match):
            return True
        if follows_number(self.low, match.end()):
            self._doubt(*match.span(), "it may be called after a view without being one")
        return False
