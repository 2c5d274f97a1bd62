from __future__ import annotations

import pytest

from agents.run_config import apply_overrides, config_from_dict, load_run
from agents.training import check_budget
from perl_env.errors import InputError

SETTINGS = {
    "run": {"steps": 7, "seed": 3},
    "environment": {"env": "perl_env:perl/Digits-v0", "env_config": {"split": "train"}},
    "pretrained": {"path": "somewhere", "dtype": "float32"},
    "training": {"lr": "1e-4", "order_schedule": "linear", "filter_groups": [0.1, 0.9]},
    "env_runners": {"num_env_runners": 0, "max_new_tokens": 32},
    "learners": {"num_learners": 0},
}


def test_sections_are_the_methods_of_the_config():
    run = config_from_dict(SETTINGS)
    config = run.config
    assert (run.settings.steps, run.settings.seed, config.seed) == (7, 3, 3)
    assert (config.env, config.env_config) == ("perl_env:perl/Digits-v0", {"split": "train"})
    assert (config.model_path, config.model_config["dtype"]) == ("somewhere", "float32")
    assert (config.lr, config.max_new_tokens, config.num_env_runners) == (1e-4, 32, 0)
    assert config.total_steps == 7  # a decay over the run unless told otherwise


def test_a_mixture_is_written_where_a_task_is():
    mixed = {"env": "perl/Shapes-v0: 22, perl/Digits-v0: 36", "env_config": {"split": "train"}}
    config = config_from_dict({**SETTINGS, "environment": mixed}).config
    assert config.env == "perl_env:perl/Mixture-v0"
    assert config.env_config == {
        "tasks": {"perl/Shapes-v0": 22, "perl/Digits-v0": 36},
        "split": "train",
    }
    with pytest.raises(InputError, match="part of a mixture without a weight"):
        config_from_dict({**SETTINGS, "environment": {"env": "perl/Shapes-v0: 22, perl/Digits-v0"}})


def test_a_folder_is_written_where_a_task_is(tmp_path, monkeypatch):
    (tmp_path / "json").mkdir()
    monkeypatch.chdir(tmp_path)  # a folder may be named as a module is
    config = config_from_dict({**SETTINGS, "environment": {"env": "json"}}).config
    assert config.env == "perl_env:perl/Folder-v0"
    assert config.env_config == {"path": str(tmp_path / "json")}
    mixed = {**SETTINGS, "environment": {"env": "json: 2, perl/Shapes-v0: 1"}}
    assert config_from_dict(mixed).config.env_config["tasks"]["json"] == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"environment": {"env": "bad"}}, "unknown task: environment, env: expected one of perl/"),
        ({"environment": {"env": "perl/Shpes-v0"}}, r"expected 'perl/Shapes-v0' \(the nearest\)"),
        ({"environment": {"env": "perl/Shapes-v0", "env_config": 7}}, "env_config: expected arg"),
        ({"learners": {"num_learners": "abc"}}, "num_learners: expected"),
        ({"env_runners": {"num_env_runners": "abc"}}, "num_env_runners: expected"),
        ({"run": {"device_memory_gib": True}}, "run.device_memory_gib: expected"),
        ({"run": {"steps": 1.0}}, "run.steps: expected"),
    ],
)
def test_values_of_another_type_are_told_in_one_line(settings, message):
    with pytest.raises(InputError, match=message) as caught:
        config_from_dict({**SETTINGS, **settings})
    assert "\n" not in str(caught.value)


def test_a_run_without_a_task_or_with_too_few_gpus_does_not_start(ray_session):
    embedded = {**SETTINGS, "pretrained": {"path": "embedded"}}
    with pytest.raises(InputError, match="nothing to train on"):
        check_budget(config_from_dict({**embedded, "environment": {}}))
    with pytest.raises(InputError, match="not enough GPUs: num_gpus_per_learner"):
        check_budget(config_from_dict({**embedded, "learners": {"num_gpus_per_learner": 99}}))


def test_defaults_are_the_papers():
    config = config_from_dict({"pretrained": {"path": "x"}}).config
    assert (config.orders_per_question, config.rollouts_per_order) == (2, 6)
    assert (config.questions_per_step, config.max_new_tokens) == (128, 2048)
    assert (config.lr, config.kl_coefficient, config.weight_decay) == (1e-6, 0.01, 0.01)
    assert (config.clip_low, config.clip_high, config.grad_clip) == (0.2, 0.2, 1.0)


@pytest.mark.parametrize(
    ("section", "key", "nearest"),
    [
        ("training", "order_per_question", "orders_per_question"),
        ("training", "clip_hihg", "clip_high"),
        ("env_runners", "temprature", "temperature"),
        ("environment", "env_conf", "env_config"),
        ("pretrained", "pat", "path"),
        ("learners", "num_learner", "num_learners"),
        ("run", "step", "steps"),
    ],
)
def test_unknown_keys_name_the_nearest(section, key, nearest):
    settings = {**SETTINGS, section: {**SETTINGS[section], key: 1}}
    with pytest.raises(InputError, match=f"{section}: expected '{nearest}'"):
        config_from_dict(settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"trainig": {}},
        {"training": 3},
        {"training": {"questions_per_step": "many"}, "pretrained": {"path": "x"}},
        {"training": {"lr": {"a": 1}}, "pretrained": {"path": "x"}},
        {"run": {"steps": 0}},
        {"pretrained": {"dtype": "float32"}},
        {"training": {"lr": 1e-4}},
        ["training"],
    ],
)
def test_unusable_settings(settings):
    with pytest.raises(InputError):
        config_from_dict(settings)


@pytest.mark.parametrize(
    ("evaluation", "complaint"),
    [
        ({"evaluation_intervall": 2}, "'evaluation_interval'"),
        ({"evaluation_interval": "often"}, "whole number"),
        ({"evaluation_interval": 2, "evaluation_config": 3}, "key: value"),
        ({"evaluation_interval": 2, "evaluation_config": {"temprature": 0}}, "'temperature'"),
        (
            {"evaluation_interval": 2, "evaluation_config": {"env": "perl/Shapes-v0: 1, a"}},
            "weight",
        ),
    ],
)
def test_an_evaluation_that_cannot_work_is_told_before_anything_is_loaded(evaluation, complaint):
    with pytest.raises(InputError, match=complaint):
        config_from_dict({**SETTINGS, "evaluation": evaluation})


def test_the_evaluation_asks_another_task_or_a_mixture():
    changed = {"env": "perl/Shapes-v0: 1, perl/Digits-v0: 2", "env_config": {"split": "test"}}
    evaluation = {"evaluation_interval": 2, "evaluation_config": changed}
    config = config_from_dict({**SETTINGS, "evaluation": evaluation}).config
    asked = config.get_evaluation_config_object()
    assert asked.env == "perl_env:perl/Mixture-v0"
    assert asked.env_config["tasks"] == {"perl/Shapes-v0": 1, "perl/Digits-v0": 2}
    assert (asked.env_config["split"], config.env_config["split"]) == ("test", "train")


def test_overrides(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("pretrained: {path: x}\ntraining: {lr: 1.0e-6}\n", encoding="utf-8")
    run = load_run(path, ["training.lr=2e-5", "environment.env_config.split=test", "run.steps=2",
                          "training.filter_groups=[0.1, 0.8]", "training.scale_advantages=false"])  # fmt: skip
    assert (run.config.lr, run.settings.steps) == (2e-5, 2)
    assert run.config.env_config == {"split": "test"}
    assert run.config.filter_groups == [0.1, 0.8]
    assert run.config.scale_advantages is False
    with pytest.raises(InputError, match="'clip_low'"):
        load_run(path, ["training.clip_lo=0.1"])


@pytest.mark.parametrize("override", ["lr=3", "training.lr", "training.=3", "training.lr=[1"])
def test_unusable_overrides(override):
    with pytest.raises(InputError, match="--set"):
        apply_overrides({}, [override])


@pytest.mark.parametrize("content", [b"a: [1", b"\xff\xfe\x00", b"- 1"])
def test_unreadable_files(tmp_path, content):
    path = tmp_path / "run.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError):
        load_run(path)
    with pytest.raises(InputError, match="no such configuration"):
        load_run(tmp_path / "nothing.yaml")
