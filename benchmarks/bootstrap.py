"""Time and memory of every metric with its interval: 10,000 questions, 24 orders, 10,000 resamples.

Where the machine is busy with other work, the processor's seconds say more than the clock's.

python -m benchmarks.bootstrap
"""

from __future__ import annotations

import itertools
import json
import resource
import subprocess
import sys
import time

import numpy as np
import pandas as pd

from benchmarks.results import publish

QUESTIONS, ORDERS, RESAMPLES = 10_000, 24, 10_000


def replies(repeats: int, seed: int = 0) -> pd.DataFrame:
    """A table of replies to questions with four images, some of them unparsable."""
    rng = np.random.default_rng(seed)
    orders = np.array(list(itertools.permutations(range(4)))[:ORDERS])
    names = np.array(["-".join(map(str, order)) for order in orders])
    shape = (QUESTIONS, len(orders), repeats)
    question, order, repeat = (axis.ravel() for axis in np.indices(shape))
    chosen = np.where(rng.random(shape) < 0.6, 0, rng.integers(0, 4, shape)).ravel()
    parsable = rng.random(len(chosen)) > 0.02
    place = np.argsort(orders, axis=1)
    return pd.DataFrame(
        {
            "question": np.char.add("q", question.astype(str)),
            "task": "benchmark",
            "kind": "which",
            "order_class": "slot-naming",
            "order": names[order],
            "repeat": repeat,
            "canonical": np.where(parsable, np.char.add("Image ", chosen.astype(str)), None),
            "correct": parsable & (chosen == 0),
            "gold_slot": place[order, 0].astype(float),
            "chosen_slot": np.where(parsable, place[order, chosen], np.nan),
            "n_images": 4,
            "n_choices": 4.0,
        }
    )


def measure(work: str) -> dict[str, float]:
    """Seconds and peak memory of one piece of work, in a process of its own."""
    code = f"from benchmarks.bootstrap import run; run({work!r})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(found.stdout)


def run(work: str) -> None:
    """Called in the child: does the work and prints what it took."""
    from evals.attainable import attainable_bounds, usual_orders
    from evals.bootstrap import bootstrap_ratios
    from evals.metrics import per_question, values_of
    from evals.reply_counts import ReplyCounts
    from evals.statistics import estimate_means
    from evals.summary import summarize

    table = replies(repeats=2 if work.endswith("two repeats") else 1)
    started, busy = time.perf_counter(), time.process_time()
    if work.startswith("draws of one"):
        values = per_question(table)[["accuracy_mean"]].to_numpy()
        started, busy = time.perf_counter(), time.process_time()
        ends, levels = np.array([[0.0, 1.0]]), np.array([2])
        bootstrap_ratios(values, np.ones_like(values), ends, levels, RESAMPLES)
    elif work.startswith("every metric"):
        counts = ReplyCounts.of(table)
        bounds, orders = attainable_bounds(counts), usual_orders(counts)
        estimate_means(values_of(counts), bounds, RESAMPLES, orders=orders)
    else:
        summarize(table, RESAMPLES)
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": seconds, "processor seconds": busy, "gigabytes": peak}))


WORK = (
    "draws of one metric",
    "every metric with its interval",
    "every metric with its interval, two repeats",
    "whole summary with breakdowns and bias, two repeats",
)


def main() -> None:
    """Measure and publish."""
    figures: dict[str, dict[str, float]] = {}
    for work in WORK:
        found = [measure(work) for _ in range(3)]
        for name in ("seconds", "processor seconds", "gigabytes"):
            values = sorted(each[name] for each in found)
            figures[f"{work}: {name}"] = {
                "median": values[1],
                "min": values[0],
                "max": values[2],
            }
    publish("bootstrap", figures, "median of three", digits=2)


if __name__ == "__main__":
    main()
