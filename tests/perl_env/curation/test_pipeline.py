"""The whole preparation: what is done once, what is done again, what survives a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

import perl_env
from perl_env.curation import prepare, settings_from_dict
from perl_env.errors import InputError
from perl_env.grading import grade
from perl_env.tasks.folder import write_folder
from tests.perl_env.curation.models import ScriptedModel, question

ROOT = Path(__file__).parents[3]
COLOURS = ("red", "blue", "green", "black")


@pytest.fixture
def folder(tmp_path):
    """Twelve open questions, two of them the same, whose golds no rule can turn into options."""
    asked = [
        question(f"What colour is the largest thing in image {1 + k % 3}?", COLOURS[k % 4], seed=k,
                 order_class="referential", kind="colour")
        for k in range(11)
    ]  # fmt: skip
    write_folder([*asked, question(asked[0].text, asked[0].answer, seed=0, order_class="referential",
                                   key="again")], tmp_path / "raw")  # fmt: skip
    return str(tmp_path / "raw")


def reply(ask, index):
    if "Rewrite it" in ask.text:
        asked, gold = ask.text.split("Question: ")[1].split("\nRight answer: ")
        return json.dumps({"possible": True, "question": asked, "options": sorted(COLOURS),
                           "answer": "ABCD"[sorted(COLOURS).index(gold)]})  # fmt: skip
    return f"\\boxed{{{'ABCD'[index % 4]}}}"


def settings(folder, **sections):
    values = {
        "sources": [folder],
        "rephrase": {"model": "teacher"},
        "rollouts": {"model": "student", "replies": 8, "accuracy": [0.0, 0.9]},
        "labels": {},
    }
    return settings_from_dict(values | sections)


@pytest.fixture
def models():
    return {name: ScriptedModel(reply, name) for name in ("teacher", "student")}


def run(folder, out, models, **sections):
    return prepare(settings(folder, **sections), out, lambda described: models[described.model])


def test_questions_come_out_as_training_data(folder, tmp_path, models):
    report = run(folder, tmp_path / "out", models)
    assert [(s.name, s.entered, s.left) for s in report.stages] == [
        ("rules", 12, 11), ("rephrase", 11, 11), ("rollouts", 11, 11), ("labels", 11, 11),
    ]  # fmt: skip
    assert report.stages[0].dropped == {"duplicate": 1}
    assert report.stages[1].done == {"by model": 11}
    assert report.before["gold"] == {"open": 12}
    assert sum(report.after["gold"].values()) == 11
    assert report.before["accuracy"] == report.after["accuracy"] == {"0.2": 11}
    assert set(report.after["gold"]) == {f"option {letter}" for letter in "ABCD"}
    found = perl_env.load_questions(report.dataset, split="train")
    assert len(found) == 11
    for one in found:
        assert one.options == tuple(sorted(COLOURS))
        assert grade(one, f"\\boxed{{{one.answer}}}").correct
    raw = {q.key: q for q in perl_env.load_questions(folder)}
    assert all(raw[one.key].images[0].tobytes() == one.images[0].tobytes() for one in found)
    written = json.loads((tmp_path / "out" / "report.json").read_text())
    assert written["after"] == report.after
    assert {p.name for p in tmp_path.iterdir()} == {"out", "raw"}


def test_the_same_call_asks_nobody_again(folder, tmp_path, models):
    first = run(folder, tmp_path / "out", models)
    given = {name: model.given for name, model in models.items()}
    stamp = (tmp_path / "out" / "dataset" / "state.json").stat().st_mtime_ns
    assert run(folder, tmp_path / "out", models) == first
    assert {name: model.given for name, model in models.items()} == given == {"teacher": 11, "student": 88}  # fmt: skip
    assert (tmp_path / "out" / "dataset" / "state.json").stat().st_mtime_ns == stamp


@pytest.mark.parametrize("name", ["teacher", "student"])
@pytest.mark.parametrize("after", [0, 5])
def test_a_model_that_goes_away_is_asked_only_for_the_rest(folder, tmp_path, models, name, after):
    models[name].stop_after = after
    with pytest.raises(RuntimeError, match="gone"):
        run(folder, tmp_path / "out", models)
    models[name].stop_after = None
    report = run(folder, tmp_path / "out", models)
    assert report.stages[-1].left == 11
    assert (models["teacher"].given, models["student"].given) == (11, 88)


def test_a_changed_configuration_redoes_its_stage_and_the_later_ones(folder, tmp_path, models):
    run(folder, tmp_path / "out", models)
    rule = {"rollouts": {"model": "student", "replies": 8, "accuracy": [0.9, 1.0]}, "labels": {}}
    report = run(folder, tmp_path / "out", models, **rule)
    assert report.redone == ("rollouts", "labels")
    assert (report.stages[-1].left, report.dataset) == (0, None)
    assert not (tmp_path / "out" / "dataset").exists()
    report = run(folder, tmp_path / "out", models, rules={"max_images": 3, "min_images": 3})
    assert report.redone == ("rules", "rephrase", "rollouts", "labels")
    assert report.dataset is not None
    assert (models["teacher"].given, models["student"].given) == (11, 88)


def test_a_label_of_a_person_counts_at_the_next_call(folder, tmp_path, models):
    asked = question("Does the light change?", "yes", seed=50, order_class="temporal")
    write_folder([asked, question(seed=51)], tmp_path / "more")
    sections = {"sources": [str(tmp_path / "more")], "labels": {"trust_source": False}}

    def again():
        return prepare(settings_from_dict(sections), tmp_path / "out", models.get)

    report = again()
    assert (report.stages[-1].left, report.waiting) == (1, 1)
    path = tmp_path / "out" / "labels.jsonl"
    line = json.loads(path.read_text())
    assert (line["key"], line["order_class"]) == ("50", None)
    path.write_text(json.dumps(line | {"order_class": "temporal"}) + "\n")
    report = again()
    assert (report.stages[-1].left, report.waiting, report.redone) == (2, 0, ("labels",))
    assert {q.order_class for q in perl_env.load_questions(report.dataset, split="train")} == {"temporal", "invariant"}  # fmt: skip


def test_a_source_that_changed_is_surveyed_again(folder, tmp_path, models):
    run(folder, tmp_path / "out", models)
    rows = (Path(folder) / "questions.jsonl").read_text().splitlines()
    (Path(folder) / "questions.jsonl").write_text("\n".join([*rows[:3], *rows[4:]]) + "\n")
    report = run(folder, tmp_path / "out", models)
    assert [s.left for s in report.stages] == [10] * 4
    assert len(perl_env.load_questions(report.dataset, split="train")) == 10
    assert (models["teacher"].given, models["student"].given) == (11, 88)


def test_a_folder_of_somebody_else_is_left_alone(folder, tmp_path, models):
    (tmp_path / "out" / "dataset").mkdir(parents=True)
    (tmp_path / "out" / "dataset" / "mine").write_text("keep")
    with pytest.raises(InputError, match="holds something else"):
        run(folder, tmp_path / "out", models)
    assert (tmp_path / "out" / "dataset" / "mine").read_text() == "keep"


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({}, "no questions to prepare"),
        ({"sources": ["x"], "rule": {}}, "'rules' \\(the nearest\\)"),
        ({"sources": ["x"], "rules": {"min_image": 2}}, "'min_images' \\(the nearest\\)"),
        (
            {"sources": ["x"], "rules": {"min_images": 5, "max_images": 2}},
            "min_images ≤ max_images",
        ),
        ({"sources": ["x"], "rules": {"duplicates": "yes"}}, "wrong type"),
        ({"sources": ["x"], "rules": 3}, "section without keys"),
        ({"sources": [{"split": "train"}]}, "source without a task"),
        ({"sources": "x"}, "not a list"),
        ({"sources": ["x"], "rollouts": {"replies": 3}}, "missing or unusable setting"),
        ({"sources": ["x"], "rollouts": {"model": "m"}}, "either accuracy or probability"),
        ({"sources": ["x"], "labels": {"model": {"name": "m"}}}, "no model"),
        ([], "no configuration"),
    ],
)
def test_settings_that_cannot_work_are_told(values, complaint):
    with pytest.raises(InputError, match=complaint):
        settings_from_dict(values)


def test_the_example_can_be_read():
    values = yaml.safe_load((ROOT / "configs" / "prepare_example.yaml").read_text())
    assert settings_from_dict(values).rollouts.model.model == "embedded"


KILLED = """
import sys, time
sys.path.insert(0, {root!r})
from tests.perl_env.curation.test_pipeline import prepare, reply, settings
from tests.perl_env.curation.models import ScriptedModel

def slow(ask, index):
    with open({log!r}, "a") as file:
        file.write(f"{{ask.seed}} {{index}}\\n")
    time.sleep(0.01)
    return reply(ask, index)

prepare(settings({folder!r}), {out!r}, lambda described: ScriptedModel(slow, described.model))
"""


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_and_asks_at_most_one_answer_again(folder, tmp_path):
    """One model answers one by one here, so that one answer is on its way when the process dies."""
    log, out = tmp_path / "log", tmp_path / "out"
    script = KILLED.format(root=str(ROOT), log=str(log), folder=folder, out=str(out))
    kills = 0
    for wait_for in (3, 9, 30, 70, 95, None):
        process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
        while process.poll() is None:
            if wait_for and log.exists() and len(log.read_text().splitlines()) >= wait_for:
                os.kill(process.pid, signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.005)
        process.wait()
    assert process.returncode == 0
    assert kills >= 4
    assert 99 <= len(log.read_text().splitlines()) <= 99 + kills
    assert len(perl_env.load_questions(str(out / "dataset"), split="train")) == 11
