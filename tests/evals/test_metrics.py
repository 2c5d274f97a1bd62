from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals import metrics
from evals.slots import accuracy_by_gold_slot, slot_choices
from perl_env.errors import InputError

from .slow_metrics import slow_metrics
from .tables import make_table, reply_tables, with_slots

IDENTITY, SECOND, THIRD, FOURTH = "0-1-2", "0-2-1", "1-0-2", "1-2-0"


def test_by_hand_a_question_that_flips_once() -> None:
    table = make_table(
        {"q": {IDENTITY: ["a", "a"], SECOND: ["a", "b"], THIRD: ["b", "b"], FOURTH: ["a", "a"]}},
        {"q": "a"},
    )
    assert metrics.accuracy_canonical(table) == 1.0
    assert metrics.accuracy_mean(table) == pytest.approx((1 + 0.5 + 0 + 1) / 4)
    assert metrics.accuracy_worst(table) == 0.0
    assert metrics.accuracy_best(table) == 1.0
    assert metrics.flip_rate(table) == 1.0
    assert metrics.consistency(table) == 3 / 4
    assert metrics.consistent_accuracy(table) == 1.0
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25)) / math.log(4)
    assert metrics.normalized_entropy(table) == pytest.approx(entropy)
    # same order: 4 pairs, of which the one of SECOND disagrees
    assert metrics.noise_floor(table) == 1 / 4
    # across orders: 8 replies, a five times and b three; 28 pairs, 10 + 3 agree, of which
    # aa, bb, aa lie in one order; 24 pairs remain, 10 of which agree
    assert metrics.cross_order_disagreement(table) == pytest.approx(14 / 24)
    assert metrics.order_effect(table) == pytest.approx(14 / 24 - 1 / 4)
    assert metrics.unparsable_rate(table) == 0.0


def test_by_hand_unparsable_replies_agree_with_nothing() -> None:
    table = make_table(
        {"silent": {IDENTITY: [None, None], SECOND: [None, None]},
         "once": {IDENTITY: ["a", "a"], SECOND: [None, "a"]}},
        {"silent": "a", "once": "a"},
    )  # fmt: skip
    values = metrics.per_question(table)
    silent, once = values.loc["silent"], values.loc["once"]
    assert silent["flip_rate"] == 1.0
    assert silent["consistency"] == 0.0
    assert silent["consistent_accuracy"] == 0.0
    assert silent["normalized_entropy"] == pytest.approx(1.0)
    assert silent["noise_floor"] == silent["cross_order_disagreement"] == 1.0
    assert silent["order_effect"] == 0.0  # noise, not order
    assert silent["unparsable_rate"] == 1.0
    assert once["flip_rate"] == 1.0
    assert once["consistency"] == 0.5
    assert once["consistent_accuracy"] == 1.0  # the one answer there is wins
    assert once["noise_floor"] == 0.5
    assert once["cross_order_disagreement"] == 0.5
    assert once["unparsable_rate"] == 0.25


def test_a_tie_is_not_consistently_right() -> None:
    table = make_table({"q": {IDENTITY: ["a"], SECOND: ["b"]}}, {"q": "a"})
    assert metrics.consistent_accuracy(table) == 0.0
    assert metrics.consistency(table) == 0.5


def test_a_single_order_says_nothing_about_orders() -> None:
    table = make_table(
        {"one": {IDENTITY: ["a"]}, "two": {IDENTITY: ["a"], SECOND: ["a"]}},
        {"one": "a", "two": "a"},
    )
    values = metrics.per_question(table)
    across = [
        "flip_rate",
        "consistency",
        "consistent_accuracy",
        "normalized_entropy",
        "order_effect",
    ]
    assert values.loc["one", across].isna().all()
    assert metrics.flip_rate(table) == 0.0
    assert values.loc["one", "accuracy_worst"] == 1.0
    assert math.isnan(metrics.noise_floor(table))  # nothing was repeated
    assert math.isnan(metrics.flip_rate(table[table["question"] == "one"]))


def test_entropy_knows_how_many_answers_are_possible() -> None:
    replies = {"q": {IDENTITY: ["yes"], SECOND: ["no"], THIRD: ["yes"], FOURTH: ["no"]}}
    table = make_table(replies, {"q": "yes"})
    assert metrics.normalized_entropy(table) == pytest.approx(0.5)
    assert metrics.normalized_entropy(table.assign(n_choices=2)) == pytest.approx(1.0)


def test_further_repeats_do_not_change_agreement_across_orders() -> None:
    once = make_table({"q": {IDENTITY: ["a"], SECOND: ["a"]}}, {"q": "a"})
    twice = make_table({"q": {IDENTITY: ["a", "b"], SECOND: ["a", "c"]}}, {"q": "a"})
    for name in ("flip_rate", "consistency", "consistent_accuracy", "accuracy_worst"):
        assert metrics.METRICS[name](once) == metrics.METRICS[name](twice)


@settings(max_examples=60, deadline=None)
@given(reply_tables(), st.sampled_from(list(metrics.METRICS.values())))
def test_all_metrics_agree_with_the_slow_version(table: pd.DataFrame, one: metrics.Metric) -> None:
    fast, slow = metrics.per_question(table), slow_metrics(table)
    assert set(fast.columns) == set(slow.columns)
    pd.testing.assert_frame_equal(fast, slow.loc[fast.index, fast.columns], check_names=False)
    assert one(table) == pytest.approx(slow[one.name].mean(), nan_ok=True)
    for name, metric in metrics.METRICS.items():
        low, high = metric.bounds
        assert fast[name].dropna().between(low - 1e-12, high + 1e-12).all()


@settings(max_examples=30, deadline=None)
@given(reply_tables())
def test_metrics_do_not_depend_on_the_names_of_answers_and_questions(table: pd.DataFrame) -> None:
    renamed = table.assign(
        question="x" + table["question"],
        canonical=table["canonical"].map(lambda answer: None if answer is None else answer + "!"),
    )
    before, after = metrics.per_question(table), metrics.per_question(renamed)
    np.testing.assert_allclose(before.to_numpy(), after.to_numpy())


def test_noise_alone_has_no_order_effect() -> None:
    rng = np.random.default_rng(0)
    orders = ["-".join(map(str, order)) for order in itertools.permutations(range(3))]
    replies = {
        f"q{i}": {
            order: list(rng.choice(["a", "b", "c"], 2, p=[0.6, 0.3, 0.1])) for order in orders
        }
        for i in range(1000)
    }
    table = make_table(replies, dict.fromkeys(replies, "a"))
    assert abs(metrics.order_effect(table)) < 0.02
    assert metrics.flip_rate(table) > 0.9  # which alone would condemn the model


@pytest.mark.parametrize("column", ["question", "order", "canonical", "correct"])
def test_a_missing_column_is_named(column: str) -> None:
    table = make_table({"q": {IDENTITY: ["a"]}}, {"q": "a"}).drop(columns=column)
    with pytest.raises(InputError, match=column):
        metrics.flip_rate(table)


def test_two_replies_in_one_place_are_refused() -> None:
    table = make_table({"q": {IDENTITY: ["a"]}}, {"q": "a"})
    with pytest.raises(InputError, match="two replies in one place"):
        metrics.flip_rate(pd.concat([table, table]))


def test_by_hand_votes_and_agreement() -> None:
    replies = {
        "tie": {IDENTITY: ["a"], SECOND: ["b"], THIRD: ["a"], FOURTH: ["b"]},
        "won": {IDENTITY: ["a"], SECOND: ["a"], THIRD: ["b"], FOURTH: [None]},
        "lost": {IDENTITY: ["b"], SECOND: ["b"], THIRD: ["a"], FOURTH: ["c"]},
        "none": {IDENTITY: [None], SECOND: [None]},
    }
    values = metrics.per_question(make_table(replies, dict.fromkeys(replies, "a")))
    assert values["majority_vote"].to_dict() == {"tie": 0.5, "won": 1.0, "lost": 0.0, "none": 0.0}
    assert values["consistent_accuracy"].to_dict() == {
        "tie": 0, "won": 1, "lost": 0, "none": 0,
    }  # fmt: skip
    assert values["pairwise_agreement"].to_dict() == {
        "tie": 2 / 6, "won": 1 / 6, "lost": 1 / 6, "none": 0.0,
    }  # fmt: skip
    assert values["accuracy_spread"].to_dict() == {"tie": 1, "won": 1, "lost": 1, "none": 0}


def test_by_hand_all_replies_correct_is_stricter_than_the_worst_order() -> None:
    table = make_table({"q": {IDENTITY: ["a", "a"], SECOND: ["a", "b"]}}, {"q": "a"})
    assert metrics.accuracy_worst(table) == 1.0
    assert metrics.all_orders_correct(table) == 0.0


def test_by_hand_order_effects_with_three_repeats() -> None:
    """Two orders, three repeats: pairs (m = 2). Across: 9 pairs; within: 2 × 3 pairs."""
    table = make_table({"q": {IDENTITY: ["a", "a", "a"], SECOND: ["b", "b", "a"]}}, {"q": "a"})
    across, within = 6 / 9, 2 / 6
    assert metrics.flip_rate_effect(table) == pytest.approx(across - within)
    assert metrics.entropy_effect(table) == pytest.approx(across - within)
    assert metrics.consistency_effect(table) == pytest.approx((across - within) / 2)
    assert metrics.order_effect(table) == pytest.approx(across - within)


def test_by_hand_order_effects_of_three_replies() -> None:
    """Each order has an answer of its own and no noise: three replies flip across, never within."""
    answers = {IDENTITY: ["a"] * 3, SECOND: ["b"] * 3, THIRD: ["b"] * 3, FOURTH: ["c"] * 3}
    table = make_table({"q": answers}, {"q": "a"})
    assert metrics.flip_rate_effect(table) == 1.0
    # of the four triples of orders, abb, abc, abc, bbc: the modal share is 2/3, 1/3, 1/3, 2/3
    assert metrics.consistency_effect(table) == pytest.approx(1 - (2 / 3 + 1 / 3) / 2)
    two_one = -(math.log(2 / 3) * 2 / 3 + math.log(1 / 3) / 3) / math.log(3)
    assert metrics.entropy_effect(table) == pytest.approx((two_one + 1) / 2)


def test_by_hand_an_answer_that_moves_with_its_picture() -> None:
    looks = make_table({"q": {IDENTITY: ["b"], SECOND: ["b"], THIRD: ["b"]}}, {"q": "a"})
    # 0-1-2: b stands in slot 1; 0-2-1: in slot 2; 1-0-2: in slot 0. Wrong, yet equivariant.
    values = metrics.per_question(with_slots(looks)).loc["q"]
    assert (values["moves_with_picture"], values["sticks_to_slot"]) == (1.0, 0.0)
    slot_1 = make_table({"q": {IDENTITY: ["b"], SECOND: ["c"], THIRD: ["a"]}}, {"q": "a"})
    values = metrics.per_question(with_slots(slot_1)).loc["q"]
    # pairs: b moved to 2, b moved to 0; c (slot 1) was in 2, is in 2 in the third; a was in 0, 0.
    assert (values["moves_with_picture"], values["sticks_to_slot"]) == (0.0, 1.0)
    unmoved = make_table({"q": {IDENTITY: ["a"], SECOND: ["a"]}}, {"q": "a"})
    assert math.isnan(metrics.moves_with_picture(with_slots(unmoved)))
    silent = make_table({"q": {IDENTITY: ["b"], SECOND: [None], THIRD: ["b"]}}, {"q": "a"})
    assert metrics.moves_with_picture(with_slots(silent)) == pytest.approx(2 / 6)
    assert math.isnan(metrics.moves_with_picture(looks))  # the answer is no picture


def test_many_orders_and_repeats_are_sampled_alike_for_all() -> None:
    rng = np.random.default_rng(1)
    orders = ["-".join(map(str, order)) for order in itertools.permutations(range(4))]
    replies = {f"q{i}": {o: list(rng.choice(["a", "b"], 3)) for o in orders} for i in range(200)}
    table = make_table(replies, dict.fromkeys(replies, "a"))
    assert abs(metrics.flip_rate_effect(table)) < 0.02
    assert abs(metrics.consistency_effect(table)) < 0.02


def test_every_metric_says_what_it_is() -> None:
    for metric in metrics.METRICS.values():
        assert metric.__doc__
        assert metric.formula
        assert metric.source
        assert metric.unparsable
        assert getattr(metrics, metric.name) is metric


def test_accuracy_by_slot_and_choices_by_hand() -> None:
    table = pd.DataFrame(
        {
            "question": ["p", "p", "q", "q", "r"],
            "gold_slot": [0.0, 1.0, 0.0, 2.0, np.nan],
            "chosen_slot": [0.0, 0.0, 0.0, np.nan, np.nan],
            "correct": [True, False, True, False, True],
            "n_images": [2, 2, 3, 3, 3],
        }
    )
    curve = accuracy_by_gold_slot(table)
    assert curve["accuracy"].to_dict() == {0: 1.0, 1: 0.0, 2: 0.0}
    assert curve["replies"].to_dict() == {0: 2, 1: 1, 2: 1}
    assert curve["questions"].to_dict() == {0: 2, 1: 1, 2: 1}
    choices = slot_choices(table)
    assert choices["chosen"].tolist() == [0.75, 0.0, 0.0]
    assert choices["gold"].tolist() == [0.5, 0.25, 0.25]
