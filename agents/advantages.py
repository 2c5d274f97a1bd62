"""Advantages within a group: each reply is compared with the other replies to the same question."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from perl_env.errors import InputError

Baseline = Literal["question", "order"]
BASELINES: tuple[str, ...] = get_args(Baseline)

#: Rewards that differ by less than this are the same: a mean of equal floats may be off by rounding.
_SAME_REWARD = 1e-8
#: Added to the standard deviation, as PeRL's released code does.
_EPSILON = 1e-6


def group_advantages(
    rewards: np.ndarray,
    orders: np.ndarray,
    baseline: Baseline = "question",
    scale: bool = True,
    leave_one_out: bool = False,
) -> np.ndarray:
    """How much better each reply of one group was than the replies it is compared with.

    Args:
        rewards: [R], the rewards of all replies to all orders of one question.
        orders: [R], which order of the question each reply answered.
        baseline: "question" pools mean and standard deviation over all orders (PeRL, arXiv
            2506.14907, equations 4 and 5); "order" compares only replies to the same order.
        scale: whether to divide by the standard deviation (of the sample, as in PeRL's code). Without
            it questions of middling difficulty weigh more (Dr. GRPO, arXiv 2503.20783).
        leave_one_out: compare each reply with the mean of the others, without itself (RLOO, arXiv
            2402.14740, equation 8): the policy gradient is then without bias. A reply that has no
            other to be compared with has no advantage.

    Returns:
        float32 [R]; zeros where the compared rewards do not differ.

    Raises:
        InputError: an unknown baseline.

    >>> rewards, orders = np.array([1.0, 1.0, 0.0, 0.0]), np.array([0, 0, 1, 1])
    >>> group_advantages(rewards, orders, "question", scale=False).tolist()
    [0.5, 0.5, -0.5, -0.5]
    >>> group_advantages(rewards, orders, "order").tolist()
    [0.0, 0.0, 0.0, 0.0]
    """
    rewards = np.asarray(rewards, dtype=np.float64)
    if baseline == "question":
        return _standardised(rewards, scale, leave_one_out)
    if baseline != "order":
        raise InputError("unknown baseline", where="advantage_baseline",
                         expected=f"one of {', '.join(BASELINES)}", got=baseline)  # fmt: skip
    advantages = np.zeros(len(rewards), dtype=np.float32)
    for order in np.unique(orders):
        same = np.asarray(orders) == order
        advantages[same] = _standardised(rewards[same], scale, leave_one_out)
    return advantages


def _standardised(rewards: np.ndarray, scale: bool, leave_one_out: bool) -> np.ndarray:
    if np.ptp(rewards) < _SAME_REWARD:
        return np.zeros(len(rewards), dtype=np.float32)
    centred = rewards - rewards.mean()
    if leave_one_out:  # reward minus the others' mean is n / (n - 1) of reward minus all's mean
        centred = centred * len(rewards) / (len(rewards) - 1)
    if scale:
        centred = centred / (rewards.std(ddof=1) + _EPSILON)
    return centred.astype(np.float32)
