"""Who decides what another order does: the rules, a model where they are unsure, a person above both."""

from __future__ import annotations

import json

import pytest

from perl_env.curation.asking import Answers
from perl_env.curation.outcome import changed
from perl_env.curation.semantic_label import label, read_labels, write_labels
from perl_env.curation.settings import LabelSettings
from perl_env.curation.stage_input import StageInput
from perl_env.curation.workspace import Workspace
from perl_env.errors import InputError
from tests.perl_env.curation.models import ScriptedModel, question

SURE = question("How many dogs are there in all images?", "3")
UNSURE = question("Does the light change?", "yes", seed=1)
WRONGLY_CLASSED = question("Is image 2 brighter than image 1?", "yes", seed=2)


@pytest.fixture
def run(tmp_path):
    def _run(asked, model=None, told=(), **settings):
        path = tmp_path / "labels.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in told))
        answers = Answers(tmp_path / "answers.jsonl")
        try:
            given = StageInput([asked.key], lambda _: asked, {asked.key: ""}, model, answers)
            (outcome,) = label(given, LabelSettings(**settings), read_labels(path))
            return outcome
        finally:
            answers.close()

    return _run


def says(order_class, changes):
    return ScriptedModel(lambda ask, i: json.dumps({"order_class": order_class, "answer_changes": changes}))  # fmt: skip


def test_a_certain_rule_decides_and_nobody_is_asked(run):
    model = says("temporal", True)
    outcome = run(SURE, model)
    assert (outcome.kept, outcome.reason, dict(outcome.changes)) == (True, "by rule", {})
    assert not model.asked
    untrusted = run(WRONGLY_CLASSED, trust_source=False)
    assert changed(WRONGLY_CLASSED, untrusted.changes).order_class == "referential"


def test_rules_that_contradict_the_source_are_for_a_person(run):
    outcome = run(WRONGLY_CLASSED)
    assert not outcome.kept
    assert outcome.reason == "rules and source disagree"


def test_where_the_rules_are_unsure_a_model_that_agrees_counts(run):
    assert run(UNSURE, says("invariant", False)).reason == "by model"
    assert run(UNSURE).reason == "by its source"
    assert run(UNSURE, trust_source=False).reason == "nobody is certain"


def test_a_model_that_agrees_with_nobody_is_for_a_person(run):
    outcome = run(UNSURE, says("slot-naming", True))
    assert (outcome.kept, outcome.reason) == (False, "model disagrees with rules and source")


@pytest.mark.parametrize(
    "answer",
    ["no idea", '{"order_class": "invariant"}', '{"order_class": "sideways", "answer_changes": true}',
     '{"order_class": "invariant", "answer_changes": true}',
     '{"order_class": "slot-naming", "answer_changes": false}'],
)  # fmt: skip
def test_answers_that_make_no_sense_do_not_count(run, answer):
    model = ScriptedModel(lambda ask, i: answer)
    outcome = run(UNSURE, model, attempts=2)
    assert outcome.reason == "by its source"
    assert outcome.note["model_problem"]
    assert len(model.asked) == 2


def test_a_person_overrides_all_others(run):
    model = says("temporal", True)
    outcome = run(SURE, model, [{"key": SURE.key, "order_class": "temporal"}])
    assert (outcome.kept, outcome.reason) == (True, "by a person")
    assert changed(SURE, outcome.changes).pinned == (0, 1, 2)
    assert not run(SURE, None, [{"key": SURE.key, "order_class": "malformed"}]).kept
    listed = question("Sort the images from dark to bright.", "3-1-2", seed=4)
    told = {"key": listed.key, "order_class": "index-list", "index_list": "sequence"}
    assert changed(listed, run(listed, None, [told]).changes).index_list == "sequence"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [({"key": "0", "order_class": "sideways"}, "unknown order class"), ({"order_class": None}, "cannot be read"),
     ({"key": "0", "order_class": "index-list"}, "label cannot be used")],
)  # fmt: skip
def test_labels_that_cannot_be_used_are_errors(run, line, complaint):
    with pytest.raises(InputError, match=complaint):
        run(SURE, None, [line])


def test_what_a_person_wrote_is_never_lost(tmp_path, run):
    told = [
        {"key": UNSURE.key, "order_class": None, "my note": "ask Ann"},
        {"key": "gone", "order_class": "layout"},
    ]
    outcome = run(WRONGLY_CLASSED, None, told)
    questions = {UNSURE.key: UNSURE, WRONGLY_CLASSED.key: WRONGLY_CLASSED}
    with Workspace(tmp_path / "out") as workspace:
        (workspace.path / "labels.jsonl").write_text("".join(json.dumps(t) + "\n" for t in told))
        for _ in range(2):
            labels = read_labels(workspace.path / "labels.jsonl")
            assert write_labels(workspace, [outcome], questions.get, labels) == 1
        lines = [json.loads(t) for t in (workspace.path / "labels.jsonl").read_text().splitlines()]
    assert lines[:2] == told
    assert [line["key"] for line in lines] == ["1", "gone", "2"]
    assert lines[2]["order_class"] is None
    assert lines[2]["rules"] == "referential"
