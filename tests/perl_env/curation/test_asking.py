"""Answers that are paid for once, whatever happens."""

from __future__ import annotations

import json

import pytest

from perl_env.curation.asking import Answers, Sampling, Wanted, json_in
from tests.perl_env.curation.models import ScriptedModel

SAMPLING = Sampling(1.0, 10)


def wanted(counts):
    return [Wanted(["q", n], count, lambda n=n: ((), f"question {n}")) for n, count in enumerate(counts)]  # fmt: skip


@pytest.fixture
def open_answers(tmp_path):
    opened = []

    def _open():
        opened.append(Answers(tmp_path / "answers.jsonl"))
        return opened[-1]

    yield _open
    for one in opened:
        one.close()


@pytest.mark.parametrize("stop_after", range(0, 12))
def test_after_a_stop_at_any_answer_only_the_others_are_asked(open_answers, stop_after):
    model = ScriptedModel(lambda ask, i: f"{ask.text} {ask.seed} {i}", stop_after=stop_after)
    with pytest.raises(RuntimeError, match="gone"):
        open_answers().of(model, SAMPLING, wanted([3] * 4))
    model.stop_after = None
    found = open_answers().of(model, SAMPLING, wanted([3] * 4))
    assert model.given == 12
    assert [len(set(texts)) for texts in found] == [3] * 4
    assert open_answers().of(model, SAMPLING, wanted([3] * 4)) == found
    assert model.given == 12


def test_a_line_that_was_cut_off_is_asked_again_and_no_other(open_answers, tmp_path):
    model = ScriptedModel(lambda ask, i: "a" * 30)
    open_answers().of(model, SAMPLING, wanted([1] * 3))
    path = tmp_path / "answers.jsonl"
    path.write_bytes(path.read_bytes()[:-7])
    open_answers().of(model, SAMPLING, wanted([1] * 3))
    assert model.given == 4
    assert all(json.loads(line) for line in path.read_text().splitlines())


def test_more_answers_cost_only_what_is_new_and_another_model_is_asked_itself(open_answers):
    model, answers = ScriptedModel(lambda ask, i: "x"), open_answers()
    answers.of(model, SAMPLING, wanted([4]))
    answers.of(model, SAMPLING, wanted([10]))
    assert model.given == 10
    assert len({ask.seed for ask in model.asked}) == 2
    answers.of(model, SAMPLING, wanted([6]))
    assert model.given == 10
    answers.of(ScriptedModel(lambda ask, i: "y", name="other"), SAMPLING, wanted([1]))
    answers.of(model, Sampling(0.5, 10), wanted([1]))
    assert model.given == 11


def test_the_same_thing_wanted_twice_is_asked_once(open_answers):
    model = ScriptedModel(lambda ask, i: "x")
    assert open_answers().of(model, SAMPLING, wanted([2]) + wanted([3])) == [["x"] * 2, ["x"] * 3]
    assert model.given == 3


def test_no_text_in_an_answer_is_half_a_character():
    answer = r'{"question": "How \ud800 many?", "options": [{"\udfff": 1}, "\ud83d\ude00"]}'
    assert json_in(answer) == {
        "question": "How \ufffd many?",
        "options": [{"\ufffd": 1}, "\U0001f600"],
    }
