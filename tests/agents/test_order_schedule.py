from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.order_schedule import GroupPlan, OrderSchedule, order_probability, spread
from perl_env.errors import InputError
from perl_env.question import Question


def _question(pictures: int, order_class: str = "invariant") -> Question:
    images = tuple(np.full((4, 4, 3), i, np.uint8) for i in range(pictures))
    return Question(images, "How many?", "2", order_class=order_class)


def test_linear_decay_is_the_papers():
    course = [order_probability("linear", 1.0, step, 10) for step in range(12)]
    assert np.allclose(course, [1 - step / 10 for step in range(10)] + [0, 0])
    assert order_probability("constant", 0.3, 99) == 0.3


@pytest.mark.parametrize(("kind", "total"), [("cosine", 10), ("linear", None), ("linear", 0)])
def test_unusable_schedules(kind, total):
    with pytest.raises(InputError):
        OrderSchedule(5, seed=0, kind=kind, total_steps=total)


@given(st.integers(1, 40), st.integers(0, 5), st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_every_question_once_an_epoch_however_it_is_drawn(num_questions, seed, counts):
    together = OrderSchedule(num_questions, seed).next_groups(sum(counts), 0)
    schedule = OrderSchedule(num_questions, seed)
    apart = [plan for count in counts for plan in schedule.next_groups(count, 0)]
    assert apart == together
    for start in range(0, len(together) - num_questions + 1, num_questions):
        epoch = together[start : start + num_questions]
        assert sorted(plan.question_index for plan in epoch) == list(range(num_questions))


def test_epochs_and_seeds_differ():
    first, second = (
        [p.question_index for p in OrderSchedule(50, 0).next_groups(100, 0)[i : i + 50]]
        for i in (0, 50)
    )
    other = [p.question_index for p in OrderSchedule(50, 1).next_groups(50, 0)]
    assert first != second
    assert first != other


def test_state_continues_the_stream():
    schedule = OrderSchedule(7, seed=3)
    schedule.next_groups(9, 0)
    state, expected = schedule.get_state(), schedule.next_groups(9, 1)
    fresh = OrderSchedule(7, seed=99)
    fresh.set_state(state)
    assert fresh.next_groups(9, 1) == expected
    with pytest.raises(InputError, match="questions have changed"):
        OrderSchedule(8, seed=3).set_state(state)


@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 6))
def test_orders_are_legal_distinct_and_start_canonically(counter, pictures, wanted):
    plan = GroupPlan(counter, 0, 0, 1.0, seed=5)
    question = _question(pictures, "single" if pictures == 1 else "invariant")
    orders = plan.draw_orders(question, wanted)
    assert orders[0] == tuple(range(pictures))
    assert len(set(orders)) == len(orders) <= wanted
    assert orders == plan.draw_orders(question, wanted)
    assert all(sorted(order) == list(range(pictures)) for order in orders)


def test_orders_differ_from_step_to_step():
    """The released code of PeRL gave every question with as many images the same permutation."""
    question = _question(4)
    seen = {GroupPlan(c, 0, 0, 1.0, seed=0).draw_orders(question, 2)[1] for c in range(400)}
    assert len(seen) == 23


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_probability_of_other_orders(probability):
    question, drawn = _question(3), 2000
    permuted = sum(
        len(GroupPlan(c, 0, 0, probability, seed=0).draw_orders(question, 2)) > 1
        for c in range(drawn)
    )
    assert abs(permuted / drawn - probability) < 0.04
    assert permuted in (0, drawn) or 0 < probability < 1


def test_a_fixed_question_keeps_its_canonical_order():
    assert GroupPlan(0, 0, 0, 1.0, 0).draw_orders(_question(3, "layout"), 4) == ((0, 1, 2),)


def test_sampling_seeds_are_distinct():
    seeds = {
        GroupPlan(c, 0, 0, 1.0, s).sampling_seed(p)
        for c in range(30)
        for p in range(4)
        for s in (0, 1)
    }
    assert len(seeds) == 240


@given(st.integers(1, 60), st.integers(1, 9))
def test_spread_keeps_the_total(total, parts):
    shares = spread(total, parts)
    assert sum(shares) == total
    assert max(shares) - min(shares) <= 1
