"""Faults are put into the engine; the preflight finds each and names its cause."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest

from agents.engines import SamplingParams, make_engine
from agents.engines.transformers_engine import TransformersEngine
from agents.preflight import (
    PreflightError,
    PreflightReport,
    compare_digests,
    compare_prompts,
    image_runs,
)
from tests.agents.conftest import tiny_config, weights_of

IMAGE = 5


# --------------------------------------------------------------------------------- without models


def test_equal_prompts_have_no_findings():
    ids = [np.array([1, IMAGE, IMAGE, 2, IMAGE, 3])]
    assert compare_prompts(ids, [ids[0].copy()], IMAGE) == []
    text, runs = image_runs(ids[0], IMAGE)
    assert text.tolist() == [1, IMAGE, 2, IMAGE, 3]
    assert runs == [2, 1]
    assert image_runs(np.array([1, 2]), IMAGE)[1] == []


def prompt(*runs):
    """Token ids of a prompt whose pictures have these numbers of image tokens."""
    ids = [1]
    for number, length in enumerate(runs):
        ids += [10 + number] + [IMAGE] * length + [3]
    return np.array(ids)


@pytest.mark.parametrize(
    ("engine", "learner", "what", "where", "cause"),
    [
        (prompt(4, 9), prompt(4, 6), "image tokens", "probe 1, picture 2", "max_pixels"),
        (prompt(7, 11), prompt(4, 6), "image tokens", "probe 1, picture 1", "expanded prompt"),
        (prompt(4 + 3 + 5, 6), prompt(4, 6), "image tokens", "picture 1", "expanded prompt"),
        (prompt(16, 36), prompt(4, 6), "image tokens", "probe 1, picture 1", "expanded prompt"),
        (prompt(4), prompt(4, 6), "number of pictures", "probe 1", "placeholder"),
        (
            np.array([1, 8, 3]),
            np.array([1, 9, 3]),
            "prompt token ids",
            "position 1",
            "chat template",
        ),
        (np.array([1, 8]), np.array([1, 8, 3]), "prompt token ids", "position 2", "chat template"),
    ],
)
def test_prompts_that_differ(engine, learner, what, where, cause):
    (finding,) = compare_prompts([engine], [learner], IMAGE)
    assert finding.what == what
    assert where in finding.where
    assert finding.cause.startswith(cause) or cause in finding.cause
    with pytest.raises(PreflightError, match=what):
        PreflightReport((), (finding,)).check()


def test_parameters_that_did_not_arrive_are_named():
    before = {"a": "1", "b": "2", "c": "3"}
    assert compare_digests(before, {"a": "x", "b": "y", "c": "z"}, before) == []
    kept, changed = compare_digests(before, before | {"a": "x"}, before | {"a": "x"})
    assert (kept.where, changed.where) == ("b, c", "a")
    assert "weight sync" in kept.cause
    assert compare_digests(before, before | {"a": "x"}, before, all_trained=False) == []
    (nothing,) = compare_digests(before, before, before, all_trained=False)
    assert nothing.where == "a, b, c"


# ------------------------------------------------------------------------------ with the tiny model


@pytest.fixture
def algorithm(tiny_model, build, ray_session):
    config = tiny_config(tiny_model).env_runners(preflight=True, temperature=0.7)
    return build(config)


def with_engine(algorithm, engine):
    algorithm.env_runner_group.local_env_runner.engine = engine
    return algorithm


def changed_folder(model, folder, change):
    shutil.copytree(model, folder)
    change(folder)
    return folder


def other_max_pixels(folder):
    path = folder / "processor_config.json"
    config = json.loads(path.read_text())
    config["image_processor"]["size"] = {"shortest_edge": 84**2, "longest_edge": 84**2}
    path.write_text(json.dumps(config))


def other_chat_template(folder):
    path = folder / "chat_template.jinja"
    path.write_text(path.read_text().replace("<|im_start|>assistant", "<|im_start|>user"))


class Shifted(TransformersEngine):
    """Computes with other weights than it was given."""

    def set_weights(self, weights):
        super().set_weights({name: array * 1.3 for name, array in weights.items()})


class Stale(TransformersEngine):
    """Never takes the weights that it is sent."""

    def set_weights(self, weights):
        pass


class Forgetful(TransformersEngine):
    """One parameter never arrives: a small one, which log-probabilities hardly show."""

    LOST = "model.visual.blocks.0.attn.qkv.bias"

    def set_weights(self, weights):
        kept = self.model.state_dict()[self.LOST].numpy().copy()
        super().set_weights({**weights, self.LOST: kept})


class BeforeTemperature(TransformersEngine):
    """Tells log-probabilities from before the temperature."""

    def generate(self, prompts, replies_per_prompt=1, sampling=SamplingParams()):  # noqa: B008
        return super().generate(
            prompts, replies_per_prompt, dataclasses.replace(sampling, temperature=1.0)
        )


def faulty(kind, model):
    plain = make_engine(model)
    engine = kind(plain.model, plain.processor)
    if kind is Shifted:
        from agents.weights import get_weights

        engine.set_weights(get_weights(engine.model))
    return engine


def found(algorithm, engine):
    before = weights_of(with_engine(algorithm, engine))
    with pytest.raises(PreflightError) as error:
        algorithm.train()
    after = weights_of(algorithm)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert "usual cause" in str(error.value)
    return str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "what", "cause"),
    [
        (other_max_pixels, "image tokens: probe 1, picture 1: engine 9, learner 4", "max_pixels"),
        (other_chat_template, "prompt token ids: probe 1", "chat template"),
    ],
)
def test_another_processor_is_found(algorithm, tiny_model, tmp_path, change, what, cause):
    engine = make_engine(changed_folder(tiny_model, tmp_path / "other", change))
    message = found(algorithm, engine)
    assert what in message
    assert f"usual cause: {cause}" in message


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "what", "cause"),
    [
        (Shifted, "log-probabilities: mean difference", "weights: the engine computes with others"),
        (Stale, "log-probabilities after a sync of other weights", "weight sync"),
        (Stale, "parameters that a sync did not change", "weight sync"),
        (Forgetful, f"did not change: {Forgetful.LOST}: engine 1 of", "weight sync"),
        (BeforeTemperature, "log-probabilities: mean difference", "temperature"),
    ],
)
def test_another_policy_is_found(algorithm, tiny_model, kind, what, cause):
    message = found(algorithm, faulty(kind, tiny_model))
    assert what in message
    assert f"usual cause: {cause}" in message


@pytest.mark.slow
def test_image_tokens_that_can_be_sampled_are_found(algorithm, tiny_model):
    engine = make_engine(tiny_model)
    engine.processor.image_token_ids = frozenset()
    message = found(algorithm, engine)
    assert "usual cause: image tokens" in message


@pytest.mark.slow
def test_rounding_is_told_apart_from_other_weights(tiny_model, build, ray_session):
    config = tiny_config(tiny_model).env_runners(
        preflight=True, engine_settings={"dtype": "bfloat16"}
    )
    report = build(config).preflight()
    assert report.findings == ()
    assert "bfloat16" in str(report)
    strict = build(config.copy(copy_frozen=False).env_runners(preflight_tolerance=1e-6))
    assert "usual cause: dtype" in found(strict, strict.env_runner_group.local_env_runner.engine)


@pytest.mark.slow
def test_a_preflight_changes_nothing(tiny_model, build, ray_session):
    plain = build(tiny_config(tiny_model))
    checked = build(tiny_config(tiny_model).env_runners(preflight=True))
    for _ in range(2):
        first, second = plain.train(), checked.train()
    expected, got = weights_of(plain), weights_of(checked)
    assert all(np.array_equal(expected[name], got[name]) for name in expected)
    assert first["learners"]["default_policy"]["loss"] == second["learners"]["default_policy"]["loss"]  # fmt: skip
    report = str(checked.preflight())
    for line in (
        "prompt token ids: equal; image tokens a picture: equal, 4 to 4",
        "log-probabilities: mean difference",
        "parameters of the engine that were compared: 80, equal",
        "4 prompts with 1, 2, 3 pictures",
    ):
        assert line in report


# Ray Data sets its own deprecated settings when it is imported.
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context")
@pytest.mark.slow
def test_a_preflight_through_remote_runner_and_learners(tiny_model, build, ray_session):
    config = tiny_config(tiny_model).env_runners(preflight=True, num_env_runners=1)
    algorithm = build(config.learners(num_learners=2))
    assert algorithm.preflight().findings == ()


@pytest.mark.slow
def test_dry_run_from_the_command_line(tmp_path, monkeypatch, ray_session):
    from typer.testing import CliRunner

    from evals.cli import app

    monkeypatch.chdir(tmp_path)
    config = tmp_path / "run.yaml"
    config.write_text(
        "environment: {env: 'perl_env:perl/Shapes-v0', env_config: {split: train}}\n"
        "pretrained: {path: embedded}\n"
        "env_runners: {num_env_runners: 0, max_new_tokens: 4}\n"
        "learners: {num_learners: 0}\n"
    )
    result = CliRunner().invoke(app, ["train", str(config), "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "engine and learner agree" in result.output
    assert "parameters of the engine that were compared" in result.output
    assert sorted(tmp_path.iterdir()) == [config]
    strict = ["--set", "env_runners.preflight_tolerance=0"]
    result = CliRunner().invoke(app, ["train", str(config), "--dry-run", *strict])
    assert isinstance(result.exception, PreflightError)
    assert "--out" in str(CliRunner().invoke(app, ["train", str(config)]).exception)
