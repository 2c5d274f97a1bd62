"""In which orders a question is asked: every picture stands in every slot equally often.

Were orders drawn at random, the gold would stand in some slots more often than in others, and a model's
taste for a slot would pass for knowledge, or for its lack. So the orders come in blocks in which every
picture visits every slot exactly once, as in a Latin square.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from perl_env.errors import InputError
from perl_env.order_algebra import compose, identity
from perl_env.permutation import count_orders, movable_slots
from perl_env.question import Order, Question


def balanced_orders(question: Question, k: int, rng: np.random.Generator) -> tuple[Order, ...]:
    """At most ``k`` distinct legal orders, the identity first, balanced over slots.

    All legal orders where there are no more than ``k``. Else blocks of m orders, m being the number of
    pictures that may move: a random cycle of all m, applied 0 to m − 1 times, brings every picture to
    every slot once, and so does every coset of these orders. The last block may be cut: then the visits
    of a picture to two slots differ by at most one. This holds for every picture, so it does not matter
    whether the gold denotes one, or which.

    The orders depend on the generator and the question's shape alone, not on who is asked.

    Raises:
        InputError: ``k`` is less than 1.
    """
    if k < 1:
        raise InputError("too few orders asked for", where="k", expected="at least 1", got=k)
    slots, n = movable_slots(question), len(question.images)
    if count_orders(question) <= k:
        permuted = itertools.permutations(slots)
        return (
            tuple(_placed(slots, sources, n) for sources in permuted) if slots else (identity(n),)
        )
    m = len(slots)
    cycle = rng.permutation(m)
    turn = tuple(int(cycle[(np.flatnonzero(cycle == slot)[0] + 1) % m]) for slot in range(m))
    turns = list(itertools.accumulate(range(m - 1), lambda order, _: compose(order, turn), initial=identity(m)))  # fmt: skip
    turns = [turns[0], *(turns[i] for i in 1 + rng.permutation(m - 1))]  # the last block may be cut
    orders: dict[Order, None] = {}
    for first in _cosets(turns, math.ceil(k / m), rng):
        for order in [compose(first, each) for each in turns]:
            if len(orders) < k:
                orders[order] = None
    return tuple(_placed(slots, [slots[i] for i in order], n) for order in orders)


def _cosets(turns: list[Order], wanted: int, rng: np.random.Generator) -> list[Order]:
    """One order of each of several different cosets of the cyclic group, the identity's first."""
    m = len(turns)
    found = [identity(m)]
    seen = {_name(found[0], turns)}
    while len(found) < wanted:
        order = tuple(int(slot) for slot in rng.permutation(m))
        name = _name(order, turns)
        if name not in seen:
            seen.add(name)
            found.append(order)
    return found


def _name(order: Order, turns: list[Order]) -> Order:
    """The same for every member of a coset."""
    return min(compose(order, each) for each in turns)


def _placed(slots: tuple[int, ...], sources: tuple[int, ...] | list[int], n: int) -> Order:
    order = list(range(n))
    for slot, source in zip(slots, sources, strict=True):
        order[slot] = source
    return tuple(order)
