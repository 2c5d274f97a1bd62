from __future__ import annotations

import itertools
import math
from collections import defaultdict

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

import evals
from evals.bias import (
    choice_divergence,
    ckld,
    estimate_slot_bias,
    rstd,
    shrunk,
    slope_terms,
    slot_counts,
    variance_of_recalls,
)
from evals.letters import (
    additive_effects,
    estimate_letter_bias,
    letter_and_slot_effects,
    letter_choices,
    letter_counts,
    lettered,
)
from evals.summary import summarize
from evals.table import build_table

from .policies import PolicyEngine, first_slot, how_many, look, silent, which_image
from .tables import reply_tables, with_slots


def slots(rows: list[tuple], n_images: int = 2) -> pd.DataFrame:
    """(question, gold slot, chosen slot) a reply."""
    frame = pd.DataFrame(rows, columns=["question", "gold_slot", "chosen_slot"])
    frame[["gold_slot", "chosen_slot"]] = frame[["gold_slot", "chosen_slot"]].astype(float)
    return frame.assign(correct=frame["gold_slot"] == frame["chosen_slot"], n_images=n_images)


def test_rstd_and_ckld_by_hand() -> None:
    rows = [("p", 0, 0), ("p", 1, 0), ("q", 0, 0), ("q", 1, 1), ("r", 1, None), ("r", 0, 0)]
    counts = slot_counts(slots(rows))
    # recalls: slot 0 three of three, slot 1 one of three
    assert rstd(counts) == pytest.approx((1 - 1 / 3) / 2)
    p, q = [3.5 / 7, 3.5 / 7], [4.5 / 6, 1.5 / 6]
    assert ckld(counts) == pytest.approx(
        sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    )


def test_strata_are_not_mixed() -> None:
    """Hard questions with four images, easy ones with two: neither prefers a slot."""
    easy = slots([("e", 0, 0), ("e", 1, 1)])
    hard = slots([(f"h{i}", s, None) for i in range(3) for s in range(4)], n_images=4)
    counts = slot_counts(pd.concat([easy, hard], ignore_index=True))
    assert rstd(counts) == 0.0


def test_slopes_by_hand() -> None:
    top, bottom = slope_terms(slots([("p", 0, 0), ("p", 1, 0), ("p", 2, 0), ("q", 0, 2)], 3))
    found = (top.sum() / bottom.sum()).to_dict()
    # within p: x = 0, ½, 1 and y = 1, 0, 0: slope −½/½; q has one order and says nothing
    assert found["recency_slope"] == pytest.approx(-1.0)
    assert found["first_slot_gain"] == pytest.approx(1.0)
    assert found["last_slot_gain"] == pytest.approx(-0.5)
    # named − gold in lengths of the row: 0, −½, −1, +1
    assert found["choice_shift"] == pytest.approx(-0.5 / 4)


@settings(max_examples=40)
@given(reply_tables())
def test_rstd_and_ckld_agree_with_a_slow_version(table: pd.DataFrame) -> None:
    table = with_slots(table)
    golds, right, chosen = defaultdict(int), defaultdict(int), defaultdict(int)
    for _, row in table.iterrows():
        golds[row["gold_slot"]] += 1
        right[row["gold_slot"]] += row["correct"]
        if not math.isnan(row["chosen_slot"]):
            chosen[row["chosen_slot"]] += 1
    labels = sorted({*golds, *chosen})
    counts = slot_counts(table.drop(columns="n_choices", errors="ignore"))
    assert rstd(counts) == pytest.approx(float(np.std([right[s] / golds[s] for s in golds])))
    p = {s: (golds[s] + 0.5) / (sum(golds.values()) + len(labels) / 2) for s in labels}
    q = {s: (chosen[s] + 0.5) / (sum(chosen.values()) + len(labels) / 2) for s in labels}
    assert ckld(counts) == pytest.approx(sum(p[s] * math.log(p[s] / q[s]) for s in labels))


def test_without_golds_that_are_pictures_there_is_no_slot_bias() -> None:
    result = evals.evaluate(PolicyEngine(look), [how_many("q")])
    assert estimate_slot_bias(result.table) == {}
    assert set(result.metrics.bias) == {"rstd_letter", "ckld_letter"}


def test_measured_policies() -> None:
    questions = [which_image(f"q{i}", i % 3) for i in range(30)]
    looks = evals.evaluate(PolicyEngine(look), questions, orders=3).metrics.bias
    assert (
        looks["rstd_slot"].value == looks["recency_slope"].value == looks["choice_shift"].value == 0
    )
    first = evals.evaluate(PolicyEngine(first_slot), questions, orders=3).metrics.bias
    assert first["rstd_slot"].value == pytest.approx(math.sqrt(2) / 3, abs=0.02)
    assert first["first_slot_gain"].value == pytest.approx(1.0)
    assert first["recency_slope"].value == pytest.approx(-1.0)
    assert first["choice_shift"].value == pytest.approx(-0.5)
    assert first["choice_shift"].high < -0.3
    nothing = evals.evaluate(PolicyEngine(silent), questions, orders=3).metrics.bias
    assert nothing["rstd_slot"].value == 0.0
    assert math.isnan(nothing["choice_shift"].value)


def test_a_model_without_preference_is_told_to_have_none() -> None:
    """The plain RStd of 30 questions is far above 0 by chance; corrected, its interval holds 0."""
    rng = np.random.default_rng(0)
    rows = [
        (f"q{i}", s, s if rng.random() < 0.6 else (s + 1) % 3) for i in range(30) for s in range(3)
    ]
    table = slots(rows, 3)
    plain, corrected = rstd(slot_counts(table)), estimate_slot_bias(table, 2000)["rstd_slot"]
    assert corrected.low == 0.0
    assert corrected.value < plain


def test_what_is_taken_off_the_measured_preference_is_taken_off_and_no_more() -> None:
    counts = slot_counts(options_table(0.0, 1.0, 60))
    measured = counts.terms.sum(axis=0)
    np.testing.assert_allclose(shrunk(counts, measured, 1.0), measured)
    for measure in (variance_of_recalls, choice_divergence):
        whole, half, none = (
            float(measure(counts, shrunk(counts, measured, share))) for share in (1.0, 0.5, 0.0)
        )
        assert none == pytest.approx(0.0, abs=1e-4)
        assert half == pytest.approx(whole / 4, rel=0.2)  # both are quadratic where they are small


def test_without_preference_the_interval_begins_above_0_one_time_in_twenty() -> None:
    """No oftener, which would tell of biases that are not there; hardly less, which would hide others."""
    rng, runs, above = np.random.default_rng(1), 200, {"rstd_slot": 0, "ckld_slot": 0}
    for run in range(runs):
        chosen = np.where(rng.random((60, 3)) < 0.6, np.arange(3), rng.integers(0, 3, (60, 3)))
        rows = [(f"q{i}", s, int(chosen[i, s])) for i in range(60) for s in range(3)]
        found = estimate_slot_bias(slots(rows, 3), 500, seed=run)
        for name in above:
            above[name] += found[name].low > 0
    assert all(0.02 * runs <= count <= 0.08 * runs for count in above.values()), above


# Letters


def options_table(letter_weight: float, slot_weight: float, n: int, seed: int = 0) -> pd.DataFrame:
    """Three options that name three images, all six orders; preferences for letter A and for slot 0."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        picture_of_letter = rng.permutation(3)
        gold = int(rng.integers(3))
        for order in itertools.permutations(range(3)):
            slot_of_letter = [order.index(picture_of_letter[k]) for k in range(3)]
            score = [
                1.0 * (k == gold)
                + letter_weight * (k == 0)
                + slot_weight * (slot_of_letter[k] == 0)
                for k in range(3)
            ]
            chance = np.exp(score) / np.exp(score).sum()
            chosen = int(rng.choice(3, p=chance))
            rows.append({"question": f"q{i}", "order": "-".join(map(str, order)), "order_class": "slot-naming",
                         "gold_letter": "ABC"[gold], "chosen_letter": "ABC"[chosen],
                         "gold_slot": float(slot_of_letter[gold]), "chosen_slot": float(slot_of_letter[chosen]),
                         "correct": chosen == gold, "n_images": 3, "n_choices": 3.0})  # fmt: skip
    return pd.DataFrame(rows)


def test_letter_bias_and_slot_bias_come_apart() -> None:
    letters = options_table(letter_weight=1.5, slot_weight=0.0, n=400)
    by_letter, by_slot = estimate_letter_bias(letters, 1000), estimate_slot_bias(letters, 1000)
    assert by_letter["ckld_letter"].low > 0.02
    assert by_letter["rstd_letter"].low > 0.1
    assert by_slot["ckld_slot"].value < 0.005
    assert by_slot["rstd_slot"].low < 0.02
    positions = options_table(letter_weight=0.0, slot_weight=1.5, n=400)
    by_letter, by_slot = estimate_letter_bias(positions, 1000), estimate_slot_bias(positions, 1000)
    assert by_slot["ckld_slot"].low > 0.02
    assert by_slot["rstd_slot"].low > 0.1
    assert by_letter["ckld_letter"].value < 0.005
    assert by_letter["rstd_letter"].low < 0.02


def test_effects_of_letters_and_slots_side_by_side() -> None:
    found = letter_and_slot_effects(options_table(1.0, 0.0, n=400))
    assert found.loc[("letter", "A"), "low"] > 0.1
    assert found.loc["slot"]["effect"].abs().max() < 0.05
    found = letter_and_slot_effects(options_table(0.0, 1.0, n=400))
    assert found.loc[("slot", 0), "low"] > 0.1
    assert found.loc["letter"]["low"].max() < 0.02


def test_additive_effects_by_hand() -> None:
    replies = np.array([[10.0, 20.0], [30.0, 10.0]])
    accuracy = np.array([[0.9, 0.7], [0.6, 0.4]])  # letter ±0.15, slot ±0.1, unequal counts
    letters, slot = additive_effects(accuracy * replies, replies)
    np.testing.assert_allclose(letters, [0.15, -0.15])
    np.testing.assert_allclose(slot, [0.1, -0.1])


def test_letters_that_are_the_slots_names_are_not_told_apart() -> None:
    letters, slot = additive_effects(np.diag([5.0, 1.0]), np.diag([6.0, 6.0]))
    assert np.isnan(letters).all()
    assert np.isnan(slot).all()
    table = options_table(0, 0, 3)
    assert not len(lettered(table.assign(order_class="image-options")))
    moving = table.assign(gold_letter=["A", "B"] * 9)
    assert not len(lettered(moving))
    assert letter_counts(moving) is None
    assert not len(letter_and_slot_effects(moving))


def test_letter_choices_by_hand() -> None:
    table = pd.DataFrame({"question": list("pqrs"), "gold_letter": ["A", "A", "B", None],
                          "chosen_letter": ["A", "B", None, None]})  # fmt: skip
    found = letter_choices(table)
    assert found["gold"].to_dict() == pytest.approx({"A": 2 / 3, "B": 1 / 3})
    assert found["chosen"].to_dict() == pytest.approx({"A": 1 / 3, "B": 1 / 3})


def test_rows_hold_the_letters() -> None:
    table = evals.evaluate(PolicyEngine(look), [how_many("q"), which_image("w")], orders=2).table
    assert set(table.loc[table["question"] == "q", "gold_letter"]) == {"B"}
    assert set(table.loc[table["question"] == "q", "chosen_letter"]) == {"B"}
    assert table.loc[table["question"] == "w", "gold_letter"].isna().all()


def test_runs_from_before_letters_were_written_can_be_read() -> None:
    rows = evals.evaluate(PolicyEngine(look), [how_many("q"), which_image("w")]).table.to_dict("records")  # fmt: skip
    old = [{k: v for k, v in row.items() if not k.endswith("_letter")} for row in rows]
    summary = summarize(build_table(old), resamples=100)
    assert "rstd_slot" in summary.bias
    assert "rstd_letter" not in summary.bias
    assert not len(summary.letters)
    assert summary.as_json()["letter_choices"] == {}
