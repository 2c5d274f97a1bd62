from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.orders import balanced_orders
from evals.plan import make_plan, order_generator
from perl_env.errors import InputError
from perl_env.order_algebra import identity
from perl_env.permutation import movable_slots, permute
from perl_env.question import Question

GREY = np.zeros((2, 2, 3), dtype=np.uint8)


def question(n: int, pinned: tuple[int, ...] = (), order_class: str = "invariant") -> Question:
    return Question((GREY,) * n, "What?", "a", order_class=order_class, pinned=pinned, key="q")


@given(st.integers(1, 9), st.integers(1, 40), st.integers(0, 99), st.data())
def test_every_picture_visits_every_slot_equally_often(n: int, k: int, seed: int, data) -> None:
    pinned = tuple(sorted(data.draw(st.sets(st.integers(0, n - 1), max_size=n))))
    asked = question(n, pinned)
    orders = balanced_orders(asked, k, np.random.default_rng(seed))
    slots = movable_slots(asked)
    total = math.factorial(len(slots))
    assert orders[0] == identity(n)
    assert len(orders) == len(set(orders)) == min(k, total)
    for picture in slots:
        visits = Counter(order.index(picture) for order in orders)
        counts = [visits[slot] for slot in slots]
        assert set(visits) <= set(slots)
        assert max(counts) - min(counts) <= 1
    for order in orders:
        permute(asked, order)  # legal, or an error


@given(st.integers(2, 5), st.integers(1, 3), st.integers(0, 9))
def test_whole_blocks_are_balanced_exactly(n: int, blocks: int, seed: int) -> None:
    orders = balanced_orders(question(n), n * min(blocks, math.factorial(n - 1)), np.random.default_rng(seed))  # fmt: skip
    for picture in range(n):
        assert len(set(Counter(order.index(picture) for order in orders).values())) == 1
        assert {order.index(picture) for order in orders} == set(range(n))


def test_over_questions_every_slot_comes_as_often() -> None:
    rng = np.random.default_rng(0)
    seen = Counter(balanced_orders(question(4), 2, rng)[1] for _ in range(4000))
    # every picture moves in each: the 9 of 24 orders that keep none in its place
    assert len(seen) == 9
    for slot in range(1, 4):
        assert abs(sum(n for order, n in seen.items() if order[slot] == 0) - 4000 / 3) < 120


def test_fixed_questions_have_one_order() -> None:
    assert balanced_orders(question(3, order_class="layout"), 6, np.random.default_rng(0)) == (
        (0, 1, 2),
    )
    with pytest.raises(InputError, match="too few orders"):
        balanced_orders(question(2), 0, np.random.default_rng(0))


def test_the_plan_asks_a_question_in_all_its_orders_before_the_next() -> None:
    """So that an engine can reuse what it has computed of the question's pictures and text."""
    questions = [
        Question((GREY,) * 4, f"What {i}?", "a", key=f"q{i}", order_class="invariant")
        for i in range(5)
    ]
    plan = make_plan(questions, orders=6, repeats=2, seed=3)
    keys = [request.key for request in plan.requests]
    assert keys == sorted(keys)
    assert all(request.repeats == (0, 1) for request in plan.requests)
    for i in range(5):
        orders = tuple(r.question.order for r in plan.requests if r.key == f"q{i}")
        assert orders == balanced_orders(questions[i], 6, order_generator(3, f"q{i}"))
