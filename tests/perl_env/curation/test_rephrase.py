"""Open questions that become multiple choice: by sound rules, or by a model whose answers are checked."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perl_env.curation.asking import Answers
from perl_env.curation.outcome import changed
from perl_env.curation.rephrase import by_rule, rephrase
from perl_env.curation.settings import RephraseSettings
from perl_env.curation.stage_input import StageInput
from perl_env.grading import grade
from perl_env.permutation import permute, sample_orders
from perl_env.question import LETTERS
from tests.perl_env.curation.models import ScriptedModel, question


@given(st.integers(-5, 10**6), st.integers(2, 8), st.integers(0, 1000))
def test_numbers_get_other_numbers_and_the_gold_stays_right(gold, n, seed):
    asked = question(answer=str(gold), n=1, order_class="single")
    changes = by_rule(asked, n, seed)
    options = changes["options"]
    assert len(set(options)) == len(options) == n
    assert options[LETTERS.index(changes["answer"])] == str(gold)
    assert gold < 0 or all(int(option) >= 0 for option in options)


def test_the_gold_stands_at_every_place_about_equally():
    places = [by_rule(question(answer="9", n=1, order_class="single"), 4, seed)["answer"] for seed in range(400)]  # fmt: skip
    assert all(70 <= places.count(letter) <= 130 for letter in "ABCD")


@pytest.mark.parametrize(
    ("asked", "options", "letter"),
    [
        (question(answer="Yes"), ("yes", "no"), "A"),
        (question(answer="false"), ("true", "false"), "B"),
        (question("Which image is brighter?", "Image 2", order_class="slot-naming"),
         ("Image 1", "Image 2", "Image 3"), "B"),
        (question("Which image is brighter?", "the last image", order_class="slot-naming"),
         ("Image 1", "Image 2", "Image 3"), "C"),
    ],
)  # fmt: skip
def test_sound_rules(asked, options, letter):
    changes = by_rule(asked)
    assert (changes["options"], changes["answer"]) == (options, letter)
    ready = changed(asked, changes)
    for order in sample_orders(ready, 6, __import__("numpy").random.default_rng(0)):
        permuted = permute(ready, order)
        assert grade(permuted, f"\\boxed{{{permuted.answer}}}").correct


@pytest.mark.parametrize(
    "asked",
    [
        question(answer="red"),
        question(answer="3.5"),
        question("Approximately how many dogs are in all images?", "30"),
        question("How many are at least shown in all images?", "3"),
        question("Which two images are alike?", "Images 1 and 2", order_class="slot-naming"),
        question("Sort the images.", "3-1-2", order_class="index-list", index_list="sequence"),
    ],
)
def test_where_no_rule_is_sound_nothing_is_changed(asked):
    assert by_rule(asked) == {}


def test_a_benchmarks_instruction_for_the_open_form_goes():
    asked = question(answer="3", instruction="Answer with a number.", scoring="MathVista")
    ready = changed(asked, by_rule(asked))
    assert (ready.instruction, ready.scoring, len(ready.options)) == (None, "strict", 4)


@pytest.fixture
def answers(tmp_path):
    made = Answers(tmp_path / "answers.jsonl")
    yield made
    made.close()


def run(asked, model, answers, **settings):
    given = StageInput([asked.key], lambda _: asked, {asked.key: "pixels"}, model, answers)
    (outcome,) = rephrase(given, RephraseSettings(**settings))
    assert outcome.kept
    return outcome


def said(**fields):
    return json.dumps({"possible": True, **fields})


def test_a_sound_rephrasing_is_taken(answers):
    asked = question("What colour is the ball in image 2?", "red", order_class="referential")
    model = ScriptedModel(lambda ask, i: "Sure:\n" + said(
        question="Which colour has the ball in image 2?", options=["A. blue", "B. red"], answer="B"))  # fmt: skip
    outcome = run(asked, model, answers)
    ready = changed(asked, outcome.changes)
    assert outcome.reason == "by model"
    assert (ready.options, ready.answer) == (("blue", "red"), "B")
    assert permute(ready, (1, 0, 2)).text == "Which colour has the ball in image 1?"
    assert "red" in model.asked[0].text
    assert len(model.asked[0].images) == 3


WRONG = [
    ("no json at all", "no JSON object"),
    (said(question="In image 2?", options=["red", "Red."], answer="A"), "say the same"),
    (said(question="In image 2?", options=["green", "blue"], answer="A"), "not among the options"),
    (said(question="In image 2?", options=["red", "blue"], answer="B"), "not among the options"),
    (said(question="In image 2?", options=["red", "blue"], answer="C"), "is no option"),
    (said(question="In image 3?", options=["red", "blue"], answer="A"), "other images"),
    (said(question="And in <image_1>?", options=["red", "blue"], answer="A"), "other placeholders"),
    (said(question="In image 2?", options=["red"], answer="A"), "too few"),
    (said(question="", options=["red", "blue"], answer="A"), "no question"),
    (said(question="In image 2?", options=["red", 3], answer="A"), "no list"),
    (said(question="In image 2, after the previous image?", options=["red", "blue"], answer="A"), ""),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "why"), WRONG)
def test_a_rephrasing_that_is_not_valid_is_asked_again_and_then_left(answers, answer, why):
    asked = question("What colour is the ball in image 2?", "red", order_class="referential")
    model = ScriptedModel(lambda ask, i: answer)
    outcome = run(asked, model, answers, attempts=3)
    assert outcome.reason.startswith("open, since the rephrasing is not valid")
    assert why in outcome.reason
    assert not outcome.changes
    assert len(model.asked) == 3
    assert len({ask.seed for ask in model.asked}) == 3


def test_what_cannot_be_rephrased_stays_open_and_nobody_is_asked_twice(answers, tmp_path):
    asked = question("What do they have in common?", "all are red")
    model = ScriptedModel(lambda ask, i: '{"possible": false}')
    for _ in range(2):
        assert run(asked, model, answers).reason == "open, since it cannot be rephrased"
    assert len(model.asked) == 1
    assert run(asked, None, answers).reason == "open, since no rule is sound"
