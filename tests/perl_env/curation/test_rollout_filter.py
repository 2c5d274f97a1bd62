"""Difficulty by rollouts: measured once, filtered by any rule."""

from __future__ import annotations

import pytest

from perl_env.curation.asking import Answers
from perl_env.curation.rollout_filter import filter_by_rollouts, keep_probability
from perl_env.curation.settings import ModelSettings, RolloutSettings
from perl_env.curation.stage_input import StageInput
from perl_env.errors import InputError
from tests.perl_env.curation.models import ScriptedModel, question


def settings(**fields):
    return RolloutSettings(ModelSettings("m"), **{"replies": 4, **fields})


@pytest.fixture
def answers(tmp_path):
    made = Answers(tmp_path / "answers.jsonl")
    yield made
    made.close()


def right_of_four(ask, index):
    """Right so often as the question's text says."""
    return "\\boxed{3}" if index < int(ask.text[0]) else "\\boxed{7}"


def run(answers, model, **fields):
    asked = {str(k): question(f"{k}: how many dogs are in all images?", seed=k) for k in range(5)}
    given = StageInput(list(asked), asked.__getitem__, dict.fromkeys(asked, ""), model, answers)
    return filter_by_rollouts(given, settings(**fields))


def test_accuracy_is_measured_and_another_rule_costs_nothing(answers):
    model = ScriptedModel(right_of_four)
    band = run(answers, model, accuracy=(0.25, 0.75))
    assert [one.note["accuracy"] for one in band] == [0, 0.25, 0.5, 0.75, 1]
    assert [one.kept for one in band] == [False, True, True, True, False]
    assert [band[0].reason, band[4].reason] == ["too hard", "too easy"]
    assert model.given == 20
    other = run(answers, model, probability={0: 0, 0.5: 0, 0.75: 1, 1: 1})
    assert [one.kept for one in other] == [False, False, False, True, True]
    assert other[0].reason == "not drawn for its difficulty"
    assert model.given == 20
    run(answers, model, accuracy=(0, 1), replies=5)
    assert model.given == 25


def test_the_questions_text_and_not_its_gold_is_asked(answers):
    model = ScriptedModel(right_of_four)
    run(answers, model, accuracy=(0, 1))
    assert len(model.asked) == 5
    assert all(ask.count == 4 and len(ask.images) == 3 and "boxed" in ask.text for ask in model.asked)  # fmt: skip


def test_probabilities_lie_on_lines_and_draws_belong_to_the_question():
    rule = settings(probability={0: 1, 0.5: 1, 1: 0.2})
    assert [keep_probability(x, rule) for x in (0, 0.25, 0.75, 1)] == pytest.approx([1, 1, 0.6, 0.2])  # fmt: skip
    from perl_env.curation.rollout_filter import _outcome

    draws = [_outcome(str(key), 1.0, rule, seed=0).kept for key in range(2000)]
    assert 340 <= sum(draws) <= 460
    assert draws == [_outcome(str(key), 1.0, rule, seed=0).kept for key in range(2000)]
    assert draws != [_outcome(str(key), 1.0, rule, seed=1).kept for key in range(2000)]


@pytest.mark.parametrize(
    "fields",
    [{}, {"accuracy": (0, 1), "probability": {0: 1}}, {"accuracy": (0.8, 0.2)}, {"accuracy": (0, 2)},
     {"accuracy": (0.5,)}, {"probability": {0: 3}}, {"accuracy": (0, 1), "replies": 0}],
)  # fmt: skip
def test_rules_that_mean_nothing_are_refused(fields):
    with pytest.raises(InputError):
        settings(**fields)
