"""A run that was stopped and goes on is the run that was never stopped."""

from __future__ import annotations

import numpy as np
import pytest

from agents import GRPO
from agents.processing import PromptProcessor
from perl_env.errors import InputError
from tests.agents.conftest import tiny_config, weights_of

pytestmark = pytest.mark.usefixtures("ray_session")


def _config(model):
    return tiny_config(
        model, order_schedule="linear", total_steps=6, filter_groups=True, max_refill_rounds=2,
        kl_coefficient=0.05, minibatches=2, epochs=2, lr=[[0, 3e-3], [400, 1e-3]],
    )  # fmt: skip


class Recorder:
    """Notes which questions a run asks, and in which orders."""

    def __init__(self, algorithm):
        self.asked = []
        runner = algorithm.env_runner_group.local_env_runner
        play = runner.play_groups

        def recording(plans):
            groups = play(plans)
            self.asked += [
                (g.plan, [o.order for o in g.orders], g.rewards.tolist()) for g in groups
            ]
            return groups

        runner.play_groups = recording


@pytest.fixture(scope="module")
def uninterrupted(ray_session, tiny_model, tmp_path_factory):
    """Four steps, with a checkpoint after two."""
    algorithm = _config(tiny_model).build_algo()
    path = tmp_path_factory.mktemp("run") / "checkpoint"
    for _ in range(2):
        algorithm.train()
    algorithm.save_to_path(path)
    recorder = Recorder(algorithm)
    results = [algorithm.train() for _ in range(2)]
    yield path, recorder.asked, weights_of(algorithm), results
    algorithm.stop()


def _same(path, asked, weights, results, algorithm):
    recorder = Recorder(algorithm)
    continued = [algorithm.train() for _ in range(2)]
    assert recorder.asked == asked
    got = weights_of(algorithm)
    assert set(got) == set(weights)
    assert all(np.array_equal(got[name], weights[name]) for name in weights)
    for result, expected in zip(continued, results, strict=True):
        assert result["training_iteration"] == expected["training_iteration"]
        assert result["learners"]["default_policy"] == expected["learners"]["default_policy"]
        for name in ("num_episodes_lifetime", "num_env_steps_sampled_lifetime"):
            assert result["env_runners"][name] == expected["env_runners"][name]


def test_a_fresh_algorithm_goes_on_bit_for_bit(uninterrupted):
    path, *expected = uninterrupted
    algorithm = GRPO.from_checkpoint(path)
    _same(path, *expected, algorithm)
    algorithm.stop()


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_state_can_be_restored_into_a_running_algorithm(uninterrupted, tiny_model, steps):
    """Also where that one has done as many updates, or more."""
    path, *expected = uninterrupted
    algorithm = _config(tiny_model).debugging(seed=5).build_algo()
    for _ in range(steps):
        algorithm.train()
    algorithm.restore_from_path(path)
    _same(path, *expected, algorithm)
    algorithm.stop()


def test_a_state_can_be_set_without_files(uninterrupted, tiny_model):
    path, *expected = uninterrupted
    source = GRPO.from_checkpoint(path)
    state = source.get_state()
    source.stop()
    algorithm = _config(tiny_model).build_algo()
    algorithm.set_state(state)
    _same(path, *expected, algorithm)
    algorithm.stop()


def test_the_reference_stays_the_model_of_the_beginning(uninterrupted, tiny_model):
    path, *_ = uninterrupted
    algorithm = GRPO.from_checkpoint(path)
    reference = algorithm.learner_group._learner._reference.state_dict()
    fresh = _config(tiny_model).build_algo()
    start = weights_of(fresh)
    assert all(np.array_equal(reference[name].numpy(), start[name]) for name in start)
    assert any(not np.array_equal(weights_of(algorithm)[name], start[name]) for name in start)
    algorithm.stop()
    fresh.stop()


def test_checkpoint_holds_the_processor(uninterrupted, tiny_model):
    path, *_ = uninterrupted
    kept, original = PromptProcessor(path / "processor"), PromptProcessor(tiny_model)
    assert kept.tokenizer.get_vocab() == original.tokenizer.get_vocab()
    assert kept.processor.chat_template == original.processor.chat_template


def test_other_questions_than_before_are_refused(uninterrupted, tiny_model):
    path, *_ = uninterrupted
    algorithm = _config(tiny_model).environment(env_config={"questions": 9}).build_algo()
    with pytest.raises(InputError, match="questions have changed"):
        algorithm.restore_from_path(path)
    algorithm.stop()


def test_half_precision_survives(tiny_model, tmp_path):
    """numpy, through which RLlib would send the state, has no bfloat16."""
    algorithm = tiny_config(tiny_model).pretrained(tiny_model, dtype="bfloat16").build_algo()
    algorithm.train()
    path = algorithm.save_to_path(tmp_path / "checkpoint")
    weights, expected = weights_of(algorithm), algorithm.train()
    assert {array.dtype for array in weights.values()} == {np.dtype(np.uint16)}
    algorithm.stop()
    restored = GRPO.from_checkpoint(path)
    assert restored.train()["learners"]["default_policy"] == expected["learners"]["default_policy"]
    restored.stop()
