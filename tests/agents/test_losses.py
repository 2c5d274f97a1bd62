from __future__ import annotations

import numpy as np
import pytest
import torch

from agents.losses import (
    LOSS_KINDS,
    Totals,
    clipped_policy_loss,
    k3_divergence,
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
