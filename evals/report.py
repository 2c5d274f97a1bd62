"""The report: one HTML file that needs nothing else; and the same numbers for a terminal."""

from __future__ import annotations

import importlib.resources
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from rich.table import Table

from evals.charts import Series, colour_class, disagreement_chart, slot_chart
from evals.comparison import compare
from evals.gallery import make_cards
from evals.metrics import METRICS, Metric
from evals.plan import reload_questions
from evals.run_directory import read_config, read_results, read_rows
from evals.statistics import Estimate
from evals.summary import BREAKDOWNS, Estimates, Summary, summarize
from evals.table import build_table
from evals.verdict import judge, percent, points, verdict
from perl_env.errors import InputError
from perl_env.question import Question

GALLERY_LIMIT = 12

#: The metrics of the breakdown tables, with short heads.
_BROKEN_DOWN = {
    "accuracy_mean": "accuracy",
    "consistent_accuracy": "CA",
    "flip_rate": "flips",
    "order_effect": "effect",
}
_BREAKDOWN_TITLES = {
    "class_group": "What an answer should do when images move",
    "order_class": "Order class",
    "kind": "Kind of question",
    "task": "Task",
}


@dataclass(frozen=True)
class NamedRun:
    """One model's run as reports show it.

    Attributes:
        name: the run's name.
        table: one row a reply, see ``evals.table.COLUMNS``.
        metrics: its summary.
        excluded: how many questions could not be asked soundly.
    """

    name: str
    table: pd.DataFrame
    metrics: Summary
    excluded: int = 0

    @classmethod
    def load(cls, path: str | Path) -> NamedRun:
        """The run in a run directory, finished or not.

        Raises:
            InputError: the folder holds no run, or no reply yet.
        """
        config, rows = read_config(path), read_rows(path)
        if not rows:
            raise InputError(
                "run without replies", where=str(path), expected="at least one reply", got=0
            )
        table = build_table(rows)
        return cls(
            config["name"], table, summarize(table), len(read_results(path).get("excluded", ()))
        )


def write_report(
    runs: Sequence[NamedRun],
    questions: Mapping[str, Question],
    path: str | Path,
    title: str = "Order-robustness",
    gallery_limit: int = GALLERY_LIMIT,
) -> Path:
    """Write one self-contained HTML file about one or several runs, side by side.

    Args:
        runs: the first is the one that the others are compared with.
        questions: by key, for the pictures of flipped questions; those missing here are not shown.
        path: the file to write.
        title: the report's heading.
        gallery_limit: how many flipped questions to show of each run.

    Raises:
        InputError: no runs.
    """
    if not runs:
        raise InputError("nothing to report", where="runs", expected="at least one run", got=0)
    template = importlib.resources.files("evals").joinpath("report_template.html.j2")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    html = environment.from_string(template.read_text(encoding="utf-8")).render(
        title=title,
        runs=[_head(i, run) for i, run in enumerate(runs)],
        metric_rows=[_metric_row(metric, runs) for metric in METRICS.values()],
        differences=_differences(runs),
        charts=_charts(runs),
        breakdowns=[b for name in BREAKDOWNS if (b := _breakdown(name, runs))],
        broken_down=list(_BROKEN_DOWN.values()),
        galleries=[
            {"name": run.name, "colour": colour_class(i), "cards": cards,
             "flips": _number_of_flips(run)}
            for i, run in enumerate(runs)
            if (cards := make_cards(run.table, questions, gallery_limit))
        ],
        metrics=list(METRICS.values()),
    )  # fmt: skip
    path = Path(path)
    path.write_text(html, encoding="utf-8", errors="replace")
    return path


def report_directories(directories: Sequence[str | Path], path: str | Path) -> Path:
    """Write one report about the runs in several run directories; the first is the baseline.

    The pictures of flipped questions are shown where the run's questions can be loaded again.

    Raises:
        InputError: a folder holds no run, or no reply yet.
    """
    runs = [NamedRun.load(directory) for directory in directories]
    questions: dict[str, Question] = {}
    seen: set[str] = set()
    for directory in directories:
        config = read_config(directory)
        if config["questions_digest"] not in seen:
            seen.add(config["questions_digest"])
            questions |= reload_questions(config)
    return write_report(runs, questions, path)


def summary_table(runs: Sequence[NamedRun], title: str = "") -> Table:
    """The metrics of several runs side by side, for a terminal: value and 95 % interval."""
    table = Table(title=title or None, title_justify="left")
    table.add_column("metric")
    for run in runs:
        table.add_column(run.name, justify="right", no_wrap=True)
    for metric in METRICS.values():
        cells = [_cell(metric, run.metrics[metric.name]) for run in runs]
        if any(cell["value"] != "–" for cell in cells):
            table.add_row(metric.title + _arrow(metric), *(_terminal_text(cell) for cell in cells))
    replies = [f"{run.metrics.questions:,} / {run.metrics.replies:,}" for run in runs]
    table.add_row("questions / replies", *replies, style="dim")
    return table


def _terminal_text(cell: Mapping[str, Any]) -> str:
    return f"{cell['value']}  [dim]{cell['span']}[/dim]" if cell["span"] else cell["value"]


def _head(index: int, run: NamedRun) -> dict[str, Any]:
    orders = run.table.groupby("question")["order"].nunique()
    repeats = int(run.table["repeat"].nunique()) if "repeat" in run.table else 1
    return {
        "name": run.name,
        "colour": colour_class(index),
        "judgement": judge(run.metrics),
        "verdict": verdict(run.name, run.metrics),
        "facts": f"{run.metrics.questions:,} questions, up to {orders.max()} orders each, "
        f"{repeats} {'reply' if repeats == 1 else 'replies'} an order: {run.metrics.replies:,} replies"
        + (f"; {run.excluded:,} questions excluded, as they cannot be rewritten soundly" if run.excluded else ""),
    }  # fmt: skip


def _metric_row(metric: Metric, runs: Sequence[NamedRun]) -> dict[str, Any]:
    cells = [_cell(metric, run.metrics[metric.name]) for run in runs]
    numbers = [run.metrics[metric.name].value for run in runs]
    known = [number for number in numbers if not math.isnan(number)]
    if metric.better and len(known) > 1 and max(known) > min(known):
        best = max(known) if metric.better == "higher" else min(known)
        for cell, number in zip(cells, numbers, strict=True):
            cell["best"] = number == best
    return {"title": metric.title, "arrow": _arrow(metric), "name": metric.name, "cells": cells}


def _cell(metric: Metric, estimate: Estimate) -> dict[str, Any]:
    """A number with its interval as text."""
    signed = metric.bounds[0] < 0
    span = ""
    if not math.isnan(estimate.low):
        low, high = (
            points(e) if signed else f"{100 * e:.1f}" for e in (estimate.low, estimate.high)
        )
        span = f"{low} … {high}"
    value = points(estimate.value) if signed else percent(estimate.value)
    return {"value": value, "span": span, "questions": estimate.questions, "best": False}


def _arrow(metric: Metric) -> str:
    return {"higher": "\N{NO-BREAK SPACE}↑", "lower": "\N{NO-BREAK SPACE}↓", "": ""}[metric.better]


def _differences(runs: Sequence[NamedRun]) -> list[dict[str, Any]]:
    """Each later run's paired differences to the first, where they share questions."""
    found = []
    for index, run in enumerate(runs[1:], start=1):
        try:
            frame = compare(run.table, runs[0].table)
        except InputError:
            continue
        rows = [
            {"title": METRICS[str(name)].title + _arrow(METRICS[str(name)]), "difference": points(row["difference"]),
             "span": f"{points(row['low'])} … {points(row['high'])}", "p_value": _p_text(row["p_value"]),
             "clear": row["low"] > 0 or row["high"] < 0}
            for name, row in frame.iterrows() if not math.isnan(row["difference"])
        ]  # fmt: skip
        found.append({"name": run.name, "other": runs[0].name, "colour": colour_class(index), "rows": rows,
                      "questions": int(frame["questions"].max())})  # fmt: skip
    return found


def _p_text(p_value: float) -> str:
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _charts(runs: Sequence[NamedRun]) -> list[dict[str, Any]]:
    slots = [
        Series(run.name, {slot + 1: e for slot, e in run.metrics.gold_slots.items()})
        for run in runs
    ]
    charts = [
        {
            "title": "Order effect against noise floor",
            "svg": disagreement_chart(
                [(run.name, run.metrics) for run in runs],
                "disagreement within one order and across orders",
            ),
            "legend": False,
            "text": "Grey: how often two replies to the same order disagree, the model's own noise. Coloured: "
            "what a different order adds, with its 95 % interval. Hatched: noise not measured.",
        },
        {
            "title": "Accuracy by slot of the gold",
            "svg": slot_chart(slots, "accuracy by the slot of the picture that the gold denotes"),
            "legend": True,
            "text": "For questions whose answer is one of the images: how often it is found when it stands in each "
            "slot. Without order bias the line is flat; late slots exist only in questions with many images.",
        },
        {
            "title": "Slots that were chosen",
            "svg": slot_chart(*_choice_series(runs)),
            "legend": True,
            "text": "How often the replies name the image in each slot. Dashed: how often the gold stands there.",
        },
    ]
    return [chart for chart in charts if chart["svg"]]


def _choice_series(runs: Sequence[NamedRun]) -> tuple[list[Series], str, dict[int, float]]:
    nan = float("nan")
    series = [
        Series(run.name, {int(str(slot)) + 1: Estimate(row["chosen"], nan, nan, 0)
                          for slot, row in run.metrics.choices.iterrows()})
        for run in runs
    ]  # fmt: skip
    gold = next(
        (run.metrics.choices["gold"] for run in runs if len(run.metrics.choices)), pd.Series()
    )
    reference = {int(str(slot)) + 1: float(share) for slot, share in gold.items()}
    return series, "how often each slot is chosen", reference


def _breakdown(name: str, runs: Sequence[NamedRun]) -> dict[str, Any] | None:
    """The main metrics part by part; nothing where there is one part only."""
    parts = sorted({part for run in runs for part in run.metrics.parts[name]})
    if len(parts) < 2:
        return None
    return {
        "title": _BREAKDOWN_TITLES[name],
        "parts": [
            _part(part, [run.metrics.parts[name].get(part) for run in runs], runs) for part in parts
        ],
    }


def _part(
    name: str, estimates: Sequence[Estimates | None], runs: Sequence[NamedRun]
) -> dict[str, Any]:
    """One part of the questions: its size, and one row a run that was asked them."""
    rows = [
        {"name": run.name, "colour": colour_class(i),
         "cells": [_cell(METRICS[metric], found[metric]) for metric in _BROKEN_DOWN]}
        for i, (run, found) in enumerate(zip(runs, estimates, strict=True)) if found
    ]  # fmt: skip
    questions = max(found["accuracy_mean"].questions for found in estimates if found)
    return {"name": name, "questions": questions, "rows": rows}


def _number_of_flips(run: NamedRun) -> int:
    flips = run.metrics["flip_rate"]
    return 0 if math.isnan(flips.value) else round(flips.value * flips.questions)
