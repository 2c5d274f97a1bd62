from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from agents.advantages import group_advantages
from perl_env.errors import InputError

REWARDS = arrays(np.float64, 12, elements=st.sampled_from([0.0, 0.1, 0.9, 1.0]))
ORDERS = np.repeat([0, 1, 2], 4)


@given(REWARDS, st.sampled_from(["question", "order"]), st.booleans())
def test_sum_is_zero_and_better_is_more(rewards, baseline, scale):
    advantages = group_advantages(rewards, ORDERS, baseline, scale)
    assert advantages.dtype == np.float32
    assert abs(advantages.sum()) < 1e-4
    for order in range(3):
        same = order == ORDERS
        by_reward = advantages[same][np.argsort(rewards[same], kind="stable")]
        assert (np.diff(by_reward) >= 0).all()


@given(REWARDS)
def test_question_baseline_pools_all_orders(rewards):
    pooled = group_advantages(rewards, ORDERS, "question")
    assert np.array_equal(pooled, group_advantages(rewards, np.zeros(12), "order"))
    if np.ptp(rewards) > 0:
        expected = (rewards - rewards.mean()) / (rewards.std(ddof=1) + 1e-6)
        assert np.allclose(pooled, expected, atol=1e-5)
        assert np.isclose(pooled.std(ddof=1), 1.0, atol=1e-4)


@given(st.floats(-5, 5), st.integers(1, 30))
def test_equal_rewards_have_no_advantage(value, count):
    assert not group_advantages(np.full(count, value), np.zeros(count), "question").any()
    assert not group_advantages(np.full(count, value), np.arange(count), "order").any()


def test_order_baseline_ignores_that_an_order_is_harder():
    rewards = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0])
    orders = np.repeat([0, 1], 4)
    easy, hard = np.split(group_advantages(rewards, orders, "order", scale=False), 2)
    assert easy.tolist() == [0.25, -0.75, 0.25, 0.25]
    assert hard.tolist() == [-0.25, -0.25, -0.25, 0.75]


def test_unknown_baseline():
    with pytest.raises(InputError, match="question, order"):
        group_advantages(np.zeros(2), np.zeros(2), "median")


def test_leaving_one_out_worked_out_by_hand():
    rewards, orders = np.array([1.0, 0.0, 0.0, 0.5]), np.array([0, 0, 1, 1])
    pooled = group_advantages(rewards, orders, "question", scale=False, leave_one_out=True)
    # 1 - 0.5/3, 0 - 1.5/3, 0 - 1.5/3, 0.5 - 1/3
    np.testing.assert_allclose(pooled, [5 / 6, -0.5, -0.5, 1 / 6], rtol=1e-6)
    apart = group_advantages(rewards, orders, "order", scale=False, leave_one_out=True)
    assert apart.tolist() == [1.0, -1.0, -0.5, 0.5]
    alone = group_advantages(rewards, np.arange(4), "order", scale=False, leave_one_out=True)
    assert not alone.any()


@given(REWARDS)
def test_leaving_one_out_compares_with_the_others_mean(rewards):
    found = group_advantages(rewards, ORDERS, "question", scale=False, leave_one_out=True)
    expected = [reward - np.delete(rewards, i).mean() for i, reward in enumerate(rewards)]
    np.testing.assert_allclose(found, expected, atol=1e-6)
