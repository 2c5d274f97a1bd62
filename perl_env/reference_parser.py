"""Decides which places in a text mention images, of which slots, and where that cannot be known."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

from perl_env import reference_grammar as grammar
from perl_env.reference_context import antecedent, is_noun_next
from perl_env.reference_parts import (
    Doubt,
    Mention,
    Part,
    number_part,
    number_value,
    ordinal_part,
    say_group,
    say_image_by_ordinal,
    say_ordinal,
    say_ordinal_digits,
    say_range,
    side_part,
)
from perl_env.reference_words import IMAGE_NOUNS, NUMBERED_VIEW_NOUNS, NUMBERS, OPPOSITE_SIDES

_IMAGE_NOUNS = frozenset(IMAGE_NOUNS)
_NUMBERED_VIEW_NOUNS = frozenset(NUMBERED_VIEW_NOUNS)
_RANGE_WORDS = re.compile(r"to|through|thru|[-–—~]")
_BETWEEN_MENTIONS = re.compile(r"[\s>\]})*]*(to|through|thru|until|[-–—~])[\s<\[{(*]*(?:the\s)?")
_ENDS_PHRASE = frozenset(["", *".,;:?!)]>'\"\n"])
_FRACTION_COUNTS = frozenset(["a", "about", "nearly", *NUMBERS])
_DETERMINERS = frozenset("the this that each every a an one per any single no".split())
_BEFORE_NUMBER = frozenset(" \xa0#(_0123456789")
_NUMBER_NEXT = re.compile(r"[ \xa0]?[#(]?\d|_\d")
_SECONDS = re.compile(r"\d[ -]\Z")
_ONE_ACTS = re.compile(r" (?:can|could|may|might|must|should|would|will|sees|finds|notices)\b")
_OTHER_COUNT = re.compile(rf" (?:or|to|and) {grammar.COUNT}")
_PARENTHESISED = re.compile(r"\(\d{1,2}\)")
_DOUBTFUL_FORMS = {
    "indexed": "an index, which may count from zero",
    "vague": "it depends on which images are neighbours or on the layout",
    "grouped": "it counts groups of images",
    "large_ordinal": "there is no such image",
}


class Parser:
    """One pass over one text."""

    def __init__(self, text: str, n_images: int):
        self.text = text
        self.low = _lower(text)
        self.n = n_images
        self.mentions: list[Mention] = []
        self.doubts: list[Doubt] = []
        self.bare_placeholders = self.low.count("<image>")
        self.relative: re.Match[str] | None = None
        self.parenthesised: list[int] = []

    def parse(self) -> tuple[tuple[Mention, ...], tuple[Doubt, ...]]:
        """The mentions and doubts, in the order of the text."""
        low, at = self.low, 0
        search, forms, handlers = grammar.TRIGGER.search, grammar.FORMS, _HANDLERS
        while (trigger := search(low, at)) is not None:
            match = forms[trigger.lastgroup].match(low, trigger.start())
            if match is None:
                at = trigger.end()
            else:
                at = handlers[match.lastgroup](self, match) or match.end()
        if self.mentions or self.doubts or "respectively" in low:
            self._check_whole_text()
        self.doubts.sort(key=lambda doubt: doubt.span)
        return tuple(self.mentions), tuple(self.doubts)

    # --- forms -------------------------------------------------------------------------------

    def _numbered(self, match: re.Match[str]) -> int | None:
        """ "image 2", "<image_2>", "images 1, 2 and 3", "frame 4"."""
        noun, plural = match["noun"], bool(match["noun_s"])
        start, end = match.span("numbered")
        gap = match["number_gap"]
        numbers_at, numbers_end = match.span("numbers")
        is_word = not match["numbers"][0].isdigit()
        if is_word and not gap:
            return None
        if self._is_quantity(match):
            return None
        if "(" in gap:
            self.parenthesised.append(numbers_at)
        if start and self.low[start - 1] == "-" and start > 2 and self.low[start - 3 : start - 1].isalpha():
            self._doubt(start, end, "it may number something else")
        if gap in ("", "-", "_") and self.low[end : end + 1] == "." and grammar.FILE_AFTER.match(self.low, end):
            self._doubt(start, end, "it may be a file name")
        if self._one_is_pronoun(match, is_word):
            return None
        if match["more"]:
            items = [number_part(self.text, *m.span()) for m in grammar.NUMBER_ITEM.finditer(self.low, numbers_at, numbers_end)]
            items = self._without_counts(items, match, plural)
            end = items[-1].end + (self.low[items[-1].end : items[-1].end + 1] == ")" and "(" in match[0])
        else:
            items = [number_part(self.text, numbers_at, numbers_end)]
            if (is_word or self._determiner(start)) and is_noun_next(self.low, end, plural_only=True):
                self._doubt(start, end, "the number may count what follows")
        self._check_what_follows(start, end, noun, ordinal=False)
        self._add(start, end, self._with_ranges(items, plural), noun)
        return end

    def _odd_number(self, match: re.Match[str]) -> int | None:
        """ "image 1a", "image 1/3", "image 2D"."""
        if not grammar.FOLLOWED_BY_UNIT.fullmatch(match["odd_suffix"]) and match["odd_suffix"] not in (
            "d", "k", "p", "s", "st", "nd", "rd", "th",
        ):  # fmt: skip
            self._doubt(*match.span(), "it may name a part of an image, or a count")
        return None

    def _indexed(self, match: re.Match[str]) -> int | None:
        self._doubt(*match.span(), _DOUBTFUL_FORMS["indexed"])
        return None

    def _vague(self, match: re.Match[str]) -> int | None:
        if not grammar.FOLLOWED_BY_COMPOUND.match(self.low, match.end()):
            self._doubt(*match.span(), _DOUBTFUL_FORMS["vague"])
        return None

    def _grouped(self, match: re.Match[str]) -> int | None:
        if match["group"] in ("half", "third", "quarter") and (
            not match[0].endswith("s") or match[0].startswith(("left", "right", "middle"))
        ):
            return None  # "the right half of the picture"
        self._doubt(*match.span(), _DOUBTFUL_FORMS["grouped"])
        return None

    def _large_ordinal(self, match: re.Match[str]) -> int | None:
        self._doubt(*match.span(), _DOUBTFUL_FORMS["large_ordinal"])
        return None

    def _lettered(self, match: re.Match[str]) -> int | None:
        """ "Image A": a drawn label, or a name for a slot? Lower case "image a dog" is neither."""
        start, end = match.span("letter")
        letters = self.text[start:end]
        if letters.isupper() and letters not in ("I",):
            self._doubt(*match.span(), "the letter may be drawn in the image or stand for its place")
        return None

    def _placed(self, match: re.Match[str]) -> int | None:
        """ "the image on the left"."""
        side = match["side"]
        start, end = match.span()
        after = self.low[end : end + 4]
        if self.n != 2 or match["placed_s"] or side in ("top", "bottom") or after in (" of ", " or ", " and"):
            self._doubt(start, end, "left and right name an image only where there are two")
            return None
        part = side_part(self.text, *match.span("side"))
        self._add(start, end, [part], "image")
        return None

    def _relative(self, match: re.Match[str]) -> int | None:
        """ "the image after the second": remembered until the anchor has been read."""
        direction = match["direction"]
        if match["pronoun"] or direction not in ("before", "after", "preceding", "following"):
            at_noun = match["pronoun"] or grammar.TRIGGER.match(self.low, match.end())
            if at_noun:
                self._doubt(*match.span(), "it depends on which images are neighbours")
            return None
        self.relative = match
        return None

    def _ordinal(self, match: re.Match[str]) -> int | None:
        """ "the second image", "first and third pictures", "the last two", "the first one"."""
        noun = match["ordinal_noun"]
        if match["to_come"] or match["placeholder"]:
            self._doubt(*match.span(), "it may count what is not in the text")
            return None
        if noun:
            if noun not in _IMAGE_NOUNS and self._is_no_view(match):
                return match.end("ordinals")
            if match["modifier"]:
                return self._modified(match)
            return self._ordinal_with_noun(match, noun)
        if match["of"]:
            return self._ordinal_of_images(match)
        return self._ordinal_alone(match)

    # --- ordinals ----------------------------------------------------------------------------

    def _modified(self, match: re.Match[str]) -> int | None:
        """ "the first reference image": first of all, or first of the references?"""
        if match["modifier"] in ("glance", "place", "time", "person", "hand", "sight", "look", "step"):
            return match.end("modifier")
        if match["ordinal_noun"] in _IMAGE_NOUNS:
            if grammar.NEXT_WORD.match(self.low, match.end()) is None and self._number_follows(match.end()):
                return match.end("ordinals")  # "the second dog in … image 2" is read as a number
            side = all(word in OPPOSITE_SIDES for word in grammar.WORD.findall(match["ordinals"]))
            if not (side and self._is_no_side(match)):
                self._doubt(match.start(), match.end(), "it may count only some of the images")
        return match.end("ordinals")

    def _ordinal_with_noun(self, match: re.Match[str], noun: str) -> int | None:
        start, end = match.span("ordinal")
        plural = bool(match["ordinal_s"])
        if self._number_follows(end):  # "first image 2": the number is the name
            if "\n" not in self.low[match.end("ordinals") : end]:
                self._doubt(start, end, "an ordinal and a number")
            return match.end("ordinals")
        if grammar.FOLLOWED_BY_COMPOUND.match(self.low, end) and not (
            noun == "image" and self.low.startswith(" frame", end)
        ):
            return None
        before = self.low[max(0, start - 6) : start]
        if before.endswith(("every ", "each ", "any ")):
            self._doubt(start, end, "it may mean one of every so many images")
            return None
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
        """ "the second of the three images"."""
        start, end = match.span("ordinal")
        before = self.low[:start].split()[-1:]
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
        """ "the first one", "the second", "the latter two": images only by what was said before."""
        start, end = match.span("ordinal")
        words = grammar.WORD.findall(match["ordinals"])
        sides = [word for word in words if word in OPPOSITE_SIDES and word not in ("former", "latter")]
        if (sides or words == ["middle"]) and not match["one"]:
            return None  # "moving left", "on the right", "the middle of"
        has_article = self.low[max(0, start - 4) : start] == "the "
        whole = not self.low[:start].strip(" \t\n\"'(*.") or self.low[:start].strip() == "the"
        whole = whole and not self.low[end:].strip(" \t\n\"')*.!?")
        if not match["one"]:
            if not (has_article or whole) or is_noun_next(self.low, end):
                return None
            if self.low.startswith(" to ", end):  # "the first to arrive"
                return None
        if self.relative is not None and self.relative.end() == start:
            kind = "image"
        elif not whole:
            kind = antecedent(self.low, start, self.mentions)
        else:
            kind = "unknown"
        if kind == "other":
            return None
        if kind == "unknown" or self.low.startswith(" of ", end):
            self._doubt(start, end, "it may mean an image or something else")
            return None
        parts = self._ordinal_parts(match, plural=True)
        if parts is not None:
            self._add(start, end, parts, "")
        return None

    def _ordinal_parts(self, match: re.Match[str], plural: bool) -> list[Part] | None:
        """The parts of an ordinal list; ``None`` (perhaps with a doubt) where it names no slots."""
        start, end = match.span("ordinals")
        words = match["ordinals"]
        if match["count"]:
            return self._group_parts(match)
        if words in ("former", "latter") and not self._may_count_slots(match):
            return None
        if not match["more_ordinals"]:
            items = [ordinal_part(self.text, start, end, self.n)]
        else:
            items = [ordinal_part(self.text, *m.span(), self.n) for m in grammar.ORDINAL_ITEM.finditer(self.low, start, end)]
        if None in items:
            side = all(word in OPPOSITE_SIDES for word in grammar.WORD.findall(words) if word not in ("and", "or", "the"))
            if side and self._is_no_side(match):
                return None
            self._doubt(*match.span(), "sides and middles name an image only of two or three")
            return None
        found = [item for item in items if item is not None]
        if words in ("right", "right-hand") and "left" not in self.low and grammar.RIGHT_MEANS_CORRECT.search(
            self.low, 0, start
        ):  # fmt: skip
            self._doubt(*match.span(), "right may mean correct")
        if len(found) == 1 and not match["one"]:
            found = [self._with_article(found[0])]
        return self._with_ranges(found, plural)

    def _group_parts(self, match: re.Match[str]) -> list[Part] | None:
        """ "first two", "latter two", "last three"."""
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

    def _named_so_far(self) -> int:
        """How many images were named by now, those by "former" and "latter" not counted."""
        return sum(
            len(mention.slots)
            for mention in self.mentions
            if mention.parts[0].words.lower() not in ("former", "latter")
        )

    def _with_article(self, part: Part) -> Part:
        """The part together with an "a" or "an" before it, which has to agree."""
        if self.low[part.start - 1 : part.start] != " ":
            return part
        for article in ("a ", "an "):
            at = part.start - len(article)
            if self.low.startswith(article, max(at, 0)) and at >= 0 and not self.low[at - 1 : at].isalnum():
                if part.say in (say_ordinal, say_ordinal_digits):
                    return replace(part, start=at, words=self.text[at : part.end])
                self._doubt(at, part.end, "an article that fits no other image")
        return part

    def _is_no_side(self, match: re.Match[str]) -> bool:
        """Whether "left" is part of a place within one picture ("the bottom left figure")."""
        return match["ordinal_noun"] not in _IMAGE_NOUNS and self.low[: match.start()].rstrip().endswith(
            ("top", "bottom", "upper", "lower", "far")
        )

    def _is_no_view(self, match: re.Match[str]) -> bool:
        """Whether a noun such as "frame" or "figure" after an ordinal is surely no image."""
        if match["modifier"] or self.low[: match.start()].endswith("at "):
            return True  # "the second window frame", "at first view"
        if self._is_no_side(match):
            return True
        nested = grammar.FOLLOWED_BY_WHOLE.match(self.low, match.end())
        if nested and nested[1]:
            return True  # "the first panel of image 2"
        if nested:
            self._doubt(*match.span(), "it may be a part of an image")
        return False

    # --- numbers -----------------------------------------------------------------------------

    def _is_quantity(self, match: re.Match[str]) -> bool:
        """Whether the number belongs to what follows: "image 2 times larger", "image 3 x 3"."""
        end = match.end()
        if match["more"] or self.low[end : end + 1] in _ENDS_PHRASE:
            return False
        return grammar.FOLLOWED_BY_UNIT.match(self.low, end) is not None

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
        noun_next = word is not None and is_noun_next(self.low, end)
        if not noun_next or (plural and not is_noun_next(self.low, end, plural_only=True)):
            if not plural and word is not None and word[1] == "of":
                self._doubt(*match.span(), "the last number may count what follows")
            return items
        separator = self.low[items[-2].end : items[-1].start].strip()
        if separator == "," and is_noun_next(self.low, end, plural_only=True) and not plural:
            return items[:-1]
        self._doubt(*match.span(), "the last number may count what follows")
        return items

    def _with_ranges(self, items: list[Part], plural: bool) -> list[Part]:
        """The items with each "1-3" or "1 to 3" joined into one part."""
        if len(items) == 1:
            return items
        joined: list[Part] = []
        for index, item in enumerate(items):
            before = self.low[joined[-1].end : item.start] if joined else ""
            if not joined or not _RANGE_WORDS.fullmatch(bare := before.strip(" #(*)").removesuffix(" the")):
                joined.append(item)
                continue
            first, last = joined[-1].slots[0], item.slots[0]
            is_to = bare == "to"
            if not plural and (is_to or before != bare):
                if not (is_to and self._is_change(first, last, joined[-1].start)):
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
        return abs(first - last) == 1 or grammar.CHANGE.search(self.low, max(0, start - 60), start) is not None

    def _number_follows(self, at: int) -> bool:
        return self.low[at : at + 1] in _BEFORE_NUMBER and _NUMBER_NEXT.match(self.low, at) is not None

    # --- collecting --------------------------------------------------------------------------

    def _check_what_follows(self, start: int, end: int, noun: str, *, ordinal: bool) -> None:
        if self.low[end : end + 1] not in (" ", "-"):
            return
        follows = grammar.FOLLOWED_BY_OTHER_COUNT.match(self.low, end)
        if follows and not (self.n == 2 and grammar.FOLLOWED_BY_PAIR.match(self.low, end)):
            self._doubt(start, end, "it may be counted within something else, or from another side")
        total = grammar.FOLLOWED_BY_TOTAL.match(self.low, end)
        if total and number_value(total[1]) != self.n:
            self._doubt(start, end, "it counts only some of the images")

    def _add(self, start: int, end: int, parts: list[Part], noun: str) -> None:
        """Keeps a mention, unless it labels a bare placeholder or has a number no image has."""
        slots = parts[0].slots if len(parts) == 1 else tuple([s for part in parts for s in part.slots])
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
        """ "image after the second one" as one part that names the third image."""
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

    def _doubt(self, start: int, end: int, reason: str) -> None:
        self.doubts.append(Doubt((start, end), reason))

    # --- the text as a whole -----------------------------------------------------------------

    def _check_whole_text(self) -> None:
        self._check_views()
        for mention in self.mentions:
            if max(mention.slots) >= self.n or min(mention.slots) < 0:
                self._doubt(*mention.span, f"there are only {self.n} images")
        if self.n > 2:
            for left, right in itertools.pairwise(self.mentions):
                if right.span[0] - left.span[1] < 20:
                    self._check_range(left, right)
        if self.parenthesised:
            numbers = _PARENTHESISED.findall(self.low)
            if len(numbers) > sum(self.low[: at].endswith("(") for at in self.parenthesised) and not any(
                len(mention.slots) > 1 for mention in self.mentions
            ):
                self._doubt(self.parenthesised[0], self.parenthesised[0] + 1, "it may number a sub-question")
        if not self.mentions and "respectively" in self.low and (
            found := grammar.PLURAL_IMAGE_NOUN.search(self.low)
        ):  # fmt: skip
            self._doubt(*found.span(), "the answer goes through the images in their order")

    def _check_views(self) -> None:
        """Drops "panel 3", "the first chart" … where they are no images; doubts what may be either."""
        views = [mention for mention in self.mentions if mention.noun and mention.noun not in _IMAGE_NOUNS]
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
        if mention.noun not in _IMAGE_NOUNS:
            return False
        start, end = mention.span
        if self.low[start - 1 : start] != "<" or self.low[end : end + 1] != ">":
            return True
        words = grammar.WORD.findall(self.low, max(0, start - 12), start)
        return bool(words) and words[-1] in ("in", "of", "on", "from", "than", "to", "with", "and", "or")

    def _check_range(self, left: Mention, right: Mention) -> None:
        """Doubts "image 1 to image 3" where it may mean the images between as well."""
        between = _BETWEEN_MENTIONS.fullmatch(self.low, left.span[1], right.span[0])
        if between and not (
            between[1] in ("to", "until")
            and self._is_change(left.slots[-1], right.slots[0], left.span[0])
        ):
            self._doubt(left.span[0], right.span[1], "a range or a change")


_HANDLERS = {
    form: getattr(Parser, f"_{form}")
    for form in (
        "numbered", "odd_number", "indexed", "lettered", "placed", "relative",
        "vague", "grouped", "large_ordinal", "ordinal",
    )
}  # fmt: skip


def _lower(text: str) -> str:
    """Lower case, letter by letter, so that places in both texts correspond."""
    low = text.lower()
    if len(low) == len(text):
        return low
    return "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in text)
