"""Replies as arrays question × order × repeat, and the choices of several replies among them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

#: More choices of replies than this are not all looked at, but so many of them, drawn once for all.
MAX_CHOICES = 720


@dataclass(frozen=True, eq=False)
class ReplyBlock:
    """The replies to questions that were asked in equally many orders, equally often.

    Attributes:
        questions: int64 [Q], which questions.
        rows: int64 [Q, K, R], which reply answers question q in its k-th order for the r-th time.
    """

    questions: np.ndarray
    rows: np.ndarray


def reply_blocks(question: np.ndarray, order: np.ndarray, repeat: np.ndarray) -> list[ReplyBlock]:
    """N replies as blocks; of a question's orders, each counts as often as the one asked least.

    Args:
        question: int64 [N], dense codes.
        order: int64 [N], dense codes of (question, order).
        repeat: int64 [N], by which the replies to one order are sorted.
    """
    if not len(question):
        return []
    rows = np.lexsort((repeat, order, question))
    asked = np.bincount(order)
    question_of_order = np.zeros(len(asked), dtype=np.int64)
    question_of_order[order] = question
    repeats = np.full(int(question.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(repeats, question_of_order, asked)
    orders = np.bincount(question_of_order, minlength=len(repeats))
    first_row = np.zeros(len(asked), dtype=np.int64)
    codes, where = np.unique(order[rows], return_index=True)
    first_row[codes] = where
    rank = np.arange(len(rows)) - first_row[order[rows]]
    rows = rows[rank < repeats[question[rows]]]
    blocks = []
    for k, r in sorted(set(zip(orders.tolist(), repeats.tolist(), strict=True))):
        members = np.flatnonzero((orders == k) & (repeats == r))
        inside = rows[np.isin(question[rows], members)]
        blocks.append(ReplyBlock(members, inside.reshape(len(members), k, r)))
    return blocks


Choice = tuple[tuple[int, int], ...]


@cache
def choices_across_orders(orders: int, repeats: int) -> tuple[Choice, ...]:
    """Choices of m = min(K, R) replies to m *different* orders, as (order, repeat) pairs."""
    m = min(orders, repeats)
    total = math.comb(orders, m) * repeats**m

    def all_of_them() -> Iterator[Choice]:
        for chosen in itertools.combinations(range(orders), m):
            for again in itertools.product(range(repeats), repeat=m):
                yield tuple(zip(chosen, again, strict=True))

    if total <= MAX_CHOICES:
        return tuple(all_of_them())
    rng = np.random.default_rng([orders, repeats])
    return tuple(
        tuple(zip(rng.permutation(orders)[:m].tolist(), rng.integers(0, repeats, m).tolist(), strict=True))
        for _ in range(MAX_CHOICES)
    )  # fmt: skip


@cache
def choices_within_orders(orders: int, repeats: int) -> tuple[Choice, ...]:
    """Choices of m = min(K, R) replies to *one* order, as (order, repeat) pairs."""
    m = min(orders, repeats)
    if orders * math.comb(repeats, m) <= MAX_CHOICES:
        return tuple(
            tuple((order, repeat) for repeat in chosen)
            for order in range(orders)
            for chosen in itertools.combinations(range(repeats), m)
        )
    rng = np.random.default_rng([orders, repeats, 1])
    return tuple(
        tuple((i % orders, repeat) for repeat in rng.permutation(repeats)[:m].tolist())
        for i in range(MAX_CHOICES)
    )
