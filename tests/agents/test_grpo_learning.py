"""GRPO in one process: the gradient is the formula's, however it is put together."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agents.learner import GRPOTorchLearner
from agents.losses import LOSS_KINDS
from agents.training_data import GroupTrainingData, split_minibatches
from tests.agents.conftest import largest_gap, learner_of, played, tiny_config, weights_of

pytestmark = pytest.mark.usefixtures("ray_session")


@pytest.mark.slow
def test_micro_batches_change_nothing(tiny_model, build):
    results = []
    for size in (64, 7, 1):
        config = tiny_config(tiny_model, micro_batch_tokens=size, kl_coefficient=0.1, lr=3e-5)
        algorithm = build(config)
        results.append((algorithm.train(), weights_of(algorithm)))
    (first, expected), *others = results
    for result, weights in others:
        for name in ("loss", "entropy", "grad_norm", "tokens"):
            assert np.isclose(
                result["learners"]["default_policy"][name],
                first["learners"]["default_policy"][name], rtol=1e-3, atol=1e-6,
            ), name  # fmt: skip
        assert largest_gap(weights, expected) < 1e-5


@pytest.mark.parametrize("loss", LOSS_KINDS)
def test_gradient_is_that_of_the_formula(tiny_model, build, loss):
    """The accumulated gradient against the loss written down in one line, over whole groups."""
    algorithm = build(
        tiny_config(tiny_model, loss=loss, micro_batch_tokens=300, lr=0.0, grad_clip=None)
    )
    groups = played(algorithm, 3)
    learner = learner_of(algorithm)
    learner.update(training_data=GroupTrainingData(minibatches=[groups]))
    model = learner._model
    got = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    _written_down(learner, groups, loss).backward()
    scale = max(p.grad.abs().max() for p in model.parameters() if p.grad is not None)
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            assert torch.allclose(got[name], parameter.grad, atol=float(1e-4 * scale)), name


def _written_down(learner, groups, loss):
    """On policy the ratio is one, so the gradient is that of -advantage * log-probability."""
    from agents.collate import collate, rows_of
    from agents.logprobs import reply_logprobs
    from agents.losses import Totals

    prompts = [order.prompt for group in groups for order in group.orders]
    encoded = learner._processor.encode_many(prompts)
    rows = rows_of(groups, encoded, Totals(1, 1, 1), "dapo", 1)
    batch = collate(rows, learner._processor, 1.0, torch.device("cpu"))
    mask = batch.replies.reply_mask
    terms = (
        -batch.advantages[:, None]
        * reply_logprobs(learner._model, batch.replies)["logprobs"]
        * mask
    )
    if loss in ("grpo", "gspo"):  # groups are of one size, so the mean of means is the mean
        return (terms.sum(dim=1) / mask.sum(dim=1)).mean()
    if loss == "dr_grpo":
        return terms.sum() / (len(terms) * learner.config.max_new_tokens)
    return terms.sum() / mask.sum()


def test_a_policy_at_its_reference_has_no_divergence(tiny_model, build):
    algorithm = build(tiny_config(tiny_model, kl_coefficient=0.5, lr=0.0))
    assert abs(algorithm.train()["learners"]["default_policy"]["kl_to_reference"]) < 1e-6
    assert learner_of(build(tiny_config(tiny_model)))._reference is None


@pytest.mark.slow
def test_divergence_holds_the_policy_back(tiny_model, build):
    gaps = []
    for coefficient in (1e-6, 20.0):
        algorithm = build(tiny_config(tiny_model, kl_coefficient=coefficient, minibatches=2))
        for _ in range(6):
            result = algorithm.train()
        gaps.append(result["learners"]["default_policy"]["kl_to_reference"])
    assert gaps[1] < gaps[0] / 2


def test_minibatches_hold_every_group_once(tiny_model, build):
    groups = played(build(tiny_config(tiny_model)), 7)
    minibatches = split_minibatches(groups, 3, np.random.default_rng(0))
    assert [len(minibatch) for minibatch in minibatches] == [3, 2, 2]
    assert sorted(g.plan.counter for m in minibatches for g in m) == sorted(
        g.plan.counter for g in groups
    )
    assert len(split_minibatches(groups[:2], 5, np.random.default_rng(0))) == 2


def test_shards_keep_groups_whole_and_lose_none(tiny_model, build):
    groups = played(build(tiny_config(tiny_model)), 7)
    shards = GroupTrainingData(minibatches=[groups[:5], groups[5:]]).shard(3)
    for number, expected in enumerate([groups[:5], groups[5:]]):
        shares = [data.minibatches[number] for data, _ in shards]
        assert sorted(g.plan.counter for s in shares for g in s) == [
            g.plan.counter for g in expected
        ]


def test_frozen_parameters_stay(tiny_model, build):
    class FrozenVision(GRPOTorchLearner):
        def configure_optimizers_for_module(self, module_id, config=None):
            self._model.model.visual.requires_grad_(False)
            super().configure_optimizers_for_module(module_id, config)

    algorithm = build(tiny_config(tiny_model, learner_class=FrozenVision))
    before = weights_of(algorithm)
    algorithm.train()
    after = weights_of(algorithm)
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed
    assert not any("visual" in name for name in changed)
