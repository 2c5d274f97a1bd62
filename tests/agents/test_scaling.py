"""What larger models need: adapters, mixed precision, a model that is split over learners, smaller pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agents.export import export_model
from agents.lora import is_adapter, merged_weights
from agents.models import load_model
from perl_env.errors import InputError
from tests.agents.conftest import (
    assert_same_updates,
    largest_gap,
    learner_of,
    played,
    tiny_config,
    weights_of,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("ray_session"),
    # Ray Data sets its own deprecated settings when it is imported.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context"),
]

LORA = {"rank": 4, "alpha": 8}


def _config(model, runners=0, learners=0, pretrained=None, shard=False, preflight=False, **changes):
    config = tiny_config(model, **{"lr": 3e-5, "kl_coefficient": 0.1, **changes})
    config.env_runners(num_env_runners=runners, preflight=preflight)
    config.learners(num_learners=learners, shard_weights=shard)
    return config.pretrained(model, **(pretrained or {}))


def _figures(result, names=("loss", "grad_norm", "entropy", "tokens", "kl_to_reference")):
    return {name: result["learners"]["default_policy"][name] for name in names}


# ------------------------------------------------------------------------------------- adapters


@pytest.mark.parametrize("runners", [0, 1])
def test_adapters_learn_and_travel_alone_and_the_result_is_a_plain_model(
    tiny_model, tmp_path, runners
):
    from agents import GRPO

    algorithm = _config(
        tiny_model, runners, pretrained={"lora": LORA}, lr=1e-2, preflight=True
    ).build_algo()
    try:
        before = load_model(tiny_model, "float32").state_dict()
        results = [algorithm.train() for _ in range(2)]
        assert results[1]["learners"]["default_policy"]["sampler_logprob_difference_max"] < 1e-3
        assert results[1]["learners"]["default_policy"]["kl_to_reference"] > 0
        state = weights_of(algorithm)
        assert all(is_adapter(name) for name in state)
        sent = algorithm._weights()[0]["rl_module"]["default_policy"]
        assert set(sent) == set(state)
        path = algorithm.save_to_path(tmp_path / "checkpoint")
        folder = export_model(algorithm, tmp_path / "exported")
        whole = merged_weights(learner_of(algorithm)._model)
    finally:
        algorithm.stop()
    exported = load_model(folder, "float32").state_dict()
    assert set(exported) == set(before)
    for name, tensor in exported.items():
        torch.testing.assert_close(tensor, whole[name])
    changed = {name for name in before if not torch.equal(before[name], exported[name])}
    assert changed
    assert all("language_model" in name for name in changed)
    restored = GRPO.from_checkpoint(path)
    try:
        assert largest_gap(weights_of(restored), state) == 0
        restored.train()
    finally:
        restored.stop()


# ------------------------------------------------------------------------------- mixed precision


def test_mixed_precision_learns_nearly_the_same_with_float32_weights(tiny_model):
    runs = {}
    for dtype in (None, "bfloat16"):
        algorithm = _config(tiny_model, pretrained={"compute_dtype": dtype}).build_algo()
        try:
            runs[dtype] = _figures(algorithm.train()), weights_of(algorithm)
            model = learner_of(algorithm)._model
            assert {p.dtype for p in model.parameters()} == {torch.float32}
        finally:
            algorithm.stop()
    exact, mixed = runs[None], runs["bfloat16"]
    assert mixed[0]["entropy"] == pytest.approx(exact[0]["entropy"], rel=0.02)
    assert mixed[0]["grad_norm"] == pytest.approx(exact[0]["grad_norm"], rel=0.1)
    assert 0 < largest_gap(exact[1], mixed[1]) < 1e-4


def test_checkpointed_activations_change_nothing(tiny_model):
    runs = []
    for on in (False, True):
        algorithm = _config(tiny_model, pretrained={"gradient_checkpointing": on}).build_algo()
        try:
            runs.append((_figures(algorithm.train()), weights_of(algorithm)))
        finally:
            algorithm.stop()
    assert runs[0][0] == pytest.approx(runs[1][0], rel=1e-4, abs=1e-6)
    assert largest_gap(runs[0][1], runs[1][1]) < 1e-5


# ---------------------------------------------------------------------------------- split models


def test_learners_that_share_a_model_make_the_update_of_one(tiny_model):
    """Also where one of them has fewer groups than another, or none."""
    single = _config(tiny_model).build_algo()
    split = _config(tiny_model, learners=2, shard=True, micro_batch_tokens=400).build_algo()
    try:
        groups = played(single, 7)
        start = weights_of(single)
        assert_same_updates(single, split, groups)
        state = split.get_state()["learner_group"]["learner"]["rl_module"]["default_policy"]
        assert largest_gap(weights_of(single), state) < 1e-5
        assert largest_gap(weights_of(single), start) > 5e-5
    finally:
        single.stop()
        split.stop()


def test_a_split_model_is_saved_restored_exported_and_sent(tiny_model, tmp_path):
    from agents import GRPO

    config = _config(tiny_model, runners=1, learners=2, shard=True, preflight=True)
    algorithm = config.build_algo()
    try:
        algorithm.train()
        path = algorithm.save_to_path(tmp_path / "checkpoint")
        folder = export_model(algorithm, tmp_path / "exported")
        expected = algorithm.train()
        assert expected["learners"]["default_policy"]["sampler_logprob_difference_max"] < 1e-3
        after = algorithm.get_state()["learner_group"]["learner"]["rl_module"]["default_policy"]
    finally:
        algorithm.stop()
    exported = load_model(folder, "float32").state_dict()
    restored = GRPO.from_checkpoint(path)
    try:
        state = restored.get_state()["learner_group"]["learner"]["rl_module"]["default_policy"]
        assert all(np.array_equal(exported[name].numpy(), state[name]) for name in state)
        result = restored.train()
        np.testing.assert_equal(result["groups"], expected["groups"])
        state = restored.get_state()["learner_group"]["learner"]["rl_module"]["default_policy"]
        assert largest_gap(state, after) < 1e-5
    finally:
        restored.stop()


# ------------------------------------------------------------------------------- smaller pictures


def test_larger_pictures_are_scaled_down_for_learner_and_engine_alike(tiny_model):
    config = _config(tiny_model, pretrained={"max_pixels": 28 * 28}, preflight=True)
    algorithm = config.build_algo()
    try:
        algorithm.train()  # the preflight compares token ids and log-probabilities
        processor = learner_of(algorithm)._processor
        prompt = algorithm.env_runner_group.local_env_runner.canonical_prompt(0)
        encoded = processor.encode(prompt)
        assert (encoded.input_ids == processor.image_token_id).sum() == len(prompt.images)
    finally:
        algorithm.stop()


@pytest.mark.parametrize(
    ("pretrained", "shard", "message"),
    [
        ({"lora": {"rnk": 4}}, False, "rank"),
        ({"lora": {"rank": 0}}, False, "rank"),
        ({"lora": LORA}, True, "adapters"),
        ({"compute_dtype": "bf16"}, False, "bfloat16"),
        ({"max_pixels": 0}, False, "max_pixels"),
    ],
)
def test_settings_that_cannot_work_are_told(tiny_model, pretrained, shard, message):
    with pytest.raises(InputError, match=message):
        _config(tiny_model, learners=2, pretrained=pretrained, shard=shard).validate()
