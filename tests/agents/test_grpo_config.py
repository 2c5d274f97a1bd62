"""Which environments and settings GRPO takes, and what it says to others."""

from __future__ import annotations

import pytest

from perl_env.errors import InputError
from tests.agents.conftest import LetterEnv, tiny_config

pytestmark = pytest.mark.usefixtures("ray_session")


def test_registered_environments_by_either_name(tiny_model, build):
    for name in ("perl/Digits-v0", "perl_env:perl/Digits-v0"):
        config = tiny_config(tiny_model, env=name, questions_per_step=2)
        config.environment(env_config={"split": "train"})
        assert build(config).train()["env_runners"]["num_episodes"] == 16


def test_an_environment_registered_with_tune(tiny_model, build):
    from ray import tune

    tune.register_env("letters", lambda context: LetterEnv(context))
    config = tiny_config(tiny_model, env="letters").environment(env_config={"questions": 6})
    assert build(config)._schedule.num_questions == 6


def test_an_environment_without_questions_is_refused(tiny_model):
    with pytest.raises(InputError, match="environment without questions"):
        tiny_config(tiny_model, env="CartPole-v1").build_algo()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": "ppo"}, "loss"),
        ({"advantage_baseline": "questions"}, "'question'"),
        ({"order_schedule": "linear"}, "total_steps"),
        ({"order_probability": 1.5}, "order_probability"),
        ({"filter_groups": [0.9, 0.1]}, "filter_groups"),
        ({"questions_per_step": 0}, "questions_per_step"),
        ({"micro_batch_tokens": 2.5}, "micro_batch_tokens"),
        ({"orders_per_question": 1, "rollouts_per_order": 1}, "at least 2"),
    ],
)
def test_settings_that_cannot_work(tiny_model, change, message):
    with pytest.raises(InputError, match=message):
        tiny_config(tiny_model, **change).validate()


def test_unknown_settings_name_the_nearest():
    from agents import GRPOConfig

    with pytest.raises(InputError, match="'rollouts_per_order'"):
        GRPOConfig().training(rollouts_per_oder=3)
    with pytest.raises(InputError, match="'num_env_runners'"):
        GRPOConfig().env_runners(num_env_runner=3)
    with pytest.raises(InputError, match="'minibatches'"):
        GRPOConfig().training(minibatch_size=3)
    with pytest.raises(InputError, match=r"expected one of advantage_baseline, .* more, got"):
        GRPOConfig().training(model_config=3)  # near to none of them
    with pytest.raises(InputError, match="'kl_coefficient'"):
        GRPOConfig().update_from_dict({"kl_coef": 0.1})


def test_no_model_or_one_without_processor(tmp_path, tiny_model):
    from agents import GRPOConfig

    with pytest.raises(InputError, match="no model to train"):
        GRPOConfig().environment(LetterEnv).validate()
    with pytest.raises(InputError, match="no such model folder"):
        tiny_config(tmp_path / "nowhere").build_algo()
    (tmp_path / "bare").mkdir()
    for name in ("config.json", "model.safetensors", "generation_config.json"):
        (tmp_path / "bare" / name).write_bytes((tiny_model / name).read_bytes())
    with pytest.raises(InputError, match="processor"):
        tiny_config(tmp_path / "bare").build_algo()
