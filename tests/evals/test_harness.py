from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import evals
from agents.engines.base import Prompt, SamplingParams
from agents.engines.partial import PartialRepliesError
from evals.errors import EvaluationStoppedError
from evals.harness import merge
from evals.orders import balanced_orders
from evals.plan import make_plan, order_generator, questions_digest
from evals.report import report_directories
from evals.run_directory import read_rows
from evals.table import COLUMNS
from perl_env.errors import InputError, UnsoundRewriteError
from perl_env.prompts import INSTRUCTION

from .policies import (
    PolicyEngine,
    colour_of,
    first_slot,
    guess,
    how_many,
    look,
    silent,
    unrewritable,
    which_image,
)

WHICH = [which_image(f"which-{gold}", gold) for gold in range(3)]


def test_an_oracle_is_right_in_every_order() -> None:
    result = evals.evaluate(PolicyEngine(look), [*WHICH, how_many("many")], orders=6, repeats=2)
    values = {name: estimate.value for name, estimate in result.metrics.items()}
    assert {name for name, value in values.items() if value == 1.0} == {
        "accuracy_canonical", "accuracy_mean", "accuracy_worst", "all_orders_correct", "accuracy_best",
        "consistency", "consistent_accuracy", "majority_vote", "pairwise_agreement", "moves_with_picture",
    }  # fmt: skip
    assert {name for name, value in values.items() if value == 0.0} == {
        "accuracy_spread", "flip_rate", "normalized_entropy", "sticks_to_slot", "noise_floor",
        "cross_order_disagreement", "order_effect", "flip_rate_effect", "consistency_effect",
        "entropy_effect", "unparsable_rate",
    }  # fmt: skip
    assert len(values) == 21
    assert result.table["chosen_slot"].equals(result.table["gold_slot"])
    assert result.table["well_formed"].all()


def test_a_policy_that_always_names_the_first_slot() -> None:
    result = evals.evaluate(PolicyEngine(first_slot), WHICH, orders=6, repeats=2)
    values = {name: estimate.value for name, estimate in result.metrics.items()}
    assert values["accuracy_canonical"] == pytest.approx(1 / 3)
    assert values["accuracy_mean"] == pytest.approx(1 / 3)
    assert values["accuracy_worst"] == 0.0
    assert values["accuracy_best"] == 1.0
    assert values["flip_rate"] == 1.0
    assert values["consistency"] == pytest.approx(1 / 3)
    assert values["consistent_accuracy"] == 0.0
    assert values["normalized_entropy"] == pytest.approx(1.0)
    assert values["noise_floor"] == 0.0
    # each picture is first in 2 of 6 orders: 3 of the 15 pairs of orders agree
    assert values["cross_order_disagreement"] == pytest.approx(12 / 15)
    assert values["order_effect"] == pytest.approx(12 / 15)
    assert (values["moves_with_picture"], values["sticks_to_slot"]) == (0.0, 1.0)
    curve = {slot: estimate.value for slot, estimate in result.metrics.gold_slots.items()}
    assert curve == {0: 1.0, 1: 0.0, 2: 0.0}
    assert result.metrics.choices["chosen"].tolist() == [1.0, 0.0, 0.0]
    assert result.metrics.choices["gold"].tolist() == pytest.approx([1 / 3] * 3)


def test_a_guesser_flips_all_the_time_and_yet_has_no_order_effect() -> None:
    questions = [which_image(f"q{i}", i % 3) for i in range(150)]
    metrics = evals.evaluate(PolicyEngine(guess), questions, orders=4, repeats=3).metrics
    assert metrics["flip_rate"].value > 0.9
    assert metrics["order_effect"].low < 0 < metrics["order_effect"].high
    assert metrics["noise_floor"].value == pytest.approx(2 / 3, abs=0.05)


def test_groups_of_classes_are_kept_apart() -> None:
    result = evals.evaluate(PolicyEngine(first_slot), [*WHICH, how_many("many")], task="mine")
    parts = result.metrics.parts
    assert parts["class_group"]["equivariant"]["flip_rate"].value == 1.0
    assert parts["class_group"]["invariant"]["flip_rate"].value == 0.0
    assert parts["class_group"]["equivariant"]["flip_rate"].questions == 3
    assert set(parts["kind"]) == {"which", "count"}
    assert set(parts["task"]) == {"mine"}


def test_table_has_one_row_a_reply_and_the_promised_columns() -> None:
    table = evals.evaluate(PolicyEngine(look), WHICH, orders=4, repeats=3).table
    assert list(table.columns) == list(COLUMNS)
    assert len(table) == 3 * 4 * 3
    row = table.iloc[0]
    assert (row["question"], row["order"], row["repeat"]) == ("which-0", "0-1-2", 0)
    assert (row["canonical"], row["gold_slot"], row["n_images"], row["n_choices"]) == (
        "Image 1",
        0,
        3,
        3,
    )
    assert table["correct"].dtype == bool
    moved = table[(table["question"] == "which-0") & (table["order"] != "0-1-2")]
    assert (moved["canonical"] == "Image 1").all()
    for order, slot in zip(moved["order"], moved["gold_slot"], strict=True):
        assert order.split("-").index("0") == slot


def test_an_unparsable_reply_has_no_canonical_answer() -> None:
    result = evals.evaluate(PolicyEngine(silent), WHICH, orders=2, repeats=1)
    assert all(answer is None for answer in result.table["canonical"])
    assert not result.table["correct"].any()
    assert result.table["chosen_slot"].isna().all()
    assert result.metrics["unparsable_rate"].value == 1.0
    assert result.metrics["flip_rate"].value == 1.0


def test_prompts_show_pictures_in_the_order_that_the_table_names() -> None:
    engine = PolicyEngine(look)
    table = evals.evaluate(engine, [WHICH[1]], orders=6, repeats=1, instruction="Answer.").table
    canonical = [colour_of(image) for image in WHICH[1].images]
    for prompt, order in zip(engine.prompts, table["order"], strict=True):
        assert [colour_of(i) for i in prompt.images] == [
            canonical[int(s)] for s in order.split("-")
        ]
        assert prompt.text == "Which image is red?\nAnswer."
    default = PolicyEngine(look)
    evals.evaluate(default, [WHICH[1]], orders=1, repeats=1)
    assert default.prompts[0].text.endswith(INSTRUCTION)


def test_orders_depend_on_seed_and_key_alone() -> None:
    def orders(questions, seed=0):
        table = evals.evaluate(PolicyEngine(look), questions, orders=3, repeats=1, seed=seed).table
        return {key: list(rows["order"]) for key, rows in table.groupby("question")}

    questions = [which_image(f"q{i}", n=4) for i in range(8)]
    everything = orders(questions)
    assert orders(questions[5:]) == {key: everything[key] for key in ("q5", "q6", "q7")}
    assert orders(questions, seed=1) != everything
    assert all(found[0] == "0-1-2-3" and len(set(found)) == 3 for found in everything.values())
    assert len({tuple(found) for found in everything.values()}) > 4
    assert everything["q0"] == [
        "-".join(map(str, order))
        for order in balanced_orders(questions[0], 3, order_generator(0, "q0"))
    ]


def test_orders_are_the_same_in_every_process() -> None:
    code = (
        "from evals.plan import order_generator; print(order_generator(3, 'key').integers(1 << 40))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(found.stdout) == order_generator(3, "key").integers(1 << 40)


def test_importing_the_package_is_light() -> None:
    code = "import sys, evals; print(sorted({'pandas', 'torch', 'agents'} & sys.modules.keys()))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
    for name in evals.__all__:
        assert getattr(evals, name) is not None
    with pytest.raises(AttributeError):
        evals.nothing  # noqa: B018


def test_replies_do_not_depend_on_how_many_prompts_go_into_a_call() -> None:
    one, many = (
        evals.evaluate(PolicyEngine(guess), WHICH, prompts_per_call=n, seed=4).table
        for n in (1, 50)
    )
    pd.testing.assert_frame_equal(one, many)
    other = evals.evaluate(PolicyEngine(guess), WHICH, seed=5).table
    assert list(other["reply"]) != list(one["reply"])


def test_a_question_that_cannot_be_rewritten_is_excluded_and_counted() -> None:
    questions = [WHICH[0], unrewritable("bad")]
    result = evals.evaluate(PolicyEngine(look), questions, repeats=1)
    assert set(result.table["question"]) == {"which-0"}
    assert [excluded.question for excluded in result.excluded] == ["bad"]
    assert "rank list" in result.excluded[0].reason
    with pytest.raises(UnsoundRewriteError):
        evals.evaluate(PolicyEngine(look), questions, repeats=1, strict=True)
    with pytest.raises(InputError, match="no question can be asked"):
        evals.evaluate(PolicyEngine(look), questions[1:], repeats=1)


@pytest.mark.parametrize(
    ("questions", "arguments", "message"),
    [
        ([], {}, "no questions"),
        (WHICH, {"repeats": 0}, "too few repeats"),
        (WHICH, {"orders": 0}, "too few orders"),
        ([WHICH[0], WHICH[0]], {}, "two questions have one key"),
        ([which_image(""), *WHICH], {}, "without a key"),
    ],
)
def test_unusable_arguments(questions, arguments, message: str) -> None:
    with pytest.raises(InputError, match=message):
        evals.evaluate(PolicyEngine(look), questions, **arguments)


def test_questions_without_keys_are_numbered() -> None:
    table = evals.evaluate(
        PolicyEngine(look), [which_image(""), which_image("", 1)], orders=1
    ).table
    assert list(table["question"].unique()) == ["0", "1"]


def test_questions_given_in_another_order_are_asked_from_the_canonical_one() -> None:
    from perl_env.permutation import permute

    table = evals.evaluate(PolicyEngine(look), [permute(WHICH[0], (2, 0, 1))], orders=2).table
    assert table["order"].iloc[0] == "0-1-2"
    assert table["gold_slot"].iloc[0] == 0


def test_progress_is_told_after_every_call() -> None:
    told: list[tuple[int, int]] = []
    evals.evaluate(PolicyEngine(look), WHICH, orders=2, repeats=2, prompts_per_call=4,
                   progress=lambda *step: told.append(step))  # fmt: skip
    assert told == [(8, 12), (12, 12)]


def test_sampling_reaches_the_engine() -> None:
    seen = []

    class Listening(PolicyEngine):
        def generate(self, prompts, replies_per_prompt=1, sampling=SamplingParams()):  # noqa: B008
            seen.append(sampling)
            return super().generate(prompts, replies_per_prompt, sampling)

    sampling = SamplingParams(temperature=0.5, max_new_tokens=7)
    evals.evaluate(Listening(look), WHICH, sampling=sampling)
    assert set(seen) == {sampling}


def half_characters(prompt: Prompt, rng=None) -> str:
    """Right, but for halves of surrogate pairs in the reply, the last one in the answer."""
    return "\ud800" + look(prompt) + ("\\boxed{\udfff}" if prompt.seed % 2 else "\udc00")


@pytest.mark.parametrize("raw", [False, True])
def test_a_reply_that_cannot_be_encoded_ends_no_evaluation(tmp_path, raw: bool) -> None:
    questions = [*WHICH, how_many("many")]
    if not raw:
        result = evals.run_evaluation(PolicyEngine(half_characters), questions, tmp_path / "out")
    else:  # as a folder holds them that was begun before replies were made encodable
        evals.run_evaluation(PolicyEngine(half_characters), questions, tmp_path / "out")
        path = tmp_path / "out" / "replies.jsonl"
        path.write_text(path.read_text().replace("\\ufffd", "\\ud800"))
        assert "\\ud800" in path.read_text()
        result = evals.run_evaluation(PolicyEngine(look), questions, tmp_path / "out")
    table = result.table
    assert table["reply"].str.startswith("\ufffd").all()
    text = table.to_csv() + table.to_json()
    assert "\ufffd" in text
    page = report_directories([tmp_path / "out"], tmp_path / "page.html", tmp_path / "exports")
    assert page.exists()
    assert (tmp_path / "exports" / "model_card.md").exists()
    for file in tmp_path.rglob("*.*"):
        if file.suffix in {".html", ".csv", ".md", ".json", ".jsonl"}:
            file.read_text(encoding="utf-8")


class UnreachableError(ConnectionError):
    """The server is gone."""


class FailingEngine(PolicyEngine):
    """Its server goes away in the middle of a call: some prompts are answered, others are not."""

    def __init__(self, policy, prompts: int, tells_partial: bool):
        super().__init__(policy)
        self.left, self.tells_partial = prompts, tells_partial

    def generate(self, prompts, replies_per_prompt=1, sampling=SamplingParams()):  # noqa: B008
        answered = prompts[: self.left]
        replies = super().generate(answered, replies_per_prompt[: self.left], sampling)
        self.left -= len(answered)
        if len(answered) == len(prompts):
            return replies
        if not self.tells_partial:
            raise UnreachableError("no route to host")
        rest = [None] * (len(prompts) - len(answered))
        raise PartialRepliesError("some are missing", [*replies, *rest]) from UnreachableError(
            "no route"
        )


@pytest.mark.parametrize(("tells_partial", "kept"), [(True, 7), (False, 4)])
def test_an_engine_that_fails_in_the_middle_loses_nothing(tmp_path, tells_partial, kept) -> None:
    arguments = {"orders": 4, "repeats": 2, "prompts_per_call": 4, "model": "m"}
    failing = FailingEngine(guess, prompts=7, tells_partial=tells_partial)
    with pytest.raises(
        EvaluationStoppedError, match=f"{kept * 2} of 24 .*UnreachableError.*same command"
    ):
        evals.run_evaluation(failing, WHICH, tmp_path / "out", **arguments)
    assert len(read_rows(tmp_path / "out")) == kept * 2
    whole = evals.run_evaluation(PolicyEngine(guess), WHICH, tmp_path / "whole", **arguments)
    engine = PolicyEngine(guess)
    result = evals.run_evaluation(engine, WHICH, tmp_path / "out", **arguments)
    assert engine.replies_asked == 24 - kept * 2
    pd.testing.assert_frame_equal(result.table, whole.table)


def test_wrong_input_that_an_engine_tells_stays_wrong_input(tmp_path) -> None:
    class Refusing(PolicyEngine):
        def generate(self, *arguments, **named):
            raise InputError(
                "no key", where="API_KEY", expected="one in the environment", got="none"
            )

    with pytest.raises(InputError, match="no key"):
        evals.run_evaluation(Refusing(look), WHICH, tmp_path, model="m")


def test_compare_pairs_questions() -> None:
    oracle = evals.evaluate(PolicyEngine(look), WHICH)
    biased = evals.evaluate(PolicyEngine(first_slot), WHICH)
    differences = oracle.compare(biased)
    assert differences.loc["accuracy_mean", "difference"] == pytest.approx(2 / 3)
    assert differences.loc["flip_rate", "difference"] == -1.0
    assert differences.loc["flip_rate", "questions"] == 3
    other = evals.evaluate(PolicyEngine(look), [which_image("elsewhere")])
    with pytest.raises(InputError, match="share no question"):
        oracle.compare(other)


def test_compare_uses_only_what_both_were_asked() -> None:
    many = evals.evaluate(PolicyEngine(first_slot), WHICH, orders=6)
    few = evals.evaluate(PolicyEngine(first_slot), WHICH, orders=1)
    differences = many.compare(few)
    assert differences.loc["accuracy_mean", "difference"] == 0.0
    assert np.isnan(differences.loc["flip_rate", "difference"])


def test_merged_results_keep_their_tasks() -> None:
    first = evals.evaluate(PolicyEngine(look, "m"), WHICH, task="one")
    second = evals.evaluate(PolicyEngine(look, "m"), [how_many("which-0")], task="two")
    both = merge([first, second])
    assert both.name == "m"
    assert set(both.metrics.parts["task"]) == {"one", "two"}
    assert len(both.table) == len(first.table) + len(second.table)
    assert both.questions["two/which-0"] is second.questions["which-0"]
    assert both.questions.keys() == set(both.table["question"])
    with pytest.raises(InputError, match="share questions"):
        merge([first, first])


def test_plan_knows_what_remains() -> None:
    plan = make_plan(WHICH, orders=6, repeats=2, seed=0)
    assert len(plan.places) == len(set(plan.places)) == 3 * 6 * 2
    assert plan.without(set(plan.places)) == []
    done = set(plan.places) - {("which-1", "0-1-2", 1)}
    (request,) = plan.without(done)
    assert (request.key, request.repeats) == ("which-1", (1,))


def test_digest_sees_every_change_of_a_question() -> None:
    same = [which_image("a"), which_image("b", 1)]
    assert questions_digest(same) == questions_digest([which_image("a"), which_image("b", 1)])
    others = [
        [which_image("a")],
        [which_image("a"), which_image("b", 2)],
        [which_image("a"), which_image("c", 1)],
    ]
    digests = [questions_digest(questions) for questions in (same, *others)]
    assert all(one != other for one, other in itertools.combinations(digests, 2))


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory):
    """A folder with a tiny vision-language model of random weights."""
    from agents.tiny_vlm import build_tiny_vlm, task_texts

    return build_tiny_vlm(tmp_path_factory.mktemp("tiny"), texts=task_texts(20))


def test_a_real_model_is_measured_and_continued(tiny_model, tmp_path) -> None:
    import agents
    import perl_env

    questions = perl_env.load_questions("perl/Shapes-v0", limit=6)
    engine = agents.make_engine(tiny_model)
    arguments = {
        "orders": 3, "repeats": 2, "sampling": SamplingParams(max_new_tokens=6), "model": str(tiny_model),
    }  # fmt: skip
    plain = evals.evaluate(engine, questions, 3, 2, arguments["sampling"])
    assert set(plain.table["question"]) == {question.key for question in questions}
    assert plain.table["reply_tokens"].between(1, 6).all()
    assert plain.table["finish_reason"].isin(["stop", "length"]).all()
    written = evals.run_evaluation(engine, questions, tmp_path, **arguments)
    pd.testing.assert_frame_equal(written.table, plain.table)
    lines = (tmp_path / "replies.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "replies.jsonl").write_text("".join(lines[:10]))
    continued = evals.run_evaluation(engine, questions, tmp_path, **arguments)
    pd.testing.assert_frame_equal(continued.table, plain.table)
    engine.close()
