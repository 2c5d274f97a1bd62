"""A question over several images: data, immutable, compared by value."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from perl_env.errors import InputError
from perl_env.order_class import FIXED_CLASSES, OrderClass

LETTERS = string.ascii_uppercase
BARE_PLACEHOLDER = "<image>"

Order = tuple[int, ...]
Picture = np.ndarray | Image.Image


@dataclass(frozen=True, eq=False)
class Question:
    """Images, text, options and gold answer of one question.

    Attributes:
        images: the pictures in slot order, each a read-only uint8 array of shape (H, W, 3).
            PIL pictures and writable arrays are accepted and converted (arrays are not copied).
        text: the question. Images are named by their slot, counted from one ("image 2",
            "the first picture", ``<image_3>``).
        answer: the gold: an option's letter where there are options, else text, a number,
            an image ("Image 2") or a list of image numbers or ranks ("3, 1, 2").
        options: option texts without letters; empty for an open question.
        order_class: what a permutation does to the question.
        pinned: slots that no order may move. ``None`` asks for the class's own rule: none for the
            permutable classes; every slot that is no option for ``image-options``; all slots for
            ``temporal`` (a loader that states the order in the text passes ``()``).
        option_slots: for ``image-options``, the slot of each option's picture;
            by default the last ``len(options)`` slots.
        index_list: for ``index-list``, whether a list gives each picture's *rank* (entry j belongs
            to slot j) or the *sequence* of image numbers (entries are slots). Cannot be told from
            looks.
        index_base: the number that the lists use for their first image or rank.
        kind: sub-task, by which results are broken down.
        key: identifies the question within its data set.
        scoring: the rule by which replies are graded: "strict" (ours) or the name of a benchmark's
            published rule.
        facts: further columns of the question's row, as (name, text) pairs, that a published rule or
            aggregation needs.
        instruction: the last line of the prompt where the question's benchmark has its own; ``None``
            leaves it to who asks.
        canonical: for a permuted question, the question it was made from; else ``None``.
        order: the order in which this question shows its canonical's images.

    Raises:
        InputError: a picture that is none, a gold that is no option, a placeholder count that
            differs from the number of images, an option named twice, pinned slots out of range.

    >>> red, blue = np.full((8, 8, 3), (255, 0, 0), "uint8"), np.full((8, 8, 3), (0, 0, 255), "uint8")
    >>> Question((red, blue), "Which image is red?", "Image 1", order_class="slot-naming").order
    (0, 1)
    """

    images: tuple[np.ndarray, ...]
    text: str
    answer: str
    options: tuple[str, ...] = ()
    order_class: OrderClass = OrderClass.INVARIANT
    pinned: tuple[int, ...] | None = None
    option_slots: tuple[int, ...] = ()
    index_list: Literal["rank", "sequence"] | None = None
    index_base: int = 1
    kind: str = ""
    key: str = ""
    scoring: str = "strict"
    facts: tuple[tuple[str, str], ...] = ()
    instruction: str | None = None
    canonical: Question | None = None
    order: Order = ()

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "images", tuple(as_array(picture) for picture in self.images))
        put(self, "options", tuple(self.options))
        put(self, "facts", tuple((str(name), str(value)) for name, value in self.facts))
        put(self, "order_class", OrderClass(self.order_class))
        if not self.order:
            put(self, "order", tuple(range(len(self.images))))
        if self.order_class is OrderClass.IMAGE_OPTIONS and not self.option_slots:
            n = len(self.images)
            put(self, "option_slots", tuple(range(n - len(self.options), n)))
        put(self, "pinned", tuple(self._default_pinned() if self.pinned is None else self.pinned))
        self._validate()

    def _default_pinned(self) -> Sequence[int]:
        slots = range(len(self.images))
        if self.order_class is OrderClass.IMAGE_OPTIONS:
            return [slot for slot in slots if slot not in self.option_slots]
        if self.order_class in FIXED_CLASSES or self.order_class is OrderClass.TEMPORAL:
            return slots
        return ()

    def _validate(self) -> None:
        where = f"question {self.key!r}" if self.key else "question"
        slots = range(len(self.images))
        if not slots:
            raise InputError("question without images", where=where, expected="at least 1", got=0)
        if self.order_class is OrderClass.SINGLE and len(slots) > 1:
            raise InputError("too many images for order class 'single'", where=where,
                             expected=1, got=len(slots))  # fmt: skip
        bare = self.text.count(BARE_PLACEHOLDER)
        if bare not in (0, len(slots)):
            raise InputError(f"number of {BARE_PLACEHOLDER} differs from the number of images",
                             where=where, expected=len(slots), got=bare)  # fmt: skip
        if self.options:
            self._validate_options(where)
        if self.order_class is OrderClass.INDEX_LIST and self.index_list is None:
            raise InputError("index list of unknown meaning", where=f"{where}, index_list",
                             expected="'rank' or 'sequence'", got=None)  # fmt: skip
        for name in ("pinned", "option_slots"):
            for slot in getattr(self, name):
                if slot not in slots:
                    raise InputError("slot out of range", where=f"{where}, {name}",
                                     expected=f"0..{len(slots) - 1}", got=slot)  # fmt: skip
        if self.order_class is OrderClass.IMAGE_OPTIONS:
            self._validate_image_options(where)

    def _validate_image_options(self, where: str) -> None:
        if not self.options or len(self.option_slots) != len(self.options):
            raise InputError("image options do not match the option pictures", where=where,
                             expected=f"{len(self.options) or 'at least 1'} slots, one an option",
                             got=self.option_slots)  # fmt: skip
        if len(set(self.option_slots)) != len(self.option_slots):
            raise InputError("two options are the same picture", where=f"{where}, option_slots",
                             expected="distinct slots", got=self.option_slots)  # fmt: skip
        held = {*self.option_slots, *(self.pinned or ())}
        if len(held) != len(self.images):
            raise InputError("image that is no option could move among the options", where=f"{where}, pinned",
                             expected="every slot that is no option", got=self.pinned)  # fmt: skip

    def _validate_options(self, where: str) -> None:
        if self.order_class is OrderClass.MALFORMED:
            return
        letters = LETTERS[: len(self.options)]
        if len(self.options) > len(LETTERS):
            raise InputError("too many options", where=where, expected=f"at most {len(LETTERS)}",
                             got=len(self.options))  # fmt: skip
        if len(self.answer) != 1 or self.answer not in letters:
            raise InputError("gold answer is no option", where=where,
                             expected=f"one of {', '.join(letters)}", got=repr(self.answer))  # fmt: skip
        if len(set(self.options)) != len(self.options):
            raise InputError("two options are the same", where=where,
                             expected="distinct options", got=list(self.options))  # fmt: skip

    @property
    def is_canonical(self) -> bool:
        """Whether the images stand in their canonical order."""
        return self.order == tuple(range(len(self.images)))

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Question):
            return NotImplemented
        return self._value() == other._value() and all(
            a is b or np.array_equal(a, b) for a, b in zip(self.images, other.images, strict=True)
        )

    def __hash__(self) -> int:
        return hash(self._value())

    def _value(self) -> tuple:
        """Everything that makes up the question's value but the pixels."""
        return (
            self.text, self.answer, self.options, self.order_class, self.pinned,
            self.option_slots, self.index_list, self.index_base, self.kind, self.key,
            self.scoring, self.facts, self.instruction,
            tuple(image.shape for image in self.images),
        )  # fmt: skip

    def __repr__(self) -> str:
        name = f"{self.key!r}, " if self.key else ""
        return f"<Question {name}{self.order_class}, {len(self.images)} images: {self.text!r}>"


def as_array(picture: Picture) -> np.ndarray:
    """A read-only uint8 view (H, W, 3) of a picture; PIL pictures are converted to RGB.

    Raises:
        InputError: not a picture, or one without pixels.
    """
    if isinstance(picture, Image.Image):
        picture = np.asarray(picture.convert("RGB"))
    if not isinstance(picture, np.ndarray) or picture.dtype != np.uint8 or picture.ndim != 3:
        raise InputError("not a picture", expected="PIL picture or uint8 array (H, W, 3)",
                         got=_describe(picture))  # fmt: skip
    if picture.shape[2] != 3 or 0 in picture.shape:
        raise InputError("picture of unusable shape", expected="(H, W, 3), none of them zero",
                         got=picture.shape)  # fmt: skip
    if picture.flags.writeable:
        picture = picture.view()
        picture.flags.writeable = False
    return picture


def _describe(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"array of {value.dtype}, shape {value.shape}"
    return type(value).__name__
