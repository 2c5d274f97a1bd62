"""Size of a report over 5,000 questions with photographs, and how long a browser takes to open it.

python -m benchmarks.report_size
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.bootstrap import replies as table_of
from benchmarks.results import publish
from evals.named_run import NamedRun
from evals.report import write_report
from evals.summary import summarize
from perl_env.order_class import OrderClass
from perl_env.question import Question
from tests.evals.browser import opened, started_chromium

QUESTIONS, ORDERS, REPEATS, IMAGES, SIDE = 5_000, 6, 2, 4, 192
OPENINGS = 5


def questions(names: list[str]) -> dict[str, Question]:
    """Questions of four pictures each, every picture another one, as hard to compress as photographs."""
    rng = np.random.default_rng(0)
    return {
        name: Question(
            images=tuple(_photograph(rng) for _ in range(IMAGES)),
            text="Which of the images shows what the caption describes? " * 3,
            options=(), answer="Image 1", order_class=OrderClass.SLOT_NAMING, key=name,
        )
        for name in names
    }  # fmt: skip


def _photograph(rng: np.random.Generator) -> np.ndarray:
    """Coarse shapes with fine structure and noise on them."""
    coarse = np.kron(rng.integers(0, 200, (6, 6, 3)), np.ones((SIDE // 6, SIDE // 6, 1)))
    fine = np.kron(rng.integers(0, 40, (SIDE // 4, SIDE // 4, 3)), np.ones((4, 4, 1)))
    return (coarse + fine + rng.integers(0, 16, (SIDE, SIDE, 3))).clip(0, 255).astype(np.uint8)


def runs(number: int) -> list[NamedRun]:
    """Runs of a model that often chooses by chance, with long replies."""
    found = []
    for seed in range(number):
        table = table_of(REPEATS, seed)
        orders = table["order"].unique()[:ORDERS]
        names = table["question"].unique()[:QUESTIONS]
        table = table[table["order"].isin(orders) & table["question"].isin(names)].reset_index(
            drop=True
        )
        table["reply"] = "<think>" + "I look at each image in turn. " * 30 + "</think>"
        table["parsed"] = table["canonical"]
        found.append(NamedRun(f"model {seed}", table, summarize(table)))
    return found


def main() -> None:
    """Measure and publish."""
    figures: dict[str, dict[str, float]] = {}
    asked = questions([f"q{i}" for i in range(QUESTIONS)])
    for number in (1, 2):
        found = runs(number)
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            path = write_report(found, asked, Path(folder) / "report.html")
            seconds = time.perf_counter() - started
            label = f"{number} run{'s' if number > 1 else ''} of {QUESTIONS:,} questions"
            size = path.stat().st_size / 1e6
            figures[f"{label}: size, MB"] = {"median": size, "min": size, "max": size}
            figures[f"{label}: written in, s"] = {"median": seconds, "min": seconds, "max": seconds}
            for what, times in openings(path).items():
                figures[f"{label}: {what}, s"] = {
                    "median": statistics.median(times), "min": min(times), "max": max(times),
                }  # fmt: skip
    publish("report_size", figures, "median", digits=2)


def openings(path: Path) -> dict[str, list[float]]:
    """Seconds to the load event, and until the first cards of the gallery are drawn."""
    loaded, drawn = [], []
    with started_chromium() as browser:
        for _ in range(OPENINGS):
            with opened(browser, path) as found:
                found.page.wait_for_selector("article img")
                drawn.append(found.page.evaluate("performance.now()") / 1000)
                entry = "performance.getEntriesByType('navigation')[0].loadEventEnd"
                loaded.append(found.page.evaluate(entry) / 1000)
                assert not found.complaints
    return {"load event after": loaded, "gallery drawn after": drawn}


if __name__ == "__main__":
    main()
