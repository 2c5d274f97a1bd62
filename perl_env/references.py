"""Mentions of images in a text, and the text for the images in another order.

A question that says "the second image" has to say "the first image" when that picture moves to the
front. ``rewrite_references`` renames all mentions at once, so that a swap does not undo itself, and
keeps the style of each: ``<image_2>``, ``Image #2``, ``images 1-3``, "the 2nd and last photo", "the
left image" (of two). The rules it follows:

* What is surely a mention is rewritten, what surely is none ("the first quadrant") stays.
* What cannot be told, or cannot be said of another order ("the next image", "the second image from
  the left", a number that no image has), raises ``UnsoundRewriteError``.
* Nouns that need not be images ("the second panel", "frame 3", "the first chart") are mentions only
  where the text does not speak of single images as well. ``Figure 2``, ``Chart 1`` and the like are
  captions and stay; so do bare ``<image>`` placeholders, labels in front of them, letters and options.
* "the first one" and "the second" are mentions where the closest preceding countable noun is an image.

>>> rewrite_references("Is the first image brighter than image 3?", (2, 0, 1))
'Is the second image brighter than image 1?'
>>> rewrite_references("In images 1-3, which card in the second row is red?", (0, 2, 1))
'In images 1, 3 and 2, which card in the second row is red?'
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from perl_env.errors import InputError, UnsoundRewriteError, shorten
from perl_env.mentions.grammar import IMAGE, NUMBERED, ORDINAL, VIEW
from perl_env.mentions.options import find_option_block, letters_beside_pictures
from perl_env.mentions.parser import Parser
from perl_env.mentions.parts import Doubt, Mention, Part, number_part, ordinal_part
from perl_env.mentions.words import NUMBER_VALUES
from perl_env.order_algebra import inverse
from perl_env.question import Order


@dataclass(frozen=True, init=False)
class ReferenceText:
    """A text with the mentions of images that were found in it.

    Attributes:
        text: the text.
        n_images: how many images it is about.
        mentions: the mentions, in the order of the text.
        doubts: what makes rewriting unsound; ``render`` raises if there is any.
    """

    text: str
    n_images: int
    mentions: tuple[Mention, ...]
    doubts: tuple[Doubt, ...]
    _parts: tuple[Part, ...] = field(repr=False, compare=False)
    _between: tuple[str, ...] = field(repr=False, compare=False)

    def __init__(
        self, text: str, n_images: int, mentions: tuple[Mention, ...], doubts: tuple[Doubt, ...]
    ):
        at = 0
        parts: list[Part] = []
        between: list[str] = []
        for mention in mentions:
            parts += mention.parts
        for part in parts:
            between.append(text[at : part.start])
            at = part.end
        between.append(text[at:])
        # frozen for others; several times as fast as object.__setattr__
        self.__dict__.update(
            text=text, n_images=n_images, mentions=mentions, doubts=doubts,
            _parts=tuple(parts), _between=tuple(between),
        )  # fmt: skip

    @property
    def mentioned(self) -> frozenset[int]:
        """The slots that are mentioned."""
        return frozenset(slot for mention in self.mentions for slot in mention.slots)

    def render(self, order: Order) -> str:
        """The text for the images in ``order`` (new image j is the old image ``order[j]``).

        Raises:
            UnsoundRewriteError: the text cannot be rewritten safely; never for the identity.
            InputError: ``order`` is no permutation of the images.
        """
        n = self.n_images
        if order == tuple(range(n)):
            return self.text
        if sorted(order) != list(range(n)):
            raise InputError("order is no permutation", where="order",
                             expected=f"a permutation of 0..{n - 1}", got=order)  # fmt: skip
        return self.moved(tuple(order))

    def moved(self, order: Order) -> str:
        """``render`` for what is known to be an order that moves an image.

        Raises:
            UnsoundRewriteError: the text cannot be rewritten safely.
        """
        if self.doubts:
            raise self._unsound()
        if not self._parts:
            return self.text
        new_slot = inverse(order)
        pieces: list[str] = []
        for before, (_, _, slots, words, say) in zip(self._between, self._parts, strict=False):
            moved = (
                (new_slot[slots[0]],)
                if len(slots) == 1
                else tuple([new_slot[slot] for slot in slots])
            )
            pieces += before, say(moved, words, self.n_images)
        return "".join(pieces) + self._between[-1]

    def _unsound(self) -> UnsoundRewriteError:
        doubt = self.doubts[0]
        start, end = doubt.span
        return UnsoundRewriteError(f"text cannot be rewritten safely: {doubt.reason}",
                                   where=repr(shorten(self.text, 80)),
                                   expected="mentions that name images by number or ordinal",
                                   got=repr(self.text[start:end]))  # fmt: skip


def rewrite_references(text: str, order: Order) -> str:
    """``text`` with every mention of image slot ``s`` (from zero) naming slot ``order.index(s)``.

    Raises:
        UnsoundRewriteError: a mention cannot be understood or said safely. The identity never raises.
        InputError: ``order`` is no permutation.

    >>> rewrite_references("the SECOND image, then <image_1>", (1, 0))
    'the FIRST image, then <image_2>'
    """
    order = tuple(order)
    return parse_references(text, len(order)).render(order)


def rewrite_around_options(text: str, order: Order, option_slots: tuple[int, ...]) -> str:
    """``text`` for ``order``, with the stretch that binds letters to option pictures left as it is.

    For questions whose options are images: a letter stays with its slot, the pictures move under it.

    Raises:
        UnsoundRewriteError: the text binds letters to other slots, or cannot be rewritten safely.

    >>> rewrite_around_options("Is image 3 like <image_1>? A. <image_2> B. <image_3>", (0, 2, 1), (1, 2))
    'Is image 2 like <image_1>? A. <image_2> B. <image_3>'
    """
    if order == tuple(range(len(order))):
        return text
    block = find_option_block(text, option_slots)
    start, end = (len(text), len(text)) if block is None else (block.start, block.end)
    beside = letters_beside_pictures(text[:start]) or letters_beside_pictures(text[end:])
    if beside:
        raise UnsoundRewriteError("text binds letters to other pictures than the options", where=repr(shorten(text, 80)),
                                  expected=f"the slots {option_slots} in the order of their letters", got=repr(beside))  # fmt: skip
    if block is not None and not block.labelled and "respectively" in text.lower():
        raise UnsoundRewriteError("text may bind the option pictures to words in their order", where=repr(shorten(text, 80)),
                                  expected="no 'respectively' beside the options", got="'respectively'")  # fmt: skip
    return (
        rewrite_references(text[:start], order)
        + text[start:end]
        + rewrite_references(text[end:], order)
    )


@lru_cache(maxsize=8192)
def parse_references(text: str, n_images: int) -> ReferenceText:
    """The mentions of ``n_images`` images in ``text``. Cached; parses anything, raises nothing.

    >>> [mention.words for mention in parse_references("Does <image_1> show what the last image shows?", 3).mentions]
    ['image_1', 'last image']
    """
    return ReferenceText(text, n_images, *Parser(text, n_images).parse())


def mentioned_slots(text: str, n_images: int) -> frozenset[int]:
    """The slots (from zero) that ``text`` mentions.

    >>> sorted(mentioned_slots("Is image 2 the last image?", 3))
    [1, 2]
    """
    return parse_references(text, n_images).mentioned


_SURROUNDINGS = " \t\r\n.,;:!?\"'`*()[]{}<>“”‘’"
_SLOT = re.compile(
    rf"""(?:the\s+)?(?:
    (?:(?:{NUMBERED})(?:\s*|[-_]))?(?:no\.?\s|number\s|[#№(])?\s?(?P<number>\d{{1,3}}|{"|".join(NUMBER_VALUES)})
    |(?P<ordinal>{ORDINAL})(?:\s+(?:{VIEW}|one))?
    |(?:(?:{IMAGE}|one)\s+)?(?:on|to|at)\s+the\s+(?P<side>left|right)(?:\s+side)?
    )""",
    re.VERBOSE,
)


def parse_slot(text: str, n_images: int) -> int | None:
    """The slot (from zero) that a whole short text names; ``None`` where it names none or several.

    For replies and options that consist of nothing else: a bare "2" counts as image 2 here.

    >>> [parse_slot(text, 3) for text in ("Image 2", "the last one", "2nd", "Picture #2.", "4", "red")]
    [1, 2, 1, 1, None, None]
    """
    part = _slot_part(text, n_images)
    return None if part is None else part.slots[0]


def rewrite_slot_name(text: str, order: Order) -> str:
    """A whole short text that names one slot ("2", "the second one"), naming its new slot.

    For answers and options that are known to name images: ``rewrite_references`` leaves a bare
    number alone, because it may be a count, and raises on a bare "second".

    Raises:
        UnsoundRewriteError: it names no one slot and cannot be rewritten safely as a sentence.

    >>> rewrite_slot_name("2.", (1, 0)), rewrite_slot_name("The second one", (1, 0))
    ('1.', 'The first one')
    """
    order = tuple(order)
    part = _slot_part(text, len(order))
    if part is None:
        return rewrite_references(text, order)
    slot = order.index(part.slots[0])
    if slot == part.slots[0]:
        return text
    said = part.say((slot,), part.words, len(order))
    return text[: part.start] + said + text[part.end :]


@lru_cache(maxsize=8192)
def _slot_part(text: str, n_images: int) -> Part | None:
    """The number or ordinal by which a whole text names one slot."""
    if len(text) > 60:
        return None
    inner = text.strip(_SURROUNDINGS)
    match = _SLOT.fullmatch(inner.lower()) if inner else None
    if match is None:
        return None
    name = match.lastgroup or ""
    start, end = (text.index(inner) + at for at in match.span(name))
    part = (
        number_part(text, start, end)
        if name == "number"
        else ordinal_part(text, start, end, n_images)
    )
    return part if part is not None and 0 <= part.slots[0] < n_images else None
