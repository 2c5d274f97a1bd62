"""GRPO over processes: any number of players and learners, some of which die."""

from __future__ import annotations

import time

import numpy as np
import pytest
import ray

from agents.export import export_model
from tests.agents.conftest import (
    FlakyEnv,
    assert_same_updates,
    largest_gap,
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

#: Small enough that a difference in rounding stays one after Adam has divided by its size.
SMALL_STEP = {"lr": 3e-5, "kl_coefficient": 0.1}


def _config(model, runners=0, learners=0, **changes):
    config = tiny_config(model, **{**SMALL_STEP, **changes})
    return config.env_runners(num_env_runners=runners).learners(num_learners=learners)


def _trained(config, steps=2):
    """Results and final weights of a run."""
    algorithm = config.build_algo()
    try:
        return [algorithm.train() for _ in range(steps)], weights_of(algorithm)
    finally:
        algorithm.stop()


@pytest.fixture(scope="module")
def alone(tiny_model, ray_session):
    """Two steps in one process, to which the others are compared."""
    return _trained(_config(tiny_model))


def _same_run(results, weights, alone):
    expected_results, expected = alone
    for result, expected_result in zip(results, expected_results, strict=True):
        np.testing.assert_equal(result["groups"], expected_result["groups"])
        for name in ("num_episodes", "episode_return_mean"):
            assert np.isclose(result["env_runners"][name], expected_result["env_runners"][name])
        for name in ("loss", "grad_norm", "entropy", "tokens", "kl_to_reference"):
            assert np.isclose(
                result["learners"]["default_policy"][name],
                expected_result["learners"]["default_policy"][name], rtol=1e-3, atol=1e-5,
            ), name  # fmt: skip
    assert largest_gap(weights, expected) < 1e-5


@pytest.mark.parametrize(("runners", "learners"), [(1, 1), (2, 0), (0, 2), (2, 2)])
def test_any_number_of_processes_makes_the_same_run(tiny_model, alone, runners, learners):
    _same_run(*_trained(_config(tiny_model, runners, learners)), alone)


@pytest.mark.parametrize("learners", [1, 2])
def test_one_update_is_the_same_for_any_number_of_learners(tiny_model, learners):
    """Also where a learner gets fewer groups than another, or none."""
    single = _config(tiny_model).build_algo()
    several = _config(tiny_model, learners=learners).build_algo()
    try:
        groups = played(single, 7)
        start = weights_of(single)
        assert_same_updates(single, several, groups)
        assert largest_gap(weights_of(single), weights_of(several)) < 1e-5
        assert largest_gap(weights_of(single), start) > 5e-5
    finally:
        single.stop()
        several.stop()


def test_a_runner_that_dies_while_playing_costs_no_question(tiny_model, tmp_path):
    config = _config(tiny_model, runners=2).environment(
        FlakyEnv, env_config={"die_at": 4, "marker": str(tmp_path / "died")}
    )
    results, weights = _trained(config, steps=4)
    assert (tmp_path / "died").exists()  # each of 24 questions comes once in four steps of six
    undisturbed = _trained(_config(tiny_model), steps=4)
    _same_run(results, weights, undisturbed)


def test_a_runner_that_dies_between_steps_plays_on_with_the_weights_of_now(tiny_model, alone):
    algorithm = _config(tiny_model, runners=2).build_algo()
    try:
        results = [algorithm.train()]
        for actor in algorithm.env_runner_group._worker_manager.actors().values():
            ray.kill(actor, no_restart=False)
            _wait_for_restart(actor)  # so that RLlib never notices
        results.append(algorithm.train())
        _same_run(results, weights_of(algorithm), alone)
        assert results[1]["learners"]["default_policy"]["sampler_logprob_difference_max"] < 1e-4
    finally:
        algorithm.stop()


def _wait_for_restart(actor, seconds=60.0):
    deadline = time.monotonic() + seconds
    while True:
        try:
            ray.get(actor.ping.remote())
            return
        except ray.exceptions.RayActorError:
            assert time.monotonic() < deadline, "the actor was not restarted"
            time.sleep(0.2)


def test_weights_reach_every_runner_once_an_update(tiny_model):
    algorithm = _config(tiny_model, runners=2, learners=1).build_algo()
    try:
        for step in range(3):
            algorithm.train()
            numbers = algorithm.env_runner_group.foreach_env_runner(
                lambda runner: runner._weights_seq_no, local_env_runner=False
            )
            assert numbers == [step + 1] * 2
    finally:
        algorithm.stop()


def test_checkpoint_and_export_with_remote_learners(tiny_model, tmp_path):
    from agents import GRPO
    from agents.models import load_model

    config = _config(tiny_model, runners=1, learners=2)
    algorithm = config.build_algo()
    try:
        algorithm.train()
        path = algorithm.save_to_path(tmp_path / "checkpoint")
        folder = export_model(algorithm, tmp_path / "exported")
        saved = weights_of(algorithm)
        expected, after = algorithm.train(), weights_of(algorithm)
    finally:
        algorithm.stop()
    exported = load_model(folder, "float32").state_dict()
    assert all(np.array_equal(exported[name].numpy(), saved[name]) for name in saved)

    restored = GRPO.from_checkpoint(path)
    try:
        assert largest_gap(weights_of(restored), saved) == 0
        result = restored.train()
        assert result["training_iteration"] == 2
        np.testing.assert_equal(result["groups"], expected["groups"])
        assert (
            result["env_runners"]["episode_return_mean"]
            == expected["env_runners"]["episode_return_mean"]
        )
        assert largest_gap(weights_of(restored), after) < 1e-5
    finally:
        restored.stop()


def test_evaluation_by_remote_runners(tiny_model):
    config = _config(tiny_model, runners=1).evaluation(
        evaluation_interval=1, evaluation_num_env_runners=2, evaluation_duration=12
    )
    algorithm = config.build_algo()
    try:
        figures = algorithm.train()["evaluation"]["env_runners"]
        assert figures["num_episodes"] == 12
        assert (
            figures["episode_return_mean"]
            == algorithm.evaluate()["env_runners"]["episode_return_mean"]
        )
    finally:
        algorithm.stop()


def _tuned(config, path, iterations, **run_config):
    from ray import tune

    from agents import GRPO

    run_config = tune.RunConfig(
        name="run",
        storage_path=str(path),
        stop={"training_iteration": iterations},
        checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=1, checkpoint_at_end=True),
        verbose=0,
        **run_config,
    )
    results = tune.Tuner(GRPO, param_space=config, run_config=run_config).fit()
    assert not results.errors
    return results


def test_tune_searches_over_a_setting(tiny_model, tmp_path):
    from ray import tune

    config = _config(tiny_model, questions_per_step=2)
    config.training(advantage_baseline=tune.grid_search(["question", "order"]))
    results = _tuned(config, tmp_path, iterations=1)
    assert {result.config["advantage_baseline"] for result in results} == {"question", "order"}


def test_a_failed_trial_goes_on_as_if_it_had_not_failed(tiny_model, tmp_path):
    from ray import tune

    from agents import GRPO

    marker = tmp_path / "failed"

    def fail_once(result, **kwargs):
        if result["training_iteration"] == 2 and not marker.exists():
            marker.touch()
            raise RuntimeError("on purpose")

    config = _config(tiny_model).callbacks(on_train_result=fail_once)
    (result,) = _tuned(config, tmp_path, 3, failure_config=tune.FailureConfig(max_failures=1))
    assert marker.exists()
    expected_results, expected = _trained(_config(tiny_model), steps=3)
    algorithm = GRPO.from_checkpoint(result.checkpoint.path)
    try:
        _same_run([result.metrics], weights_of(algorithm), (expected_results[2:], expected))
        assert algorithm.train()["training_iteration"] == 4
    finally:
        algorithm.stop()
