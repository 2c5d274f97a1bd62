"""Rollouts of the next step are sampled while this one is learned from."""

import numpy as np
import pytest

from perl_env.errors import InputError
from tests.agents.conftest import FlakyEnv, tiny_config, weights_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("ray_session"),
    # Ray Data sets its own deprecated settings when it is imported.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context"),
]


def _config(model, **changes):
    return tiny_config(model, lr=3e-5, **changes).env_runners(num_env_runners=1)


def _asked(groups):
    return [group.plan.question_index for group in groups]


def test_what_is_learned_from_is_one_update_old_and_no_more(tiny_model, tmp_path):
    from agents import GRPO

    algorithm = _config(tiny_model, async_steps=1).build_algo()
    try:
        results = [algorithm.train() for _ in range(3)]
        assert [result["groups"]["off_policy_steps"] for result in results] == [0, 1, 1]
        path = algorithm.save_to_path(tmp_path / "checkpoint")
        saved = weights_of(algorithm)
        asked = _asked(algorithm._ahead.take().groups)
    finally:
        algorithm.stop()
    restored = GRPO.from_checkpoint(path)
    try:
        for name, array in weights_of(restored).items():
            assert np.array_equal(array, saved[name])
        assert _asked(restored._ahead.take().groups) == asked
    finally:
        restored.stop()


def test_the_same_questions_are_asked_as_without(tiny_model):
    asked = []
    for async_steps in (0, 2):
        algorithm = _config(tiny_model, async_steps=async_steps).build_algo()
        try:
            asked.append([_asked(algorithm._ahead.take().groups) for _ in range(3)])
        finally:
            algorithm.stop()
    assert asked[0] == asked[1]


def test_a_runner_that_dies_costs_no_question(tiny_model, tmp_path):
    marker = tmp_path / "died"
    config = _config(tiny_model, async_steps=1).environment(
        FlakyEnv, env_config={"die_at": 4, "marker": str(marker)}
    )
    algorithm = config.build_algo()
    try:
        results = [algorithm.train() for _ in range(4)]
        assert marker.exists()
        assert all(r["groups"]["groups_learned_from"] == 6 for r in results)
    finally:
        algorithm.stop()


def test_sampling_ahead_needs_somebody_to_sample(tiny_model):
    config = tiny_config(tiny_model, async_steps=1).env_runners(num_env_runners=0)
    with pytest.raises(InputError, match="async_steps"):
        config.validate()
