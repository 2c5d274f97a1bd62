"""How often 95 % intervals hold the truth: simulated models, question samples of several sizes.

    python -m benchmarks.interval_coverage
    python -m benchmarks.interval_coverage --differences

With ``--differences`` the paired differences between a model and one without preference for a place.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.results import called, write_results
from evals.attainable import attainable_bounds, usual_orders
from evals.bias import ckld, estimate_slot_bias, rstd, slope_terms, slot_counts
from evals.comparison import paired_differences
from evals.metrics import per_question, values_of
from evals.reply_counts import ReplyCounts
from evals.statistics import estimate_means

RUNS, RESAMPLES, REPEATS, TRUTH_QUESTIONS = 1000, 2000, 2, 100_000


@dataclass(frozen=True)
class World:
    """A model and the questions it is asked: which picture is it?

    Attributes:
        images: pictures a question, asked in all orders (of four or more: in 6 of them).
        sensitive: share of questions in which the place of a picture counts.
        taste: how much the first slot is preferred there, in logits.
        knowledge: logit of the gold picture; questions differ around it.
    """

    images: int
    sensitive: float
    taste: float
    knowledge: float = 1.5

    def replies(
        self,
        questions: int,
        rng: np.random.Generator,
        reply_rng: np.random.Generator | None = None,
    ) -> pd.DataFrame:
        """A table of replies to questions drawn from this world with ``rng``; replies with their own if given."""
        orders = np.array(list(itertools.permutations(range(self.images)))[:6])
        content = rng.normal(0, 1.5, (questions, self.images))
        content[:, 0] += self.knowledge  # the gold is picture 0
        minds = rng.random(questions) < self.sensitive
        first = np.array([order[0] == np.arange(self.images) for order in orders])
        logits = content[:, None] + self.taste * minds[:, None, None] * first
        rng = reply_rng or rng
        chance = np.exp(logits)
        threshold = (chance.cumsum(-1) / chance.sum(-1, keepdims=True))[:, :, None]
        chosen = (rng.random((questions, len(orders), REPEATS, 1)) > threshold).sum(-1)
        question, order, repeat = (axis.ravel() for axis in np.indices(chosen.shape))
        chosen, place = chosen.ravel(), np.argsort(orders, axis=1)
        parsable = rng.random(len(chosen)) > 0.02
        names = np.array(["-".join(map(str, each)) for each in orders])
        return pd.DataFrame(
            {
                "question": question,
                "order": names[order],
                "repeat": repeat,
                "canonical": np.where(parsable, np.array(list("abcdef"))[chosen], None),
                "correct": parsable & (chosen == 0),
                "gold_slot": place[order, 0].astype(float),
                "chosen_slot": np.where(parsable, place[order, chosen], np.nan),
                "n_images": self.images,
                "n_choices": float(self.images),
            }
        )


WORLDS = {
    "two images, order often matters": World(2, sensitive=0.8, taste=1.5),
    "two images, order rarely matters": World(2, sensitive=0.1, taste=3.0),
    "three images, order often matters": World(3, sensitive=0.8, taste=1.5),
    "three images, order never matters": World(3, sensitive=0.0, taste=0.0),
}
SAMPLES = (30, 100, 300)


def truth(world: World, seed: int = 0) -> dict[str, float]:
    """Every metric of very many questions, bias measures as peers compute them."""
    table = world.replies(TRUTH_QUESTIONS, np.random.default_rng([seed, 1]))
    found = {str(name): float(value) for name, value in per_question(table).mean().items()}
    counts = slot_counts(table)
    assert counts is not None
    top, bottom = (part.sum() for part in slope_terms(table))
    return found | {
        "rstd_slot": rstd(counts),
        "ckld_slot": ckld(counts),
        **{str(name): float(value) for name, value in (top / bottom).items()},
    }


def coverage(world: World, questions: int, runs: int = RUNS, seed: int = 0) -> dict[str, float]:
    """The share of samples whose interval holds the truth, by metric; NaN where it is undefined."""
    expected = truth(world, seed)
    if world.sensitive == 0:  # exactly known, and at the end of the range
        expected |= {"rstd_slot": 0.0, "ckld_slot": 0.0}
    inside = dict.fromkeys(expected, 0.0)
    for run in range(runs):
        table = world.replies(questions, np.random.default_rng([seed, 2, run]))
        counts = ReplyCounts.of(table)
        bounds, orders = attainable_bounds(counts), usual_orders(counts)
        found = estimate_means(values_of(counts), bounds, RESAMPLES, seed=run, orders=orders)
        found |= estimate_slot_bias(table, RESAMPLES, seed=run, orders=orders)
        for name, value in expected.items():
            estimate = found[name]
            inside[name] += estimate.low - 1e-9 <= value <= estimate.high + 1e-9
    return {name: count / runs for name, count in inside.items()}


def difference_coverage(
    world: World, questions: int, runs: int = RUNS, seed: int = 0
) -> dict[str, float]:
    """As ``coverage``, of the differences between a world's model and one without preference for a place."""

    def counts_of(each: World, n: int, run: int, replies: int) -> ReplyCounts:
        question_rng = np.random.default_rng([seed, 3, run])
        reply_rng = np.random.default_rng([seed, 4, run, replies])
        return ReplyCounts.of(each.replies(n, question_rng, reply_rng))

    neutral = replace(world, sensitive=0.0)
    ours, theirs = (
        values_of(counts_of(each, TRUTH_QUESTIONS, runs, i))
        for i, each in enumerate((world, neutral))
    )
    expected = (ours - theirs).mean()
    inside = dict.fromkeys(map(str, expected.index), 0.0)
    for run in range(runs):
        counts, others = (
            counts_of(each, questions, run, i) for i, each in enumerate((world, neutral))
        )
        found = paired_differences(
            values_of(counts), values_of(others), attainable_bounds(counts), RESAMPLES, seed=run,
            orders=usual_orders(counts),
        )  # fmt: skip
        for name in inside:
            inside[name] += found[name].low - 1e-9 <= expected[name] <= found[name].high + 1e-9
    return {name: count / runs for name, count in inside.items()}


def main() -> None:
    """Simulate and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--differences", action="store_true", help="paired differences of two models"
    )
    differences = parser.parse_args().differences
    measure: Callable[[World, int], dict[str, float]] = (
        difference_coverage if differences else coverage
    )
    figures: dict[str, dict[str, float]] = {}
    for name, world in WORLDS.items():
        for questions in SAMPLES:
            figures[f"{name}; {questions} questions"] = measure(world, questions)
            print(name, questions, flush=True)
    shown = Table("", *(label.replace("; ", "\n") for label in figures), title="coverage, per cent")
    for metric in next(iter(figures.values())):
        shown.add_row(metric, *(f"{100 * column[metric]:.1f}" for column in figures.values()))
    Console(width=200).print(shown)
    error = 100 * math.sqrt(0.95 * 0.05 / RUNS)
    print(f"{RUNS} samples a column: standard error {error:.1f}")
    write_results(
        "difference_coverage" if differences else "interval_coverage",
        figures, "share of intervals that hold the truth", command=called(),
    )  # fmt: skip


if __name__ == "__main__":
    main()
