"""A benchmark's one figure: what is averaged over what, and how sure it is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evals.aggregation import (
    BENCHMARKS,
    benchmark_figure,
    mean_of_figures,
    mean_over_parts,
    question_completeness_rate,
    split_by_benchmark,
    step_accuracy_rate,
)
from perl_env.errors import InputError
from perl_env.scoring import RULES

BY_TITLE = {benchmark.title: benchmark for benchmark in BENCHMARKS}
FEW = 500  # resamples


def rows(*answers, order="0-1", **columns):
    """A table of (question, kind, replies right or wrong)."""
    return pd.DataFrame(
        [
            {"question": key, "kind": kind, "order": order, "repeat": repeat, "correct": bool(right),
             "canonical": "x", "task": "", "scoring": "", **columns}
            for key, kind, replies in answers
            for repeat, right in enumerate(replies)
        ]
    )  # fmt: skip


UNEVEN = rows(*[(f"a{i}", "Counting", [1]) for i in range(9)], ("b0", "Jigsaw", [0]),
              ("c0", "IQ_Test", [1, 0]))  # fmt: skip


def test_sub_tasks_weigh_the_same_however_many_questions_they_have():
    blink = benchmark_figure(UNEVEN, BY_TITLE["BLINK"], FEW).estimate
    assert blink.value == pytest.approx((1 + 0 + 0.5) / 3)
    assert blink.low < blink.value < blink.high < 1
    assert blink.questions == 11
    plain = benchmark_figure(UNEVEN, BY_TITLE["Mantis-Eval"], FEW).estimate
    assert plain.value == pytest.approx(9.5 / 11)
    assert {b.title for b in BENCHMARKS if b.by_kind} == {"BLINK", "MMIU", "ReMI"}


def test_only_the_canonical_order_counts():
    both = pd.concat([UNEVEN, rows(("b0", "Jigsaw", [1]), order="1-0")])
    assert benchmark_figure(both, BY_TITLE["BLINK"], FEW).estimate.value == pytest.approx(0.5)
    with pytest.raises(InputError, match="no reply to a canonical order"):
        benchmark_figure(rows(("b0", "Jigsaw", [1]), order="1-0"), BY_TITLE["BLINK"])


def test_a_question_without_a_sub_task_is_told():
    with pytest.raises(InputError, match=r"without a sub-task.*'q7'"):
        benchmark_figure(rows(("a", "Jigsaw", [1]), ("q7", "", [1])), BY_TITLE["ReMI"])


def test_the_interval_covers_as_often_as_it_says():
    """Two sub-tasks of unequal size and skill, their mean estimated again and again."""
    rng = np.random.default_rng(0)
    skill, size = {"easy": 0.8, "hard": 0.4}, {"easy": 120, "hard": 30}
    parts = pd.Series([kind for kind, n in size.items() for _ in range(n)])
    covered = 0
    for _ in range(200):
        right = pd.Series(rng.random(len(parts)) < parts.map(skill), dtype=float)
        estimate = mean_over_parts(right, parts, resamples=2000, seed=1).estimate
        covered += estimate.low <= 0.6 <= estimate.high
    assert 0.91 <= covered / 200 <= 0.99


def test_equal_values_have_an_interval_too():
    perfect = mean_over_parts(pd.Series(np.ones(20)), None, FEW).estimate
    assert (perfect.value, perfect.high) == (1, 1)
    assert 0.7 < perfect.low < 1


def test_the_average_weighs_benchmarks_alike_and_is_surer_than_each():
    rng = np.random.default_rng(1)
    figures = {
        str(n): mean_over_parts(pd.Series((rng.random(n) < 0.5).astype(float)), None, FEW, seed=n)
        for n in (40, 50, 400)
    }
    average = mean_of_figures(figures)
    assert average.value == pytest.approx(np.mean([f.estimate.value for f in figures.values()]))
    widest = max(f.estimate.high - f.estimate.low for f in figures.values())
    assert 0 < average.high - average.low < widest
    assert average.questions == 490
    sure = mean_of_figures({"a": mean_over_parts(pd.Series(np.ones(20)), None, FEW)})
    assert sure.low < 1 == sure.high


def steps(*counts):
    """Multi-step questions, given as (right, all), and a plain one."""
    found = [
        rows((f"q{i}", "", [right == n]), steps=float(n), steps_right=float(right))
        for i, (right, n) in enumerate(counts)
    ]
    plain = rows(("plain", "", [1]), steps=np.nan, steps_right=np.nan)
    return pd.concat([*found, plain], ignore_index=True)


def test_step_accuracy_and_question_completeness():
    table = steps((3, 3), (1, 2), (0, 5))
    sar, qcr = step_accuracy_rate(table, FEW), question_completeness_rate(table, FEW)
    assert sar.value == pytest.approx(4 / 10)  # of all steps, not the mean of the questions' shares
    assert qcr.value == pytest.approx(1 / 3)
    for estimate in (sar, qcr):
        assert estimate.low < estimate.value < estimate.high
        assert estimate.questions == 3
    main = benchmark_figure(table, BY_TITLE["MV-MATH"], FEW).estimate
    assert main.value == pytest.approx(2 / 4)  # a multi-step question counts if all of it is right
    with pytest.raises(InputError, match="no multi-step question"):
        step_accuracy_rate(rows(("a", "", [1])))


def test_rows_belong_to_a_benchmark_by_task_or_by_rule():
    table = pd.concat(
        [rows(("a", "", [1]), task="perl/MMIU-v0", scoring="strict"),
         rows(("b", "", [1]), task="my_folder", scoring="blink"),
         rows(("c", "", [1]), task="perl_env:perl/ReMI-v0", scoring="remi"),
         rows(("d", "", [1]), task="perl/Shapes-v0", scoring="strict")]
    )  # fmt: skip
    assert {k: list(v["question"]) for k, v in split_by_benchmark(table).items()} == {
        "MMIU": ["a"], "BLINK": ["b"], "ReMI": ["c"],
    }  # fmt: skip


def test_every_rule_has_its_benchmark():
    assert {benchmark.rule for benchmark in BENCHMARKS} == set(RULES)
