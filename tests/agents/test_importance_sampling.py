"""Weights of the mismatch between engine and learner, worked out by hand and in the learner's gradient."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents.importance_sampling import LEVELS, check_setting, policy_ratios, truncated_weights
from perl_env.errors import InputError
from tests.agents.conftest import learner_of, played, tiny_config

#: Probabilities of two replies, the second one token shorter: by the learner, and by the engine.
LEARNER = torch.tensor([[0.5, 0.4, 0.3], [0.2, 0.9, 1.0]]).log()
ENGINE = torch.tensor([[0.25, 0.5, 0.1], [0.4, 0.3, 1.0]]).log()
MASK = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]])


def test_token_weights_by_hand():
    weights = truncated_weights(LEARNER, ENGINE, MASK, "token", cap=2.5)
    # 0.5/0.25, 0.4/0.5, 0.3/0.1 = 3 capped; 0.2/0.4, 0.9/0.3 = 3 capped, padding.
    torch.testing.assert_close(weights, torch.tensor([[2.0, 0.8, 2.5], [0.5, 2.5, 1.0]]))


def test_sequence_weights_by_hand():
    weights = truncated_weights(LEARNER, ENGINE, MASK, "sequence", cap=2.0)
    # 2 * 0.8 * 3 = 4.8 capped; 0.5 * 3 = 1.5.
    torch.testing.assert_close(weights, torch.tensor([[2.0, 2.0, 2.0], [1.5, 1.5, 1.0]]))


@given(
    st.integers(1, 3), st.integers(1, 5), st.sampled_from(LEVELS), st.floats(1.0, 5.0),
    st.integers(0, 2**31),
)  # fmt: skip
def test_laws(replies, tokens, level, cap, seed):
    rng = np.random.default_rng(seed)
    old, engine = (torch.from_numpy(-rng.exponential(3, (replies, tokens))) for _ in range(2))
    mask = torch.ones(replies, tokens)
    weights = truncated_weights(old, engine, mask, level, cap)
    assert weights.shape == (replies, tokens)
    assert (weights > 0).all()
    assert weights.max() <= cap * (1 + 1e-6)
    assert torch.equal(truncated_weights(old, old, mask, level, cap), torch.ones_like(mask))
    if tokens == 1:
        torch.testing.assert_close(weights, truncated_weights(old, engine, mask, "token", cap))


def test_a_long_reply_does_not_overflow():
    shape = (1, 4000)
    weights = truncated_weights(
        torch.full(shape, -0.1), torch.full(shape, -2.0), torch.ones(shape), "sequence", 2.0
    )
    torch.testing.assert_close(weights, torch.full(shape, 2.0))


def test_which_policy_is_the_old_one():
    new = (LEARNER * MASK).requires_grad_()
    sampler, recomputed = ENGINE * MASK, LEARNER + math.log(2)
    off = policy_ratios(new, recomputed, sampler, MASK, False, 2.0)
    assert torch.equal(off.old_logprobs, sampler)
    assert torch.equal(off.weights, torch.ones_like(MASK))
    only_update = policy_ratios(new, None, sampler, MASK, "token", 9.0)
    assert torch.equal(only_update.old_logprobs, new.detach())
    assert not only_update.old_logprobs.requires_grad
    assert not only_update.weights.requires_grad
    later = policy_ratios(new, recomputed, sampler, MASK, "token", 9.0)
    assert torch.equal(later.old_logprobs, recomputed * MASK)
    torch.testing.assert_close((later.weights / only_update.weights)[:, :2], 2 * MASK[:, :2])


@pytest.mark.parametrize(
    ("level", "cap"), [("tokens", 2.0), (None, 2.0), ("token", 0.5), ("token", "2"), (True, 2.0)]
)
def test_settings_that_cannot_work(level, cap):
    with pytest.raises(InputError, match="importance_sampling"):
        check_setting(level, cap)


# ------------------------------------------------------------------------------- in the learner


def shifted(groups, amount):
    """The same rollouts, as if the engine had found each token less likely by ``exp(amount)``."""
    return [
        dataclasses.replace(
            group,
            orders=tuple(
                dataclasses.replace(
                    order, logprobs=tuple(logprobs - amount for logprobs in order.logprobs)
                )
                for order in group.orders
            ),
        )
        for group in groups
    ]


def updated(build, model, amount, minibatches=1, **training):
    """Figures of one step on rollouts that the engine reports shifted."""
    from agents.training_data import GroupTrainingData

    algorithm = build(tiny_config(model, minibatches=minibatches, **training))
    groups = shifted(played(algorithm), amount)
    halves = [groups[: len(groups) // 2], groups[len(groups) // 2 :]]
    data = GroupTrainingData(minibatches=[groups] if minibatches == 1 else halves)
    learner = learner_of(algorithm)
    learner.update(training_data=data)
    return learner


def gradient(learner):
    return torch.cat([p.grad.flatten() for p in learner._params.values() if p.grad is not None])


@pytest.mark.slow
@pytest.mark.usefixtures("ray_session")
def test_the_gradient_is_weighted_and_the_weight_is_truncated(tiny_model, build):
    plain, half, cut, off = (
        gradient(updated(build, tiny_model, amount, grad_clip=None, **training))
        for amount, training in (
            (0.0, {}),
            (math.log(1.5), {}),
            (math.log(5.0), {}),
            (math.log(5.0), {"importance_sampling": False}),
        )
    )
    assert plain.norm() > 0
    torch.testing.assert_close(half, 1.5 * plain, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(cut, 2.0 * plain, rtol=1e-3, atol=1e-6)
    # Without the old policy a mismatch looks like a step of the policy, and clipping drops gradients.
    assert not torch.allclose(off, cut, rtol=0.1, atol=1e-4)


@pytest.mark.slow
@pytest.mark.usefixtures("ray_session")
def test_later_updates_of_a_step_are_compared_with_the_old_policy(tiny_model, build):
    """Two minibatches, twice: the policy has moved, the drift is still that of the rollouts."""
    learner = updated(
        build, tiny_model, math.log(1.25), minibatches=2, epochs=2, lr=1e-2, micro_batch_tokens=150
    )
    figures = learner._drift.figures()
    assert abs(figures["sampler_logprob_difference_max"] - math.log(1.25)) < 1e-4
    assert abs(figures["sampler_importance_ratio"] - 1.25) < 1e-4
