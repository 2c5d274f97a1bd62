from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from evals.bootstrap import bootstrap_ratios, unseen_levels
from evals.comparison import (
    compare,
    compare_panel,
    false_discovery,
    paired_difference,
    paired_differences,
)
from evals.power import detectable_difference, questions_needed
from evals.statistics import estimate_means, estimate_ratios
from perl_env.errors import InputError

from .tables import make_table

UNIT, ENDS = np.array([[0.0, 1.0]]), np.array([2])


def test_draws_are_what_weighing_questions_one_by_one_gives() -> None:
    rng = np.random.default_rng(0)
    values = rng.random((30, 2))
    values[rng.random((30, 2)) < 0.2] = np.nan
    defined = ~np.isnan(values)
    bounds, levels = np.array([[0.0, 1.0], [-1.0, 1.0]]), np.array([2, 5])
    draws = bootstrap_ratios(
        np.where(defined, values, 0), defined.astype(float), bounds, levels, 200, seed=5
    )
    weights = np.random.default_rng([5, 0]).standard_exponential((200, 30), dtype=np.float32)
    places = (np.array([0.0, 1.0]), np.array([-1.0, -0.5, 0.0, 0.5, 1.0]))
    for column, places_of in enumerate(places):
        count = len(places_of)
        unseen = np.random.default_rng([5, count - 1]).standard_gamma(1 / count, size=(200, count))
        there = defined[:, column]
        slow = [
            (w[there] @ values[there, column] + u @ places_of) / (w[there].sum() + u.sum())
            for w, u in zip(weights.astype(float), unseen, strict=True)
        ]
        np.testing.assert_allclose(draws[:, column], slow, rtol=1e-5)


def test_draws_do_not_depend_on_how_they_are_cut_into_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.random.default_rng(0).random((50, 1))
    whole = bootstrap_ratios(values, np.ones_like(values), UNIT, ENDS, 100, seed=1)
    monkeypatch.setattr("evals.bootstrap._CELLS_AT_ONCE", 130)
    parts = bootstrap_ratios(values, np.ones_like(values), UNIT, ENDS, 100, seed=1)
    np.testing.assert_allclose(parts, whole, rtol=1e-6)


@pytest.mark.parametrize(("n", "k"), [(20, 3), (100, 50), (50, 1)])
def test_interval_of_a_share_is_jeffreys(n: int, k: int) -> None:
    values = pd.DataFrame({"x": [1.0] * k + [0.0] * (n - k)})
    estimate = estimate_means(values, resamples=40_000)["x"]
    low, high = stats.beta.ppf([0.025, 0.975], k + 0.5, n - k + 0.5)
    assert (estimate.low, estimate.high) == (
        pytest.approx(low, abs=0.004),
        pytest.approx(high, abs=0.004),
    )


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


@pytest.mark.parametrize("n", [30, 100])
def test_coverage_of_rare_order_effects(n: int) -> None:
    """Two images, two repeats, one question in ten sensitive to order: percentile intervals fail here.

    The order effect is 0 for most questions and large for few, of which a small sample holds hardly any.
    All metrics, sizes and worlds: ``python -m benchmarks.interval_coverage``.
    """
    rng, runs = np.random.default_rng(7), 400

    def order_effects(questions: int) -> np.ndarray:
        sensitive = rng.random(questions) < 0.1
        first = np.where(sensitive, 0.9, 0.97)[:, None]  # chance of the answer that most give
        second = np.where(sensitive, 0.1, 0.97)[:, None]
        a, b = rng.random((questions, 2)) < first, rng.random((questions, 2)) < second
        cross = (a[:, :, None] != b[:, None, :]).mean((1, 2))
        return cross - ((a[:, 0] != a[:, 1]).astype(float) + (b[:, 0] != b[:, 1])) / 2

    truth = order_effects(400_000).mean()
    inside = percentile = 0
    for run in range(runs):
        values = order_effects(n)
        found = estimate_means(pd.DataFrame({"x": values}), {"x": (-1.0, 1.0)}, 1000, seed=run)["x"]
        inside += found.low <= truth <= found.high
        picked = values[rng.integers(0, n, (500, n))].mean(1)
        percentile += np.quantile(picked, 0.025) <= truth <= np.quantile(picked, 0.975)
    assert 0.92 <= inside / runs <= 0.99
    assert percentile < inside


def test_levels_are_the_ends_of_shares_and_as_many_as_orders_of_signed_numbers() -> None:
    bounds = np.array([[0.0, 1.0], [-0.5, 1.0], [-1.0, 1.0]])
    assert list(unseen_levels(bounds, 6)) == [2, 6, 6]
    assert list(unseen_levels(bounds, 1)) == [2, 2, 2]


def test_small_samples_of_small_effects_in_many_orders_have_short_intervals() -> None:
    """Values of 30 questions that lie close together: at the ends unseen ones would rule the interval."""
    values = pd.DataFrame({"x": np.random.default_rng(3).normal(0.0, 0.05, 30)})
    bounds = {"x": (-0.5, 1.0)}
    few, many = (estimate_means(values, bounds, orders=orders)["x"] for orders in (2, 6))
    shares = (estimate_means(values.abs(), orders=orders)["x"] for orders in (2, 6))
    assert many.high - many.low < 0.8 * (few.high - few.low)
    assert many.high - many.low > 3.9 * values["x"].std() / math.sqrt(30)
    assert len(set(shares)) == 1


def test_unseen_differences_stand_at_the_ends_only_where_values_are_yes_or_no() -> None:
    rng = np.random.default_rng(5)
    yes_or_no = pd.DataFrame(rng.integers(0, 2, (30, 2)).astype(float))
    graded = pd.DataFrame(rng.integers(0, 7, (30, 2)) / 6)
    for table, is_shorter in ((yes_or_no, False), (graded, True)):
        few, many = (
            paired_differences(table[[0]], table[[1]].set_axis([0], axis=1), {"0": (0.0, 1.0)}, orders=k)["0"]
            for k in (2, 6)
        )  # fmt: skip
        assert (many.high - many.low < few.high - few.low) == is_shorter


def test_replies_to_one_question_do_not_count_as_independent() -> None:
    few = pd.DataFrame({"x": np.random.default_rng(3).integers(0, 2, 50).astype(float)})
    estimate = estimate_means(few)["x"]
    assert estimate.high - estimate.low > 0.2  # as 50 questions allow, however often they are asked


def test_equal_values_do_not_give_an_interval_of_no_width() -> None:
    values = pd.DataFrame({"never": np.zeros(100), "always": np.ones(100), "effect": np.zeros(100)})
    estimates = estimate_means(values, bounds={"effect": (-1.0, 1.0)}, resamples=20_000)
    reach = stats.beta.ppf(0.975, 0.5, 100.5)
    assert estimates["never"].low == 0.0
    assert estimates["never"].high == pytest.approx(reach, abs=0.005)
    assert estimates["always"].high == 1.0
    assert estimates["always"].low == pytest.approx(1 - reach, abs=0.005)
    assert estimates["effect"].low < 0 < estimates["effect"].high
    assert -estimates["effect"].low == pytest.approx(estimates["effect"].high, abs=0.01)


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
    assert estimates[0].low < 0.2
    assert estimates[0].high > 0.9
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
    assert math.isnan(difference.mcnemar_p)  # not a matter of right or wrong
    assert difference.p_value < 0.01
    backward = paired_difference(base, better, resamples=2000)
    assert backward.value == pytest.approx(-difference.value)


def test_paired_difference_of_equal_runs() -> None:
    values = pd.Series([0.0, 1.0, 1.0])
    difference = paired_difference(values, values)
    assert (difference.value, difference.p_value, difference.mcnemar_p) == (0, 1, 1)
    assert difference.low < -0.2  # three questions cannot show that runs are alike
    assert difference.high > 0.2


def test_mcnemar_is_the_exact_sign_test_of_discordant_questions() -> None:
    ours = pd.Series([1.0] * 12 + [0.0] * 5 + [1.0] * 40)
    theirs = pd.Series([0.0] * 10 + [1.0] * 2 + [1.0] * 5 + [1.0] * 40)
    difference = paired_difference(ours, theirs)
    assert difference.mcnemar_p == pytest.approx(
        2 * stats.binom.cdf(5, 15, 0.5)
    )  # ten better, five worse
    assert difference.value == pytest.approx(5 / 57)
    assert difference.p_value == pytest.approx(difference.mcnemar_p, abs=0.02)


def test_false_discovery_by_hand() -> None:
    p_values = pd.Series([0.01, math.nan, 0.04, 0.03, 0.5])
    found = false_discovery(p_values)  # n = 4: 0.01·4/1, 0.03·4/2, 0.04·4/3, 0.5
    expected = [0.04, math.nan, 0.04 * 4 / 3, 0.04 * 4 / 3, 0.5]
    np.testing.assert_allclose(found, expected)
    assert false_discovery(pd.Series([math.nan])).isna().all()


def test_a_panel_pays_for_all_its_comparisons() -> None:
    rng = np.random.default_rng(0)
    orders = ("0-1-2", "1-0-2")
    tables = {
        name: make_table(
            {f"q{i}": {o: list(rng.choice(["a", "b"], 2, p=[p, 1 - p])) for o in orders} for i in range(60)},
            {f"q{i}": "a" for i in range(60)},
        )
        for name, p in (("base", 0.5), ("same", 0.5), ("better", 0.95))
    }  # fmt: skip
    panel = compare_panel(tables, "base", resamples=2000)
    assert set(panel.index.get_level_values("run")) == {"same", "better"}
    alone = compare(tables["better"], tables["base"], resamples=2000)
    q_values = panel.loc["better"]["q_value"]
    assert (q_values.dropna() >= alone["p_value"][q_values.notna()] - 1e-12).all()
    assert q_values["accuracy_mean"] < 0.01
    assert panel.loc["same"]["q_value"].min() > 0.05
    with pytest.raises(InputError, match="no such run"):
        compare_panel(tables, "else")


def test_the_power_note_keeps_its_word() -> None:
    """As many questions as it asks for show the difference four times in five."""
    rng = np.random.default_rng(3)
    difference, deviation, runs = 0.1, 0.4, 2000
    n = questions_needed(difference, deviation)
    samples = difference + deviation * rng.standard_normal((runs, n))
    z = samples.mean(axis=1) / (samples.std(axis=1, ddof=1) / math.sqrt(n))
    assert 0.77 <= (np.abs(z) > 1.96).mean() <= 0.83
    assert detectable_difference(n, deviation) == pytest.approx(difference, rel=0.01)


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
