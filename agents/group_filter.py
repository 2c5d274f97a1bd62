"""Which groups are worth learning from: one whose rewards do not differ has no gradient."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from perl_env.errors import InputError

#: Rewards closer than this are the same.
_SAME_REWARD = 1e-8


class DropReason(StrEnum):
    """Why a group was left out of an update."""

    ALL_RIGHT = "all_right"  #: every reply was correct, and rewarded alike
    ALL_WRONG = "all_wrong"  #: no reply was correct, and all were rewarded alike
    ALL_EQUAL = "all_equal"  #: those compared were rewarded alike, though not all equally correct
    OUT_OF_RANGE = "out_of_range"  #: rewards differ, but their mean lies outside the range


@dataclass(frozen=True)
class GroupFilter:
    """The rule by which groups are kept. It filters online, as DAPO's dynamic sampling does.

    (PeRL itself filters once, before training, by the base model's accuracy, arXiv 2506.14907 §3.)

    Attributes:
        enabled: without it every group is kept.
        low: least mean reward of a group that is kept.
        high: greatest.

    >>> GroupFilter().drop_reason(np.array([1.0, 1.0]), np.array([True, True]))
    <DropReason.ALL_RIGHT: 'all_right'>
    >>> GroupFilter().drop_reason(np.array([1.0, 0.0]), np.array([True, False])) is None
    True
    """

    enabled: bool = True
    low: float = -np.inf
    high: float = np.inf

    @classmethod
    def from_setting(cls, setting: bool | Iterable[float]) -> GroupFilter:
        """From a configuration's value: False, True, or the two ends of a range of mean rewards.

        Raises:
            InputError: something else, or an empty range.
        """
        if isinstance(setting, bool):
            return cls(enabled=setting)
        try:
            low, high = (float(end) for end in setting)
        except (TypeError, ValueError):
            low, high = 1.0, 0.0
        if not low <= high:
            raise InputError("no usable range of mean rewards", where="filter_groups",
                             expected="true, false or [low, high]", got=setting)  # fmt: skip
        return cls(low=low, high=high)

    def drop_reason(
        self, rewards: np.ndarray, correct: np.ndarray, advantages: np.ndarray | None = None
    ) -> DropReason | None:
        """Why a group is dropped; None if it is kept.

        Args:
            rewards: [R].
            correct: bool [R].
            advantages: [R]; they may all be zero though rewards differ, where replies are only
                compared within their order.
        """
        if not self.enabled:
            return None
        if np.ptp(rewards) < _SAME_REWARD:
            if correct.all():
                return DropReason.ALL_RIGHT
            return DropReason.ALL_EQUAL if correct.any() else DropReason.ALL_WRONG
        if advantages is not None and not advantages.any():
            return DropReason.ALL_EQUAL
        return None if self.low <= rewards.mean() <= self.high else DropReason.OUT_OF_RANGE


@dataclass
class FilterCounts:
    """What the filter did during one step.

    Attributes:
        seen: number of groups by order class.
        dropped: number of dropped groups by (reason, order class).
        refill_rounds: how often fresh questions replaced dropped ones.
    """

    seen: Counter[str] = field(default_factory=Counter)
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    refill_rounds: int = 0

    def add(self, order_class: str, reason: DropReason | None) -> None:
        """Count one group."""
        self.seen[order_class] += 1
        if reason is not None:
            self.dropped[reason.value, order_class] += 1

    def metrics(self) -> dict[str, float | dict[str, float]]:
        """Figures to log: totals, drops by reason, and each order class's share of drops."""
        by_reason = {reason.value: 0 for reason in DropReason}
        by_class = dict.fromkeys(sorted(self.seen), 0)
        for (reason, order_class), count in self.dropped.items():
            by_reason[reason] += count
            by_class[order_class] += count
        return {
            "groups_seen": self.seen.total(),
            "groups_dropped": self.dropped.total(),
            "refill_rounds": self.refill_rounds,
            "dropped_by_reason": {name: float(count) for name, count in by_reason.items()},
            "dropped_share_by_order_class": {
                name: count / self.seen[name] for name, count in by_class.items()
            },
        }
