"""What the players hand to the learners: whole groups, ragged, each picture held once an order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from ray.rllib.core.learner.training_data import TrainingData

from agents.engines.base import Prompt
from agents.group_filter import DropReason
from agents.order_schedule import GroupPlan
from perl_env.question import Order


@dataclass(frozen=True)
class OrderRollouts:
    """The replies to one question in one order.

    Attributes:
        order: in which the pictures were shown.
        prompt: pictures and text, held once for all replies.
        token_ids: of each reply, int64 [T].
        logprobs: of each reply under the sampler, float32 [T].
        advantages: float32 [replies].
    """

    order: Order
    prompt: Prompt
    token_ids: tuple[np.ndarray, ...]
    logprobs: tuple[np.ndarray, ...]
    advantages: np.ndarray


@dataclass(frozen=True)
class Group:
    """All rollouts of one question.

    Attributes:
        plan: what was asked for.
        order_class: of the question.
        rewards: float64 [R], in the sequence of the rollouts.
        correct: bool [R].
        drop_reason: why it is not learned from; None if it is.
        orders: its rollouts by order; empty for a dropped group.
    """

    plan: GroupPlan
    order_class: str
    rewards: np.ndarray
    correct: np.ndarray
    drop_reason: DropReason | None = None
    orders: tuple[OrderRollouts, ...] = ()

    @cached_property
    def num_replies(self) -> int:
        """How many replies it holds."""
        return sum(len(order.token_ids) for order in self.orders)

    @cached_property
    def num_tokens(self) -> int:
        """How many reply tokens it holds."""
        return sum(len(ids) for order in self.orders for ids in order.token_ids)


@dataclass
class GroupTrainingData(TrainingData):
    """The groups of one training step, already split into minibatches.

    The driver splits, not the learners: so every optimizer update is made from the same groups,
    whatever the number of learners.
    """

    minibatches: list[list[Group]] = field(default_factory=list)

    def validate(self) -> None:
        """Called by RLlib; anything may be trained on, even nothing (an idle learner's share)."""

    def solve_refs(self) -> None:
        """Called by RLlib; there are no references."""

    def shard(
        self, num_shards: int, len_lookback_buffer: int | None = None, **kwargs
    ) -> list[tuple[TrainingData, dict]]:
        """Each learner's share of each minibatch; groups stay whole."""
        shares = [balanced(minibatch, num_shards) for minibatch in self.minibatches]
        return [
            (GroupTrainingData(minibatches=[share[learner] for share in shares]), {})
            for learner in range(num_shards)
        ]


def balanced(groups: Sequence[Group], num_shards: int) -> list[list[Group]]:
    """``groups`` over shards of about equal numbers of reply tokens, largest first."""
    shards: list[list[Group]] = [[] for _ in range(num_shards)]
    loads = [0] * num_shards
    for group in sorted(groups, key=lambda group: -group.num_tokens):
        lightest = loads.index(min(loads))
        shards[lightest].append(group)
        loads[lightest] += group.num_tokens
    return shards


def split_minibatches(
    groups: Sequence[Group], count: int, rng: np.random.Generator
) -> list[list[Group]]:
    """``groups`` in ``count`` minibatches of nearly equal size, drawn at random; none is empty."""
    parts = np.array_split(rng.permutation(len(groups)), min(count, len(groups)))
    return [[groups[i] for i in sorted(part)] for part in parts]
