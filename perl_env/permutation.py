"""Orders of a question's images, and the question asked in another order.

``permute`` is a group action on questions. With ``compose(a, b)[j] == a[b[j]]``:

* ``permute(q, identity)`` equals ``q``;
* ``permute(permute(q, a), b)`` equals ``permute(q, compose(a, b))``;
* ``permute(permute(q, a), inverse(a))`` equals ``q``.

The laws hold by construction: a permuted question remembers its canonical one, and every text is
rewritten from the canonical text in one pass, never from an earlier rewriting.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from perl_env.errors import IllegalOrderError, InputError, UnsoundRewriteError
from perl_env.index_lists import parse_index_list, rewrite_index_list
from perl_env.order_algebra import compose, identity
from perl_env.order_class import FIXED_CLASSES, OrderClass
from perl_env.question import LETTERS, Order, Question
from perl_env.references import (
    mentioned_slots,
    parse_references,
    parse_slot,
    rewrite_around_options,
    rewrite_references,
    rewrite_slot_name,
)

#: "2 and 3", "only 2"
_BARE_NUMBERS = re.compile(
    r"\s*(?:only |both )?\d{1,2}(?:(?:,? and|,? or|,| ?&) ?\d{1,2})*\s*\.?", re.IGNORECASE
)


def as_order(order: Sequence[int], n: int, where: str = "order") -> Order:
    """``order`` as a tuple of ints, checked to be a permutation of ``range(n)``.

    Raises:
        InputError: it is none.
    """
    try:
        result = _slots(tuple(order))
    except (TypeError, ValueError):
        result = None
    if result is None or len(result) != n:
        raise InputError("order is no permutation", where=where,
                         expected=f"a permutation of 0..{n - 1}", got=order)  # fmt: skip
    return result


@lru_cache(maxsize=4096)
def _slots(order: tuple) -> Order | None:
    """The order as ints; ``None`` where it is none."""
    slots = tuple([int(slot) for slot in order])
    return slots if sorted(slots) == list(range(len(slots))) else None


def movable_slots(question: Question) -> tuple[int, ...]:
    """The slots whose images an order may move, by the question's order class and pins."""
    if question.order_class in FIXED_CLASSES:
        return ()
    slots = tuple(range(len(question.images)))
    pinned = question.pinned
    return tuple([slot for slot in slots if slot not in pinned]) if pinned else slots


def count_orders(question: Question) -> int:
    """How many orders, the identity included, are legal for the question."""
    return math.factorial(len(movable_slots(question)))


def sample_orders(question: Question, k: int, rng: np.random.Generator) -> tuple[Order, ...]:
    """At most ``k`` distinct legal orders, the identity first, the others uniform without replacement.

    Fewer than ``k`` come back where the question has fewer legal orders.
    """
    if k < 1:
        raise InputError("too few orders asked for", where="k", expected="at least 1", got=k)
    slots, n = movable_slots(question), len(question.images)
    total = math.factorial(len(slots))
    if total <= 720 and k * 2 >= total:  # few enough to list, and many of them wanted
        others = [
            o for p in itertools.permutations(slots) if (o := _place(slots, p, n)) != identity(n)
        ]
        picked = rng.permutation(len(others))[: k - 1]
        return (identity(n), *(others[i] for i in picked))
    orders = {identity(n): None}
    while len(orders) < min(k, total):
        orders[_place(slots, rng.permutation(slots).tolist(), n)] = None
    return tuple(orders)


def random_order(question: Question, rng: np.random.Generator) -> Order:
    """One legal order, all of them (the identity too) equally likely."""
    slots = movable_slots(question)
    return _place(slots, rng.permutation(slots).tolist(), len(question.images))


def _place(slots: Sequence[int], permuted: Sequence[int], n: int) -> Order:
    order = list(range(n))
    for slot, source in zip(slots, permuted, strict=True):
        order[slot] = int(source)
    return tuple(order)


def permute(question: Question, order: Sequence[int]) -> Question:
    """The same question with ``permuted.images[j] == question.images[order[j]]``.

    Text, options and gold are rewritten so that the question keeps its meaning and the gold still
    denotes the same picture or fact.

    Raises:
        InputError: ``order`` is no permutation of the images.
        IllegalOrderError: it moves an image that the order class or a pin holds in place.
        UnsoundRewriteError: the text mentions images in a way that cannot be rewritten safely.
    """
    order = as_order(order, len(question.images))
    if question.pinned or question.order_class in FIXED_CLASSES:
        _check_legal(question, order, movable_slots(question))
    canonical = question.canonical
    if canonical is None:
        canonical, combined = question, order
    else:
        combined = compose(question.order, order)
    if combined == identity(len(combined)):
        return canonical
    return _rewritten(canonical, combined)


def _check_legal(question: Question, order: Order, movable: tuple[int, ...]) -> None:
    for slot, source in enumerate(order):
        if slot != source and slot not in movable:
            raise IllegalOrderError(f"order moves image {slot + 1} of a question of class {question.order_class}",
                                    where="order", expected=f"only slots {movable} to move", got=order)  # fmt: skip


def _rewritten(canonical: Question, order: Order) -> Question:
    """``canonical`` in ``order``. Its parts are valid already, so validation is not repeated."""
    text, options, answer = canonical.text, canonical.options, canonical.answer
    match canonical.order_class:
        case OrderClass.IMAGE_OPTIONS:
            text = rewrite_around_options(text, order, canonical.option_slots)
            answer = _moved_letter(canonical, order)
        case OrderClass.INDEX_LIST:
            text = _rewrite(text, order)
            options = _rewrite_lists(options, canonical, order)
            answer = answer if options else _rewrite_list_or_text(answer, canonical, order)
        case OrderClass.SLOT_NAMING:
            text = _rewrite(text, order)
            if options:
                options = _rewrite_names(options, order)
            else:
                answer = _rewrite_gold_name(answer, order)
        case OrderClass.REFERENTIAL | OrderClass.TEMPORAL:
            text = _rewrite(text, order)
            options = _rewrite_each(options, order)
    permuted = object.__new__(Question)
    permuted.__dict__.update(
        canonical.__dict__, images=tuple([canonical.images[slot] for slot in order]),
        text=text, options=options, answer=answer, canonical=canonical, order=order,
    )  # fmt: skip
    return permuted


def _rewrite(text: str, order: Order) -> str:
    """``rewrite_references`` for an order that is known to be one, and not the identity."""
    return parse_references(text, len(order)).moved(order)


def _moved_letter(canonical: Question, order: Order) -> str:
    """The letter whose slot now holds the picture that the canonical gold letter denotes."""
    gold_slot = canonical.option_slots[LETTERS.index(canonical.answer)]
    return LETTERS[canonical.option_slots.index(order.index(gold_slot))]


def _rewrite_names(options: tuple[str, ...], order: Order) -> tuple[str, ...]:
    """Options of which at least one has to name an image: letters alone may or may not do so.

    Raises:
        UnsoundRewriteError: none does.
    """
    rewritten = tuple([rewrite_slot_name(option, order) for option in options])
    if rewritten == options and not any(_names_image(option, len(order)) for option in options):
        raise UnsoundRewriteError("no option names an image", where="options",
                                  expected="such as 'Image 2'", got=list(options))  # fmt: skip
    _check_bare_numbers(options, rewritten)
    return rewritten


def _rewrite_each(options: tuple[str, ...], order: Order) -> tuple[str, ...]:
    """Options that may speak of images."""
    rewritten = tuple([_rewrite(option, order) for option in options])
    _check_bare_numbers(options, rewritten)
    return rewritten


def _check_bare_numbers(options: tuple[str, ...], rewritten: tuple[str, ...]) -> None:
    """Refuse "2 and 3" beside "Image 1 and 2": it may name images, too.

    Raises:
        UnsoundRewriteError: bare numbers were left while another option was rewritten.
    """
    if rewritten == options:
        return
    for before, after in zip(options, rewritten, strict=True):
        if before == after and _BARE_NUMBERS.fullmatch(before):
            raise UnsoundRewriteError("option may name images or be a number", where="options",
                                      expected="such as 'Image 2'", got=repr(before))  # fmt: skip


def _rewrite_lists(options: tuple[str, ...], canonical: Question, order: Order) -> tuple[str, ...]:
    """Options of which at least one has to be an index list or name images.

    Raises:
        UnsoundRewriteError: none is.
    """
    rewritten = tuple([_rewrite_list_or_text(option, canonical, order) for option in options])
    if options and rewritten == options and not any(
        parse_index_list(option) or _names_image(option, len(order)) for option in options
    ):  # fmt: skip
        raise UnsoundRewriteError("no option is an index list", where="options",
                                  expected="such as '3-1-2'", got=list(options))  # fmt: skip
    return rewritten


def _names_image(text: str, n_images: int) -> bool:
    return parse_slot(text, n_images) is not None or bool(mentioned_slots(text, n_images))


def _rewrite_gold_name(text: str, order: Order) -> str:
    """An open question's gold, which has to name an image.

    Raises:
        UnsoundRewriteError: it does not.
    """
    if not _names_image(text, len(order)):
        raise UnsoundRewriteError("gold answer names no image", where="answer",
                                  expected="such as 'Image 2'", got=repr(text))  # fmt: skip
    return rewrite_slot_name(text, order)


def _rewrite_list_or_text(text: str, canonical: Question, order: Order) -> str:
    if parse_index_list(text) is None:
        return rewrite_references(text, order)
    assert canonical.index_list is not None  # a Question of this class says which
    return rewrite_index_list(text, order, canonical.index_list, canonical.index_base)
