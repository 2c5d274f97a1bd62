"""The tasks of lm-eval as far as they do without lm-eval: data, documents, scores, the YAMLs."""

from __future__ import annotations

import math

import pytest
import yaml

from evals import metrics
from evals.harness import evaluate
from evals.lm_eval_tasks import TASKS_PATH
from evals.lm_eval_tasks.documents import COLUMNS, Documents
from evals.lm_eval_tasks.prompt import placed_prompt, placed_text, show_placeholders
from evals.lm_eval_tasks.scores import EXCLUDED, METRICS, document_metrics
from evals.lm_eval_tasks.settings import Settings, data_path, load_documents
from evals.plan import make_plan
from evals.table import order_text
from evals.tasks_path import tasks_path
from perl_env.errors import InputError
from perl_env.questions import QuestionList
from perl_env.registration import TASKS, load_questions
from perl_env.tasks.folder import write_folder
from tests.evals.policies import (
    PolicyEngine,
    first_slot,
    guess,
    how_many,
    look,
    silent,
    unrewritable,
    which_image,
)

OWN = {
    "perl_shapes": "perl/Shapes-v0",
    "perl_digits": "perl/Digits-v0",
    "perl_folder": "perl/Folder-v0",
}
BENCHMARKS = {
    "perl_mantis_eval": "perl/MantisEval-v0",
    "perl_blink": "perl/BLINK-v0",
    "perl_mmiu": "perl/MMIU-v0",
    "perl_mathvista": "perl/MathVista-v0",
    "perl_mathverse": "perl/MathVerse-v0",
    "perl_mathvision": "perl/MathVision-v0",
    "perl_remi": "perl/ReMI-v0",
    "perl_mv_math": "perl/MVMath-v0",
}


class _Loader(yaml.SafeLoader):
    """Leaves functions unresolved, as lm-eval's index does."""


_Loader.add_constructor("!function", lambda loader, node: loader.construct_scalar(node))


def read_yaml(name):
    return yaml.load((TASKS_PATH / name).read_text(), _Loader)  # a safe loader


def test_the_folder_is_printed_alone(capsys):
    tasks_path()
    assert capsys.readouterr().out == f"{TASKS_PATH}\n"


def test_every_task_has_its_yaml_and_is_in_the_group():
    found = {}
    for path in TASKS_PATH.glob("*.yaml"):
        content = read_yaml(path.name)
        if "group" not in content:
            assert content["task"] == path.stem
            assert content["include"] == "_template_yaml"
            found[content["task"]] = content["dataset_path"]
    assert found == OWN | BENCHMARKS
    assert {*OWN.values(), *BENCHMARKS.values()} <= set(TASKS)
    groups = {name: read_yaml(f"{name}.yaml")["task"] for name in ("perl_procedural", "perl_benchmarks")}  # fmt: skip
    members = [name for child in read_yaml("perl.yaml")["task"] for name in groups.get(child, [child])]  # fmt: skip
    assert sorted([*members, "perl_folder"]) == sorted(found)  # a folder is its owner's


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_takes_a_path(name):
    assert {"path", "split", "scoring"} <= set(TASKS[BENCHMARKS[name]].arguments)


def test_the_yaml_lists_the_metrics_that_are_computed_and_their_direction():
    listed = {
        each["metric"]: each["higher_is_better"]
        for each in read_yaml("_template_yaml")["metric_list"]
    }
    computed = {name: metric.better == "higher" for name, metric in METRICS.items()}
    assert listed == computed | {EXCLUDED: False}
    grouped = read_yaml("_group_yaml")["aggregate_metric_list"]
    assert [each["metric"] for each in grouped] == list(listed)


@pytest.mark.parametrize(
    ("metadata", "complaint"),
    [
        ({"orders": 0}, "metadata, orders"),
        ({"orders": "6"}, "metadata, orders"),
        ({"repeats": True}, "metadata, repeats"),
        ({"perl_seed": -1}, "metadata, perl_seed"),
        ({"paths": "here"}, "metadata, paths"),
    ],
)
def test_unusable_settings_are_told(metadata, complaint):
    with pytest.raises(InputError, match=complaint):
        Settings.of(metadata)


def test_a_models_arguments_are_no_settings():
    metadata = {"pretrained": "somewhere", "seed": 7, "max_images": 3, "orders": 2}
    assert Settings.of(metadata) == Settings(orders=2)


def test_data_are_found_by_name_then_path_then_the_variable(tmp_path, monkeypatch):
    for name in ("a", "b", "root/perl_folder"):
        (tmp_path / name).mkdir(parents=True)
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    monkeypatch.setenv("PERL_DATA", str(tmp_path / "root"))
    assert data_path("perl_folder", Settings(path=a, paths={"perl_folder": b})) == b
    assert data_path("perl_blink", Settings(path=a, paths={"perl_folder": b})) == a
    assert data_path("perl_folder", Settings()) == str(tmp_path / "root" / "perl_folder")
    assert data_path("perl_blink", Settings()) is None
    with pytest.raises(InputError, match=r"perl_blink.*PERL_DATA.*nothing at"):
        data_path("perl_blink", Settings(path=str(tmp_path / "nowhere")))


def test_a_task_that_has_no_data_says_how_to_give_them(monkeypatch):
    monkeypatch.delenv("PERL_DATA", raising=False)
    with pytest.raises(InputError, match=r"perl_folder: expected --metadata .*perl_folder"):
        load_documents("perl_folder", "perl/Folder-v0", Settings(), {})


def test_settings_reach_the_loader(tmp_path):
    write_folder(load_questions("perl/Shapes-v0", limit=3), tmp_path, split="train")
    settings = Settings(path=str(tmp_path), split="train", scoring="official", perl_seed=5)
    assert len(load_documents("perl_folder", "perl/Folder-v0", settings, {})) == 3
    drawn = load_documents("perl_shapes", "perl/Shapes-v0", settings, {"size": 7})
    assert (len(drawn), drawn.seed, drawn.split) == (7, 5, "train")


def documents(questions, **settings):
    return Documents(QuestionList(questions), Settings(**settings))


def test_a_document_is_asked_in_the_orders_of_our_own_harness():
    questions = load_questions("perl/Shapes-v0", limit=12)
    plan = make_plan(questions, 4, 1, 3)
    asked = {}
    for request in plan.requests:
        asked.setdefault(request.key, []).append(order_text(request.question.order))
    for document in documents(questions, orders=4, perl_seed=3):
        assert set(document) == set(COLUMNS)
        assert document["orders"] == asked[document["key"]]
        assert document["excluded"] == ""


def test_an_unsound_question_is_kept_as_a_document_with_its_reason():
    found = list(documents([which_image("a"), unrewritable("b")]))
    assert found[0]["excluded"] == ""
    assert found[1]["excluded"]
    assert found[1]["orders"] == ["0-1-2"]
    assert document_metrics(documents([unrewritable("b")]).asked(0), ["x"], 1, "t") == {EXCLUDED: 1}


def test_questions_without_keys_are_numbered():
    found = documents([which_image(""), which_image("")])
    assert [document["key"] for document in found] == ["0", "1"]


@pytest.mark.parametrize("policy", [look, first_slot, silent, guess])
def test_a_documents_metrics_are_those_of_our_own_table(policy):
    questions = [which_image("a"), how_many("b"), which_image("c", gold=2, n=4)]
    for repeats in (1, 2):
        result = evaluate(PolicyEngine(policy), questions, orders=4, repeats=repeats, seed=1)
        expected = metrics.per_question(result.table)
        found = documents(questions, orders=4, repeats=repeats, perl_seed=1)
        for index, question in enumerate(questions):
            rows = result.table[result.table["question"] == question.key]
            values = document_metrics(found.asked(index), list(rows["reply"]), repeats, "t")
            assert values.pop(EXCLUDED) == 0
            known = {name: expected.at[question.key, metric.name] for name, metric in METRICS.items()}  # fmt: skip
            assert values == {name: value for name, value in known.items() if not math.isnan(value)}
            assert ("order_effect" in values) == (repeats > 1)


def test_what_needs_several_orders_is_left_out_for_one():
    values = document_metrics(documents([which_image("a")], orders=1).asked(0), ["x"], 1, "t")
    assert {"acc_canonical", "acc_mean", "unparsable_rate"} <= set(values)
    assert not {"flip_rate", "consistency", "consistent_accuracy"} & set(values)


def test_placeholders_that_data_wrote_are_hidden_and_come_back():
    from agents.processing import PromptProcessor

    hostile = "Is <image> a word? <|image_pad|>"
    placed = placed_prompt(PromptProcessor("embedded"), 2, hostile)
    assert placed.count("<image>") == 2
    assert "<|image_pad|>" not in placed
    assert show_placeholders(placed) == placed_text(2, hostile.replace("<|", "< |"))
