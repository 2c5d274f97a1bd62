"""Which environments and settings GRPO takes, and what it says to others."""

from __future__ import annotations

import pytest

from agents.setting_checks import check_gpus
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
        ({"micro_batch_tokens": 0}, "micro_batch_tokens"),
        ({"lr": -1}, "lr: expected a finite number of at least 0, got -1"),
        ({"lr": float("inf")}, "lr"),
        ({"lr": True}, "lr"),
        ({"lr": "fast"}, "lr"),
        ({"lr": [[0, -1], [100, 0]]}, "lr"),
        ({"lr": [[5, 1e-4], [100, 0]]}, "lr"),
        ({"lr": [[0, 1e-4]]}, "lr"),
        ({"grad_clip": -1}, "grad_clip"),
        ({"kl_coefficient": float("nan")}, "kl_coefficient"),
        ({"kl_coefficient": -0.1}, "kl_coefficient"),
        ({"clip_high": float("inf")}, "clip_high"),
        ({"weight_decay": "none"}, "weight_decay"),
        ({"minibatches": 7}, "minibatches: expected at most questions_per_step, 6, got 7"),
        ({"max_refill_rounds": 1.5}, "max_refill_rounds"),
        ({"total_steps": "abc"}, "total_steps"),
        ({"importance_sampling_cap": float("nan")}, "importance_sampling_cap"),
        ({"scale_advantages": "no"}, "scale_advantages: expected True or False"),
        ({"leave_one_out": 1}, "leave_one_out"),
        ({"orders_per_question": 1, "rollouts_per_order": 1}, "at least 2"),
    ],
)
def test_settings_that_cannot_work(tiny_model, change, message):
    with pytest.raises(InputError, match=message):
        tiny_config(tiny_model, **change).validate()


@pytest.mark.parametrize(
    ("method", "change"),
    [
        ("env_runners", {"num_env_runners": -1}),
        ("env_runners", {"num_env_runners": "abc"}),
        ("env_runners", {"num_gpus_per_env_runner": "one"}),
        ("env_runners", {"temperature": float("inf")}),
        ("env_runners", {"preflight": 3}),
        ("env_runners", {"sample_timeout_s": "x"}),
        ("env_runners", {"engine_settings": 3}),
        ("env_runners", {"preflight_tolerance": float("nan")}),
        ("learners", {"num_learners": -2}),
        ("learners", {"num_learners": "abc"}),
        ("learners", {"num_learners": True}),
        ("learners", {"num_gpus_per_learner": -1}),
        ("learners", {"num_cpus_per_learner": "some"}),
        ("learners", {"shard_weights": "maybe"}),
        ("fault_tolerance", {"restart_failed_env_runners": "no"}),
        ("fault_tolerance", {"delay_between_env_runner_restarts_s": "x"}),
    ],
)
def test_settings_of_processes_that_cannot_work(tiny_model, method, change):
    config = tiny_config(tiny_model)
    with pytest.raises(InputError, match=f"unusable value: {next(iter(change))}: expected"):
        getattr(config, method)(**change).validate()


@pytest.mark.parametrize("lora", [3, {"rank": True}, {"rank": 0}, {"alpha": "x"}])
def test_adapters_that_cannot_work(tiny_model, lora):
    with pytest.raises(InputError, match="unusable value: lora"):
        tiny_config(tiny_model).pretrained(tiny_model, lora=lora).validate()


def test_settings_that_can_work(tiny_model):
    """A rate of 0 measures without learning; a single reply that has more tokens passes alone."""
    tiny_config(tiny_model, lr=0, micro_batch_tokens=1, grad_clip=None, minibatches=6).validate()
    tiny_config(tiny_model, lr=[[0, 1e-4], [100, 0]]).validate()
    tiny_config(tiny_model).learners(num_cpus_per_learner=0.5).validate()


@pytest.mark.parametrize("name", ["bad", "perl/Shpes-v0", "perl_env:bad", "no_module:bad", 3])
def test_an_environment_that_nobody_knows(tiny_model, name):
    with pytest.raises(InputError, match="environment, env: expected"):
        tiny_config(tiny_model, env=name).validate()


@pytest.mark.parametrize(
    "name",
    ["perl/Shapes-v0", "gymnasium.envs.classic_control.CartPoleEnv", "gymnasium:CartPole-v1"],
)
def test_environments_may_be_named_by_their_module(tiny_model, name):
    tiny_config(tiny_model, env=name).validate()


def test_arguments_of_an_environment_have_names(tiny_model):
    with pytest.raises(InputError, match="environment, env_config: expected arguments by their"):
        tiny_config(tiny_model).environment(env_config=7)


@pytest.mark.parametrize(
    ("learners", "runners"),
    [
        ({"num_gpus_per_learner": 9}, {}),
        ({"num_learners": 3, "num_gpus_per_learner": 1}, {}),
        ({"num_learners": 1, "num_gpus_per_learner": 1},
         {"num_env_runners": 2, "num_gpus_per_env_runner": 1}),
    ],
)  # fmt: skip
def test_more_gpus_than_there_are(tiny_model, learners, runners):
    config = tiny_config(tiny_model).learners(**learners).env_runners(**runners)
    with pytest.raises(InputError, match=r"not enough GPUs: .* expected at most 2"):
        check_gpus(config, 2)
    check_gpus(config, 9)


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
