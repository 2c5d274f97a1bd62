"""A benchmark's one figure, made of its questions as its authors make it.

Everything is a function of the table of replies (``evals.table``). Of a question that was asked in
several orders only the canonical one counts here: that is how benchmarks are asked. Replies to the same
question are averaged first, and intervals resample questions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd

from evals.statistics import (
    LEVEL,
    RESAMPLES,
    Estimate,
    estimate_ratios,
)
from evals.table import is_canonical_order
from perl_env.errors import InputError
from perl_env.scoring import RULES


@dataclass(frozen=True)
class Benchmark:
    """How a benchmark's figure is made.

    Attributes:
        title: its name in tables.
        task: the environment that asks its questions.
        rule: its published scoring rule, see ``perl_env.scoring``.
        by_kind: whether its figure is the unweighted mean over its sub-tasks instead of the share of
            right answers.
    """

    title: str
    task: str
    rule: str
    by_kind: bool = False

    @property
    def judge(self) -> str:
        """Whether the published scorer asks a language model, see ``perl_env.scoring.Rule``."""
        return RULES[self.rule].judge


#: The benchmarks of PeRL's table, in its order.
BENCHMARKS = (
    Benchmark("Mantis-Eval", "perl/MantisEval-v0", "mantis-eval"),
    Benchmark("BLINK", "perl/BLINK-v0", "blink", by_kind=True),
    Benchmark("MMIU", "perl/MMIU-v0", "mmiu", by_kind=True),
    Benchmark("MathVista", "perl/MathVista-v0", "mathvista"),
    Benchmark("MathVerse", "perl/MathVerse-v0", "mathverse"),
    Benchmark("MathVision", "perl/MathVision-v0", "mathvision"),
    Benchmark("ReMI", "perl/ReMI-v0", "remi", by_kind=True),
    Benchmark("MV-MATH", "perl/MVMath-v0", "mv-math"),
)


@dataclass(frozen=True)
class Figure:
    """A figure with the bootstrap draws of it, from which others can be made.

    Attributes:
        estimate: value and interval.
        draws: float64 [B], the figure in each resample of the questions.
    """

    estimate: Estimate
    draws: np.ndarray


def split_by_benchmark(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each benchmark, by its title; rows of other tasks are left out.

    Rows belong to a benchmark by their task or, where a folder holds its questions, by its scoring rule.
    """
    by_task = {benchmark.task: benchmark.title for benchmark in BENCHMARKS}
    by_rule = {benchmark.rule: benchmark.title for benchmark in BENCHMARKS}
    title = _column(table, "task").str.removeprefix("perl_env:").map(by_task)
    title = title.fillna(_column(table, "scoring").map(by_rule))
    return {str(name): rows for name, rows in table.groupby(title, sort=False)}


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    return table[name] if name in table else pd.Series("", index=table.index)


def benchmark_figure(
    table: pd.DataFrame, benchmark: Benchmark, resamples: int = RESAMPLES, seed: int = 0
) -> Figure:
    """The benchmark's one figure, made of its rows in the canonical order.

    Raises:
        InputError: no such row, or sub-tasks are to be averaged and a question names none.
    """
    rows = canonical_rows(table)
    correct = _per_question(rows, "correct")
    parts = _kinds(rows, benchmark.title) if benchmark.by_kind else None
    return mean_over_parts(correct, parts, resamples, seed)


def canonical_rows(table: pd.DataFrame) -> pd.DataFrame:
    """The rows in which no image was moved.

    Raises:
        InputError: there is none.
    """
    rows = table[table["order"].map(is_canonical_order)]
    if not len(rows):
        raise InputError("no reply to a canonical order", where="table",
                         expected="at least one", got=len(rows))  # fmt: skip
    return rows


def _per_question(rows: pd.DataFrame, name: str) -> pd.Series:
    return rows.groupby("question", sort=False)[name].mean()


def _kinds(rows: pd.DataFrame, title: str) -> pd.Series:
    kinds = rows.drop_duplicates("question").set_index("question")["kind"]
    if (kinds == "").any():
        raise InputError("question without a sub-task", where=f"table, kind, {kinds.index[kinds == ''][0]!r}",
                         expected=f"one, since {title} is averaged over its sub-tasks", got="''")  # fmt: skip
    return kinds


def mean_over_parts(
    values: pd.Series,
    parts: pd.Series | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> Figure:
    """The mean of questions' values, or the unweighted mean over parts of the mean in each part.

    Args:
        values: of each question, by its key.
        parts: each question's part, by its key; ``None`` for one part.
        resamples: number of bootstrap draws.
        seed: of the draws.
        level: confidence level.

    Questions are drawn within each part, since a benchmark fixes how many a part has.
    """
    if parts is None:
        parts = pd.Series("", index=values.index)
    grouped = [group.to_numpy(dtype=float) for _, group in values.groupby(parts.loc[values.index])]
    drawn = [_draws(part, resamples, [seed, i]) for i, part in enumerate(grouped)]
    draws = np.mean(drawn, axis=0)
    value = float(np.mean([part.mean() for part in grouped]))
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Figure(
        Estimate(value, min(float(low), value), max(float(high), value), len(values)), draws
    )


def _draws(values: np.ndarray, resamples: int, seed: list[int]) -> np.ndarray:
    """The mean of questions drawn with replacement, float64 [B].

    Questions have few distinct values, and how often each value is drawn is multinomial. Where all have
    one value, drawing shows no spread, however few they are. With n questions alike, the share of others
    that stayed unseen has the density n (1 − p)ⁿ⁻¹: a draw moves the mean by such a share.
    """
    rng = np.random.default_rng(seed)
    distinct, counts = np.unique(values, return_counts=True)
    n = len(values)
    if len(distinct) > 1:
        return rng.multinomial(n, counts / n, resamples) @ distinct / n
    (value,) = distinct
    up = rng.random(resamples) < 1 - value  # towards 1 or towards 0; from 1 only down
    return value + rng.beta(1, n, resamples) * np.where(up, 1 - value, -value)


def mean_of_figures(figures: Mapping[str, Figure], level: float = LEVEL) -> Estimate:
    """The unweighted mean of the figures of different benchmarks, whose questions are independent.

    The draws have to come from different seeds.
    """
    estimates = [figure.estimate for figure in figures.values()]
    value = float(np.mean([estimate.value for estimate in estimates]))
    draws = np.mean([figure.draws for figure in figures.values()], axis=0)
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    questions = sum(estimate.questions for estimate in estimates)
    return Estimate(value, min(float(low), value), max(float(high), value), questions)


# MV-MATH's multi-step questions


def step_accuracy_rate(table: pd.DataFrame, resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """SAR: the right steps of all multi-step questions, as a share of all their steps."""
    rows = _multi_step(table)
    right, steps = (_per_question(rows, name).to_frame("SAR") for name in ("steps_right", "steps"))
    return estimate_ratios(right, steps, resamples=resamples, seed=seed)["SAR"]


def question_completeness_rate(
    table: pd.DataFrame, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """QCR: the share of multi-step questions of which all steps are right."""
    return mean_over_parts(
        _per_question(_multi_step(table), "correct"), None, resamples, seed
    ).estimate


def _multi_step(table: pd.DataFrame) -> pd.DataFrame:
    rows = canonical_rows(table)
    rows = rows[rows["steps"].notna()] if "steps" in rows else rows[:0]
    if not len(rows):
        raise InputError("no multi-step question", where="table, steps",
                         expected="rows of MV-MATH's multi-step questions under its own scoring",
                         got=0)  # fmt: skip
    return rows


#: Figures that a benchmark has beside its main one, by its title.
SECONDARY: Mapping[str, Mapping[str, Callable[[pd.DataFrame], Estimate]]] = MappingProxyType(
    {
        "MV-MATH": {
            "step accuracy rate (SAR)": step_accuracy_rate,
            "question completeness rate (QCR)": question_completeness_rate,
        }
    }
)
