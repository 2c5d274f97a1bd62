"""What is logged of the drift between engine and learner."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents.drift import MOST_IMAGES, Drift
from tests.agents.conftest import tiny_config


def test_figures_by_hand():
    drift = Drift()
    engine = torch.tensor([[0.5, 0.5], [0.2, 0.8]]).log()
    old = torch.tensor([[0.25, 0.5], [0.8, 0.8]]).log()
    mask = torch.tensor([[1.0, 1.0], [1.0, 0.0]])
    drift.add(old, engine, mask, torch.tensor([2, 5]), cap=2.0)
    # Differences log 1/2, 0 with two pictures and log 4 with five; ratios 1/2, 1 and 4.
    assert drift.figures() == pytest.approx(
        {
            "sampler_logprob_difference": (math.log(2) + math.log(4)) / 3,
            "sampler_logprob_difference_max": math.log(4),
            "sampler_importance_ratio": 5.5 / 3,
            "sampler_importance_ratio_max": 4.0,
            "sampler_importance_ratio_truncated": 1 / 3,
        }
    )
    by_images = drift.figures_by_images()
    assert by_images["sampler_logprob_difference"] == pytest.approx(
        {2: math.log(2) / 2, 5: math.log(4)}
    )
    assert by_images["sampler_importance_ratio_max"] == pytest.approx({2: 1.0, 5: 4.0})
    assert by_images["sampler_importance_ratio_truncated"] == {2: 0.0, 5: 1.0}


@given(st.lists(st.integers(0, 60), min_size=2, max_size=6), st.integers(0, 2**31))
def test_micro_batches_do_not_matter(counts, seed):
    generator = torch.Generator().manual_seed(seed)
    old, engine = (-torch.rand(len(counts), 3, generator=generator) for _ in range(2))
    mask, images = torch.ones(len(counts), 3), torch.tensor(counts)
    whole, parts = Drift(), Drift()
    whole.add(old, engine, mask, images, 2.0)
    for i in range(len(counts)):
        parts.add(old[[i]], engine[[i]], mask[[i]], images[[i]], 2.0)
    assert parts.figures() == pytest.approx(whole.figures())
    assert parts.figures_by_images().keys() == whole.figures_by_images().keys()
    shown = whole.figures_by_images()["sampler_importance_ratio"]
    assert set(shown) == {min(count, MOST_IMAGES) for count in counts}


@pytest.mark.slow
@pytest.mark.usefixtures("ray_session")
def test_a_step_logs_the_drift_by_number_of_pictures(tiny_model, build):
    learner = build(tiny_config(tiny_model, minibatches=2, questions_per_step=12)).train()
    learner = learner["learners"]["default_policy"]
    for name in ("sampler_logprob_difference", "sampler_importance_ratio"):
        assert set(learner[f"{name}_by_images"]) == {"1", "2", "3"}
    assert learner["sampler_importance_ratio_max"] == pytest.approx(1.0, abs=1e-4)
    assert learner["sampler_importance_ratio_truncated"] == 0
    assert learner["sampler_logprob_difference_max"] == pytest.approx(
        max(learner["sampler_logprob_difference_max_by_images"].values())
    )
    silent = build(tiny_config(tiny_model, importance_sampling=False)).train()
    assert silent["learners"]["default_policy"]["sampler_logprob_difference_max"] < 1e-4
