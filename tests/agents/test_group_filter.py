from __future__ import annotations

import numpy as np
import pytest

from agents.group_filter import DropReason, FilterCounts, GroupFilter
from perl_env.errors import InputError

RIGHT, WRONG = np.array([True, True]), np.array([False, False])
MIXED = np.array([True, False])


@pytest.mark.parametrize(
    ("rewards", "correct", "reason"),
    [
        ([1.0, 1.0], RIGHT, DropReason.ALL_RIGHT),
        ([0.1, 0.1], WRONG, DropReason.ALL_WRONG),
        ([0.5, 0.5], MIXED, DropReason.ALL_EQUAL),
        ([1.0, 0.9], RIGHT, None),
        ([1.0, 0.0], MIXED, None),
    ],
)
def test_groups_without_spread_are_dropped(rewards, correct, reason):
    assert GroupFilter.from_setting(True).drop_reason(np.array(rewards), correct) == reason
    assert GroupFilter.from_setting(False).drop_reason(np.array(rewards), correct) is None


def test_a_group_without_advantages_is_dropped():
    """One order always right, the other never: compared within an order nothing differs."""
    rewards, none = np.array([1.0, 0.0]), np.zeros(2)
    assert GroupFilter().drop_reason(rewards, MIXED, none) is DropReason.ALL_EQUAL
    assert GroupFilter().drop_reason(rewards, MIXED, np.array([1.0, -1.0])) is None
    assert GroupFilter(enabled=False).drop_reason(rewards, MIXED, none) is None


def test_range_of_mean_rewards():
    chosen = GroupFilter.from_setting([0.2, 0.6])
    assert chosen.drop_reason(np.array([1.0, 0.9]), RIGHT) is DropReason.OUT_OF_RANGE
    assert chosen.drop_reason(np.array([0.0, 0.2]), MIXED) is DropReason.OUT_OF_RANGE
    assert chosen.drop_reason(np.array([1.0, 0.1]), MIXED) is None
    assert chosen.drop_reason(np.array([0.4, 0.4]), WRONG) is DropReason.ALL_WRONG


@pytest.mark.parametrize("setting", [[0.5], [0.6, 0.2], "always", 3, None, [0.1, float("nan")]])
def test_unusable_settings(setting):
    with pytest.raises(InputError, match="filter_groups"):
        GroupFilter.from_setting(setting)


def test_counts_by_reason_and_order_class():
    counts = FilterCounts()
    counts.add("invariant", None)
    counts.add("invariant", DropReason.ALL_RIGHT)
    counts.add("layout", DropReason.ALL_WRONG)
    metrics = counts.metrics()
    assert metrics["groups_seen"] == 3
    assert metrics["groups_dropped"] == 2
    assert metrics["dropped_by_reason"] == {
        "all_right": 1, "all_wrong": 1, "all_equal": 0, "out_of_range": 0,
    }  # fmt: skip
    assert metrics["dropped_share_by_order_class"] == {"invariant": 0.5, "layout": 1.0}
