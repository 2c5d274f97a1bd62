"""What another order of its images would do to a question, proposed by rules.

``classify`` looks at what is there: text, options, gold and the number of images. It is made so that
"safe to permute" can be believed. A question is certain to be so only where each of these holds: no
word hints at time, a page's layout, a part that an image plays or an ordinal that was not
understood; the class is told by words of its own (a mention, an answer that names an image, "in all
images"); and the question can in fact be asked in other orders. All others are for a person or a
labeller to decide, and are meant to be left out and counted until then.

>>> import numpy as np
>>> from perl_env.question import Question
>>> grey = np.zeros((2, 2, 3), "uint8")
>>> classify(Question((grey, grey), "How many dogs are there in both images?", "3"))
Classification(order_class=<OrderClass.INVARIANT: 'invariant'>, evidence=('both images',), certain=True, reason='it is about the images as a set')
>>> classify(Question((grey, grey), "What happens next?", "rain")).safe_to_permute
False
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from perl_env import order_words
from perl_env.errors import InputError
from perl_env.index_lists import parse_index_list
from perl_env.mentions.options import find_option_block
from perl_env.mentions.words import IMAGE_NOUNS
from perl_env.order_class import FIXED_CLASSES, OrderClass
from perl_env.permutation import movable_slots, permute
from perl_env.question import LETTERS, Order, Question
from perl_env.references import ReferenceText, parse_references, parse_slot
from perl_env.set_questions import set_words

_MAX_EVIDENCE = 6


@dataclass(frozen=True)
class Classification:
    """A proposed order class.

    Attributes:
        order_class: the class.
        evidence: the words on which it rests, or which raise the doubt.
        certain: whether the rules vouch for it; what is not certain is to be left out and counted.
        reason: why, in a few words.
    """

    order_class: OrderClass
    evidence: tuple[str, ...]
    certain: bool
    reason: str

    @property
    def safe_to_permute(self) -> bool:
        """Whether the rules vouch that the question, as ``order_class``, may be asked in other orders."""
        return (
            self.certain
            and self.order_class not in FIXED_CLASSES
            and self.order_class is not OrderClass.TEMPORAL
        )


def classify(question: Question) -> Classification:
    """The order class that a question's text, options, gold and number of images speak for.

    The question's own ``order_class`` is not looked at. Whether index lists are ranks or sequences
    cannot be told from looks: such a question is certain only where its ``index_list`` says which.
    """
    if len(question.images) == 1:
        return Classification(OrderClass.SINGLE, (), True, "it has one image")
    proposed = _Reader(question).classify()
    if proposed.safe_to_permute and (obstacle := _obstacle(question, proposed.order_class)):
        return replace(proposed, certain=False, reason=obstacle)
    return proposed


def _obstacle(question: Question, order_class: OrderClass) -> str:
    """Why the question cannot be asked in other orders as one of this class, or nothing."""
    try:
        candidate = replace(
            question.canonical or question, order_class=order_class, pinned=None, option_slots=()
        )
        for order in _trial_orders(candidate):
            permute(candidate, order)
    except InputError as error:
        return error.what
    return ""


def _trial_orders(question: Question) -> Iterator[Order]:
    """The images reversed, and each moved on by one: every image that can move does."""
    slots = movable_slots(question)
    for sources in dict.fromkeys((slots[::-1], (*slots[1:], *slots[:1]))):  # the same for two
        order = list(range(len(question.images)))
        for slot, source in zip(slots, sources, strict=True):
            order[slot] = source
        yield tuple(order)


class _Reader:
    """One pass over one question."""

    def __init__(self, question: Question):
        self.question = question
        self.n = len(question.images)
        self.text = parse_references(question.text, self.n)
        self.answers = question.options or (question.answer,)
        self.answer_texts = [parse_references(answer, self.n) for answer in self.answers]
        self.low = question.text.lower()
        self.text_rest = order_words.without_mentions(self.text)
        self.answer_rests = [order_words.without_mentions(parsed) for parsed in self.answer_texts]
        self.rest = " | ".join((self.text_rest, *self.answer_rests))

    def classify(self) -> Classification:
        """The first rule that applies."""
        rules = (
            self._index_lists, self._malformed, self._time, self._unsound, self._captions, self._layout,
            self._image_options, self._loose_words, self._slot_naming, self._referential, self._invariant,
        )  # fmt: skip
        for rule in rules:
            if (found := rule()) is not None:
                return found
        return self._unsure(OrderClass.INVARIANT, (), "no words tell what another order would do")

    # --- what is not safe --------------------------------------------------------------------

    def _malformed(self) -> Classification | None:
        for parsed in (self.text, *self.answer_texts):
            for mention in parsed.mentions:
                if not all(0 <= slot < self.n for slot in mention.slots):
                    return self._unsure(OrderClass.MALFORMED, (mention.words,), "no image has this number")  # fmt: skip
        letters = LETTERS[: len(self.question.options)]
        if letters and self.question.answer not in tuple(letters):
            return self._unsure(
                OrderClass.MALFORMED, (self.question.answer,), "the gold is no option"
            )
        return None

    def _time(self) -> Classification | None:
        words = order_words.found_words(order_words.TIME, self.rest)
        if not words:
            return None
        surely = order_words.found_words(order_words.SURELY_TIME, self.rest)
        if surely:
            return Classification(
                OrderClass.TEMPORAL, surely[:_MAX_EVIDENCE], True, "the images are an order in time"
            )
        return self._unsure(OrderClass.TEMPORAL, words, "the order may be one in time")

    def _unsound(self) -> Classification | None:
        doubts = [
            (parsed.text[slice(*doubt.span)], doubt.reason)
            for parsed in (self.text, *self._spoken_answers())
            for doubt in parsed.doubts
        ]
        if not doubts:
            return None
        words, reasons = zip(*doubts, strict=True)
        return self._unsure(OrderClass.REFERENTIAL, words, reasons[0])

    def _spoken_answers(self) -> list[ReferenceText]:
        """The answers that do not name an image as a whole: "second" alone is no doubtful sentence."""
        return [parsed for parsed in self.answer_texts if not self._names_image(parsed)]

    def _names_image(self, answer: ReferenceText) -> bool:
        """Whether an answer as a whole names an image."""
        return parse_slot(answer.text, self.n) is not None

    def _captions(self) -> Classification | None:
        captions = order_words.found_words(order_words.CAPTION, self.rest)
        loose = [name for name in captions if not order_words.is_bound(name, self.low)]
        if loose:
            return self._unsure(
                OrderClass.REFERENTIAL, loose, "a caption may stand for a place in the order"
            )
        return None

    def _layout(self) -> Classification | None:
        words = order_words.found_words(
            order_words.LAYOUT, order_words.without_places_in_picture(self.rest)
        )
        if words:
            return self._unsure(
                OrderClass.LAYOUT, words, "it may be a place on the page or in the order"
            )
        return None

    def _loose_words(self) -> Classification | None:
        """Ordinals and roles that no mention explains, and changes where not all images are named."""
        ordinals = order_words.found_words(order_words.LOOSE_ORDINAL, self._unnamed_rest())
        if ordinals:
            return self._unsure(OrderClass.REFERENTIAL, ordinals, "an ordinal of something unknown")
        roles = order_words.found_words(order_words.ROLE, self.rest)
        if roles and not self.text.mentions:
            return self._unsure(
                OrderClass.REFERENTIAL, roles, "only its place may tell which image it is"
            )
        changes = order_words.found_words(order_words.CHANGE, self.rest)
        if changes and len(self._named_in_prose()) < self.n:
            return self._unsure(
                OrderClass.TEMPORAL, changes, "it may be a change from one to the next"
            )
        return None

    # --- what may be safe --------------------------------------------------------------------

    def _index_lists(self) -> Classification | None:
        lists = [parse_index_list(answer) for answer in self.answers]
        asked = order_words.found_words(order_words.ASKS_FOR_ORDER, self.low)
        found = [values for values in lists if values is not None and len(values) > 1]
        if not found or not asked:
            return None
        evidence = (*asked[:2], *self.answers[:2])
        kind, base = self.question.index_list, self.question.index_base
        whole = set(range(base, base + self.n))
        if kind is None:
            return self._unsure(OrderClass.INDEX_LIST, evidence, "ranks and sequences look alike")
        if len(found) < len(lists) or any(
            set(values) != whole or len(values) != self.n for values in found
        ):
            return self._unsure(OrderClass.INDEX_LIST, evidence, "a list does not go through the images once")  # fmt: skip
        if self.text.doubts:
            return self._unsure(OrderClass.INDEX_LIST, evidence, self.text.doubts[0].reason)
        return Classification(
            OrderClass.INDEX_LIST, evidence, True, f"the answers are lists ({kind})"
        )

    def _image_options(self) -> Classification | None:
        options = self.question.options
        last = tuple(range(self.n - len(options), self.n))
        if not options or last[0] < 0:
            return None
        bare = all(order_words.BARE_LETTER.fullmatch(option) for option in options)
        if bare:
            block = find_option_block(self.question.text, last)
            if block is not None and block.labelled:
                words = (self.question.text[block.start : block.end],)
                return self._image_option_class(words, "the text binds letters to pictures")
            return self._unsure(
                OrderClass.IMAGE_OPTIONS, options, "letters may be drawn or stand for images"
            )
        named = tuple(parse_slot(option, self.n) for option in options)
        placeholders = all(order_words.PLACEHOLDER.fullmatch(option.strip()) for option in options)
        if named == last and (placeholders or order_words.OPTION_WORD.search(self.low)):
            return self._image_option_class(
                options, "the options are the last images in their order"
            )
        if placeholders:
            return self._unsure(
                OrderClass.IMAGE_OPTIONS, options, "the options are not the last images in order"
            )
        return None

    def _image_option_class(self, words: tuple[str, ...], reason: str) -> Classification:
        if (loose := self._loose_words()) is not None:
            return loose
        return Classification(OrderClass.IMAGE_OPTIONS, words[:_MAX_EVIDENCE], True, reason)

    def _slot_naming(self) -> Classification | None:
        """Options or an open answer that name images, as a whole."""
        asked = order_words.found_words(order_words.ASKS_FOR_IMAGE, self.low)
        named = [answer for answer in self.answers if parse_slot(answer, self.n) is not None]
        mentioning = [parsed for parsed in self.answer_texts if parsed.mentions]
        if not named:
            if asked and not mentioning and not self._answers_are_set_words():
                return self._unsure(
                    OrderClass.SLOT_NAMING, asked, "it asks for an image, and no answer names one"
                )
            return None
        if any(order_words.BARE_NUMBER.fullmatch(answer.strip()) for answer in named):
            if asked or order_words.found_words(order_words.ASKS_FOR_NUMBER_OF, self.low):
                return self._unsure(
                    OrderClass.SLOT_NAMING, named, "a number may be an image's or a count"
                )
            return None
        if any(order_words.BARE_SIDE.search(answer) for answer in named):
            return self._unsure(
                OrderClass.SLOT_NAMING, named, "a side may be an image or a direction"
            )
        others = [answer for answer in self.answers if answer not in named]
        if any(not order_words.SET_OPTION.fullmatch(answer.strip()) for answer in others):
            return self._unsure(
                OrderClass.SLOT_NAMING, others, "some answers name an image and some do not"
            )
        if (loose := self._image_left_out(named)) is not None:
            return loose
        shows = order_words.found_words(order_words.ASKS_WHAT_IMAGE_SHOWS, self.text_rest)
        places = order_words.found_words(order_words.PLACE_OF_IMAGE, self.low)
        if not shows or places:
            return self._unsure(
                OrderClass.SLOT_NAMING, places or asked, "it may ask for a place in the order"
            )
        nouned = all(order_words.IMAGE_WORD.search(answer.lower()) for answer in named)
        if not nouned and not asked:
            return self._unsure(
                OrderClass.SLOT_NAMING, named, "an ordinal may count something else"
            )
        return Classification(OrderClass.SLOT_NAMING, tuple(named[:_MAX_EVIDENCE]), True, "the answers name images")  # fmt: skip

    def _image_left_out(self, named: list[str]) -> Classification | None:
        """A relation to an image that neither the text nor the options name."""
        slots = {slot for answer in named if (slot := parse_slot(answer, self.n)) is not None}
        slots |= {slot for mention in self.text.mentions for slot in mention.slots}
        if self.question.options and len(slots) < self.n:
            return self._unsure(
                OrderClass.SLOT_NAMING, named, "an image is neither an option nor named"
            )
        if self.question.options or self.text.mentions:
            return None
        words = order_words.found_words(order_words.RELATION, self.rest) or order_words.found_words(
            order_words.SOME_IMAGE, self.rest
        )
        if words:
            return self._unsure(
                OrderClass.SLOT_NAMING, words, "a relation to an image that is not named"
            )
        return None

    def _answers_are_set_words(self) -> bool:
        return all(order_words.SET_OPTION.fullmatch(answer.strip()) for answer in self.answers)

    def _referential(self) -> Classification | None:
        """Mentions in prose, or placeholders that stand in different places of a sentence."""
        mentions = [
            mention for parsed in (self.text, *self.answer_texts) for mention in parsed.mentions
        ]
        if not mentions:
            return None
        words = tuple(dict.fromkeys(mention.words for mention in mentions))[:_MAX_EVIDENCE]
        views = [mention.words for mention in mentions if mention.noun not in (*IMAGE_NOUNS, "")]
        if views:
            return self._unsure(OrderClass.REFERENTIAL, views, "it may be a part of an image")
        if not self.question.options and self.answer_texts[0].mentions:
            return self._unsure(
                OrderClass.SLOT_NAMING, words, "the answer says more than which image"
            )
        if (
            not self.question.options
            and order_words.LISTED_NUMBERS.search(self.question.answer)
            and len(mentions) < 2
        ):
            return self._unsure(
                OrderClass.REFERENTIAL,
                (self.question.answer,),
                "the answer may go through the images",
            )
        if self._is_only_list_of_placeholders():
            return None
        return Classification(OrderClass.REFERENTIAL, words, True, "the text names images")

    def _is_only_list_of_placeholders(self) -> bool:
        """Whether the text's mentions only show the images one after the other: ``<image_1><image_2>``."""
        if any(parsed.mentions for parsed in self.answer_texts):
            return False
        return order_words.PLACEHOLDER_RUN.sub(" ", self.low).find("<image") < 0 and len(
            order_words.PLACEHOLDER.findall(self.low)
        ) == len(self.text.mentions)

    def _invariant(self) -> Classification | None:
        """A question of a form that is about the set of images, without a word that hints at an order."""
        truths = all(order_words.YES_NO.fullmatch(answer.strip()) for answer in self.answers)
        numbers = all(order_words.NUMBER.fullmatch(answer.strip()) for answer in self.answers)
        asked = self.text_rest
        words = set_words(asked, numbers=numbers, truths=truths)
        if not words:
            return None
        for doubtful, reason in (
            (order_words.CHANGE, "it may be a change from one to the next"),
            (order_words.RESPECTIVELY, "the answer may go through the images in their order"),
            (order_words.ROLE, "only its place may tell which image it is"),
            (order_words.SOME_IMAGE, "only its place may tell which image it is"),
            (order_words.COMPARISON, "a comparison has a direction"),
        ):
            if found := order_words.found_words(doubtful, self.rest):
                return self._unsure(OrderClass.INVARIANT, found, reason)
        if len(
            {tuple(sorted(order_words.WORD.findall(answer.lower()))) for answer in self.answers}
        ) < len(self.answers):
            return self._unsure(
                OrderClass.INVARIANT, self.answers, "the answers differ in the order of their words"
            )
        if found := order_words.found_words(order_words.PLACE_OF_IMAGE, self.rest):
            return self._unsure(OrderClass.INVARIANT, found, "it may speak of places in the order")
        if order_words.OTHERS.search(asked) and not truths:
            return self._unsure(
                OrderClass.INVARIANT, ("other",), "other than an image that is not named"
            )
        if not self.question.options and order_words.LISTED_NUMBERS.search(self.question.answer):
            return self._unsure(
                OrderClass.INVARIANT,
                (self.question.answer,),
                "the answer may go through the images",
            )
        return Classification(
            OrderClass.INVARIANT, words[:_MAX_EVIDENCE], True, "it is about the images as a set"
        )

    # --- helpers -----------------------------------------------------------------------------

    def _unsure(self, order_class: OrderClass, evidence, reason: str) -> Classification:
        return Classification(order_class, tuple(evidence)[:_MAX_EVIDENCE], False, reason)

    def _unnamed_rest(self) -> str:
        """The rest without answers that name an image as a whole."""
        spoken = [
            rest
            for parsed, rest in zip(self.answer_texts, self.answer_rests, strict=True)
            if not self._names_image(parsed)
        ]
        return " | ".join((self.text_rest, *spoken))

    def _named_in_prose(self) -> set[int]:
        """The slots that are mentioned by more than a run of placeholders that shows all of them."""
        if self._is_only_list_of_placeholders():
            return set()
        return {slot for mention in self.text.mentions for slot in mention.slots}
