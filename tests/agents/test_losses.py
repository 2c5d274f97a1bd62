from __future__ import annotations

import numpy as np
import pytest
import torch

from agents.losses import (
    LOSS_KINDS,
    Totals,
    clipped_policy_loss,
    k3_divergence,
    policy_loss,
    reply_weight,
    token_weights,
)
from perl_env.errors import InputError

#: Reply lengths of two groups.
GROUPS = [[3, 5, 1, 7], [2, 2, 8, 4]]
TOTALS = Totals(groups=2, replies=8, tokens=32)


def _weights(kind):
    return [
        reply_weight(kind, length, len(group), TOTALS, 10) for group in GROUPS for length in group
    ]


def test_grpo_is_the_mean_over_tokens_then_replies_then_groups():
    values = [torch.arange(float(length)) for group in GROUPS for length in group]
    by_weight = sum(w * v.sum() for w, v in zip(_weights("grpo"), values, strict=True))
    means = torch.stack([v.mean() for v in values]).reshape(2, 4)
    assert torch.isclose(by_weight, means.mean(dim=1).mean())


def test_dapo_is_the_mean_over_all_tokens():
    assert _weights("dapo") == [1 / 32] * 8


def test_dr_grpo_does_not_depend_on_length():
    assert _weights("dr_grpo") == [1 / 80] * 8


def test_all_kinds_are_told_and_others_refused():
    for kind in LOSS_KINDS:
        assert reply_weight(kind, 4, 4, TOTALS, 10) > 0
    with pytest.raises(InputError, match="dr_grpo"):
        reply_weight("ppo", 4, 4, TOTALS, 10)


@pytest.mark.parametrize("advantage", [2.0, -2.0])
@pytest.mark.parametrize("ratio", [0.5, 0.79, 0.9, 1.0, 1.2, 1.29, 1.4])
def test_clipping_takes_the_gradient_only_where_it_would_go_further(advantage, ratio):
    logprob = torch.tensor([[np.log(ratio)]], dtype=torch.float64, requires_grad=True)
    old = torch.zeros(1, 1, dtype=torch.float64)
    result = clipped_policy_loss(logprob, old, torch.tensor([advantage]), 0.2, 0.3)
    result.loss.sum().backward()
    outside = (advantage > 0 and ratio > 1.3) or (advantage < 0 and ratio < 0.8)
    assert (logprob.grad.item() == 0) == outside
    assert bool(result.clipped_low | result.clipped_high) == outside
    if not outside:
        assert np.isclose(logprob.grad.item(), -ratio * advantage)
        assert np.isclose(result.loss.item(), -ratio * advantage)


def test_k3_is_an_estimate_of_the_divergence():
    rng = np.random.default_rng(0)
    policy = torch.log_softmax(torch.from_numpy(rng.normal(size=6)), 0)
    reference = torch.log_softmax(torch.from_numpy(rng.normal(size=6)), 0)
    estimates = k3_divergence(policy, reference)
    exact = (policy.exp() * (policy - reference)).sum()
    assert (estimates >= 0).all()
    assert torch.isclose((policy.exp() * estimates).sum(), exact)
    assert not k3_divergence(policy, policy).any()


def test_weights_are_zero_at_padding():
    mask = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    weights = token_weights(np.array([0.5, 0.25]), mask)
    assert weights.tolist() == [[0.5, 0.5, 0.0], [0.25, 0.0, 0.0]]


# Two replies worked out by hand: log-probabilities 0 under the policy that learns, so that the ratio of a
# token is one over its old probability. Advantages 2 and -1; ratios are clipped to 0.8 … 1.25.


def _by_hand(kind):
    old = -torch.log(torch.tensor([[2.0, 1.0, 0.5], [1.0, 4.0, 1.0]], dtype=torch.float64))
    mask = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]], dtype=torch.float64)
    logprobs = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    advantages = torch.tensor([2.0, -1.0], dtype=torch.float64)
    result = policy_loss(kind, logprobs, old, advantages, mask, 0.2, 0.25)
    gradient = torch.autograd.grad((result.loss * mask).sum(), logprobs)[0]
    return (result.loss.detach() * mask).tolist(), gradient.tolist(), result


def test_tokens_clipped_one_by_one_worked_out_by_hand():
    for kind in ("grpo", "dr_grpo", "dapo"):
        loss, gradient, _ = _by_hand(kind)
        # first: -min(2·2, 1.25·2), -min(1·2, …), -min(0.5·2, 0.8·2); second: -min(-1, -1), -min(-4, -1.25)
        assert loss == [[-2.5, -2.0, -1.0], [1.0, 4.0, 0.0]]
        assert gradient == [[0.0, -2.0, -1.0], [1.0, 4.0, 0.0]]


def test_whole_replies_clipped_by_gspo_worked_out_by_hand():
    loss, gradient, result = _by_hand("gspo")
    # The geometric mean of 2, 1 and 0.5 is 1: nothing is clipped. That of 1 and 4 is 2: its advantage is
    # negative, so that the larger, unclipped loss counts: -min(2 · -1, 1.25 · -1).
    np.testing.assert_allclose(result.ratio[:, 0].detach(), [1.0, 2.0])
    np.testing.assert_allclose(loss, [[-2.0, -2.0, -2.0], [2.0, 2.0, 0.0]])
    # Each token carries the whole reply's ratio, of which it holds one in so many: 3 · 2 / 3 and 2 · 2 / 2.
    np.testing.assert_allclose(gradient, [[-2.0, -2.0, -2.0], [2.0, 2.0, 0.0]])


def test_a_reply_beyond_the_bound_has_no_gradient_in_gspo():
    logprobs = torch.log(torch.tensor([[4.0, 1.0]])).requires_grad_()
    old, mask = torch.zeros(1, 2), torch.ones(1, 2)
    result = policy_loss("gspo", logprobs, old, torch.tensor([1.0]), mask, 0.2, 0.25)
    np.testing.assert_allclose(result.loss.detach(), [[-1.25, -1.25]])
    result.loss.sum().backward()
    assert not logprobs.grad.any()


def test_clipped_weights_of_cispo_worked_out_by_hand():
    loss, gradient, result = _by_hand("cispo")
    assert loss == [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]  # log-probabilities are 0
    # No token loses its gradient: its weight is the clipped ratio, times the advantage.
    np.testing.assert_allclose(gradient, [[-2.5, -2.0, -1.6], [1.0, 1.25, 0.0]])
    assert result.clipped_high.tolist() == [[True, False, False], [False, True, False]]
    assert result.clipped_low.tolist() == [[False, False, True], [False, False, False]]


def test_gspo_is_normalised_as_grpo_and_cispo_as_dapo():
    assert _weights("gspo") == _weights("grpo")
    assert _weights("cispo") == _weights("dapo")
