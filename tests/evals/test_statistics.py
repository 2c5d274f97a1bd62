from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from evals.statistics import (
    bootstrap_ratios,
    estimate_means,
    estimate_ratios,
    paired_difference,
)


def test_bootstrap_is_what_resampling_questions_one_by_one_gives() -> None:
    rng = np.random.default_rng(0)
    values = rng.random((30, 2))
    values[rng.random((30, 2)) < 0.2] = np.nan
    defined = ~np.isnan(values)
    draws = bootstrap_ratios(np.where(defined, values, 0), defined.astype(float), 200, seed=5)
    picked = np.random.default_rng(5).integers(0, 30, size=(200, 30))
    slow = [[np.nanmean(values[rows, column]) for column in (0, 1)] for rows in picked]
    np.testing.assert_allclose(draws, slow)


def test_draws_do_not_depend_on_how_they_are_cut_into_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.random.default_rng(0).random((50, 1))
    whole = bootstrap_ratios(values, np.ones_like(values), 100, seed=1)
    monkeypatch.setattr("evals.statistics._CELLS_AT_ONCE", 130)
    np.testing.assert_allclose(bootstrap_ratios(values, np.ones_like(values), 100, seed=1), whole)


def test_interval_matches_the_normal_one_where_that_is_right() -> None:
    values = pd.DataFrame({"x": np.random.default_rng(1).random(2000)})
    estimate = estimate_means(values)["x"]
    half = 1.96 * values["x"].std() / math.sqrt(2000)
    assert estimate.value == pytest.approx(values["x"].mean())
    assert estimate.low == pytest.approx(estimate.value - half, abs=half / 10)
    assert estimate.high == pytest.approx(estimate.value + half, abs=half / 10)
    assert estimate.questions == 2000


def test_coverage_of_the_interval() -> None:
    """Questions of different difficulty, six replies each: the interval holds the truth 95 times in 100."""
    rng = np.random.default_rng(2)
    runs, questions, truth = 400, 120, 0.4
    difficulty = rng.beta(2, 3, size=(runs, questions))
    values = rng.binomial(6, difficulty) / 6
    inside = 0
    for row in values:
        estimate = estimate_means(pd.DataFrame({"x": row}), resamples=1000)["x"]
        inside += estimate.low <= truth <= estimate.high
    assert 0.92 <= inside / runs <= 0.98


def test_replies_to_one_question_do_not_count_as_independent() -> None:
    few = pd.DataFrame({"x": np.random.default_rng(3).integers(0, 2, 50).astype(float)})
    estimate = estimate_means(few)["x"]
    assert estimate.high - estimate.low > 0.2  # as 50 questions allow, however often they are asked


def test_equal_values_do_not_give_an_interval_of_no_width() -> None:
    values = pd.DataFrame({"never": np.zeros(100), "always": np.ones(100), "effect": np.zeros(100)})
    estimates = estimate_means(values, bounds={"effect": (-1.0, 1.0)}, resamples=100)
    reach = 1 - 0.025 ** (1 / 100)
    assert (estimates["never"].low, estimates["never"].high) == (0.0, pytest.approx(reach))
    assert (estimates["always"].low, estimates["always"].high) == (pytest.approx(1 - reach), 1.0)
    assert estimates["effect"].low == pytest.approx(-reach)
    assert estimates["effect"].high == pytest.approx(reach)


def test_undefined_values_are_left_out_and_counted() -> None:
    values = pd.DataFrame({"x": [1.0, np.nan, 0.0, np.nan], "none": [np.nan] * 4})
    estimates = estimate_means(values, resamples=100)
    assert estimates["x"].value == 0.5
    assert estimates["x"].questions == 2
    assert math.isnan(estimates["none"].value)
    assert math.isnan(estimates["none"].low)
    assert estimates["none"].questions == 0


def test_ratio_weighs_questions_by_their_replies() -> None:
    correct = pd.DataFrame({0: [3.0, 0.0], 1: [0.0, 0.0]})
    replies = pd.DataFrame({0: [3.0, 1.0], 1: [0.0, 2.0]})
    estimates = estimate_ratios(correct, replies, resamples=500)
    assert estimates[0].value == 0.75
    assert (estimates[0].low, estimates[0].high) == (0.0, 1.0)
    assert estimates[0].questions == 2
    assert estimates[1].value == 0.0
    assert estimates[1].questions == 1


def test_the_same_seed_gives_the_same_interval() -> None:
    values = pd.DataFrame({"x": np.random.default_rng(0).random(40)})
    assert estimate_means(values, seed=1) == estimate_means(values, seed=1)
    assert estimate_means(values, seed=1) != estimate_means(values, seed=2)


def test_paired_difference_sees_what_unpaired_intervals_hide() -> None:
    rng = np.random.default_rng(4)
    base = pd.Series(rng.random(100))
    better = base + 0.05 + 0.02 * rng.standard_normal(100)
    difference = paired_difference(better, base, resamples=2000)
    assert difference.value == pytest.approx((better - base).mean())
    assert 0 < difference.low < difference.value < difference.high < 0.1
    assert difference.p_value < 0.01
    backward = paired_difference(base, better, resamples=2000)
    assert backward.value == pytest.approx(-difference.value)


def test_paired_difference_of_equal_runs() -> None:
    values = pd.Series([0.0, 1.0, 1.0])
    difference = paired_difference(values, values)
    assert (difference.value, difference.low, difference.high, difference.p_value) == (0, 0, 0, 1)


def test_paired_difference_uses_only_questions_of_both() -> None:
    ours = pd.Series({"a": 1.0, "b": 0.0, "c": np.nan, "d": 1.0})
    theirs = pd.Series({"b": 1.0, "a": 0.0, "c": 1.0, "e": 0.0})
    difference = paired_difference(ours, theirs, resamples=100)
    assert difference.questions == 2
    assert difference.value == 0.0
    assert paired_difference(ours, pd.Series({"z": 1.0})).questions == 0


def test_p_values_are_uniform_when_nothing_differs() -> None:
    rng = np.random.default_rng(6)
    p_values = [
        paired_difference(
            pd.Series(rng.integers(0, 7, 60) / 6),
            pd.Series(rng.integers(0, 7, 60) / 6),
            resamples=300,
            seed=i,
        ).p_value
        for i in range(300)
    ]
    assert 0.02 <= np.mean(np.array(p_values) <= 0.05) <= 0.09
    assert 0.4 <= np.mean(p_values) <= 0.6


def test_p_value_is_exact_for_few_questions() -> None:
    """Four questions, all better: of the 16 sign patterns two are as extreme."""
    difference = paired_difference(pd.Series([1.0] * 4), pd.Series([0.0] * 4), resamples=20_000)
    assert difference.p_value == pytest.approx(2 / 16, abs=0.01)
