"""What the report's template is given: every number as the text that is shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from evals.chart_style import colour_class
from evals.metrics import METRICS, Metric
from evals.named_run import NamedRun
from evals.report_tables import BIAS, is_signed
from evals.run_settings import settings_text
from evals.statistics import Estimate, power_note
from evals.summary import BREAKDOWNS, Estimates
from evals.verdict import judge, points, verdict

#: The metrics of the breakdown tables, with short heads.
BROKEN_DOWN: Mapping[str, str] = {
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
#: The metric whose spread the power note is about.
_POWER_OF = "accuracy_mean"


def head(index: int, run: NamedRun) -> dict[str, Any]:
    """A run's verdict and what it rests on."""
    orders = run.table.groupby("question")["order"].nunique()
    repeats = int(run.table["repeat"].nunique()) if "repeat" in run.table else 1
    return {
        "name": run.name,
        "colour": colour_class(index),
        "unfinished": run.unfinished,
        "settings": settings_text(run),
        "judgement": judge(run.metrics),
        "verdict": verdict(run.name, run.metrics),
        "facts": f"{run.metrics.questions:,} questions, up to {orders.max()} orders each, "
        f"{repeats} {'reply' if repeats == 1 else 'replies'} an order: {run.metrics.replies:,} replies"
        + (f"; refused by the endpoint: {run.metrics.refused:,}" if run.metrics.refused else "")
        + (f"; {run.excluded:,} questions excluded, as they cannot be rewritten soundly" if run.excluded else ""),
    }  # fmt: skip


def metric_row(metric: Metric, runs: Sequence[NamedRun]) -> dict[str, Any]:
    """A metric's row, the best of several runs marked."""
    cells = [cell(metric.name, run.metrics[metric.name]) for run in runs]
    numbers = [run.metrics[metric.name].value for run in runs]
    known = [number for number in numbers if not math.isnan(number)]
    if metric.better and len(known) > 1 and max(known) > min(known):
        best = max(known) if metric.better == "higher" else min(known)
        for one, number in zip(cells, numbers, strict=True):
            one["best"] = number == best
    return {"title": metric.title, "arrow": arrow(metric), "name": metric.name, "cells": cells}


def cell(name: str, estimate: Estimate) -> dict[str, Any]:
    """A metric's or bias measure's number with its interval as text."""
    unit, write = ("", _plain) if name.startswith("ckld") else (" %", _share)
    if is_signed(name):
        unit, write = "", points
    value = "–" if math.isnan(estimate.value) else write(estimate.value) + unit
    span = "" if math.isnan(estimate.low) else f"{write(estimate.low)} … {write(estimate.high)}"
    return {"value": value, "span": span, "questions": estimate.questions, "best": False}


def _share(value: float) -> str:
    return f"{100 * value:.1f}"


def _plain(value: float) -> str:
    return f"{value:.3f}"


def bias_rows(runs: Sequence[NamedRun]) -> list[dict[str, Any]]:
    """A row a measure of bias that some run has."""
    nan = float("nan")
    return [
        {"title": title, "name": name,
         "cells": [cell(name, run.metrics.bias.get(name, Estimate(nan, nan, nan, 0))) for run in runs]}
        for name, title in BIAS.items() if any(name in run.metrics.bias for run in runs)
    ]  # fmt: skip


def arrow(metric: Metric) -> str:
    """Which direction is better."""
    return {"higher": "\N{NO-BREAK SPACE}↑", "lower": "\N{NO-BREAK SPACE}↓", "": ""}[metric.better]


def differences(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """One table a compared run, of ``evals.report_tables.differences_frame``."""
    if not len(frame):
        return []
    return [_difference(int(str(index)), found) for index, found in frame.groupby("index")]


def _difference(index: int, found: pd.DataFrame) -> dict[str, Any]:
    by_metric = {str(row["metric"]): row for row in found.to_dict("records")}
    rows = [
        {"title": METRICS[name].title + arrow(METRICS[name]), "difference": points(row["difference"]),
         "span": f"{points(row['low'])} … {points(row['high'])}", "p_value": _p_text(row["p_value"]),
         "mcnemar_p": _p_text(row["mcnemar_p"]), "q_value": _p_text(row["q_value"]),
         "notable": row["q_value"] < 0.05 and (row["low"] > 0 or row["high"] < 0)}
        for name, row in by_metric.items() if not math.isnan(row["difference"])
    ]  # fmt: skip
    power = by_metric[_POWER_OF]
    note = power_note(power["questions"], power["deviation"])
    return {
        "name": found["run"].iloc[0], "other": found["other"].iloc[0], "colour": colour_class(index),
        "rows": rows, "questions": int(found["questions"].max()),
        "power": f"{METRICS[_POWER_OF].title}: {note}.",
    }  # fmt: skip


def _p_text(p_value: float) -> str:
    if math.isnan(p_value):
        return "–"
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def breakdowns(runs: Sequence[NamedRun]) -> list[dict[str, Any]]:
    """The main metrics part by part; what has one part only is left out."""
    return [found for name in BREAKDOWNS if (found := _breakdown(name, runs))]


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
         "cells": [cell(metric, found[metric]) for metric in BROKEN_DOWN]}
        for i, (run, found) in enumerate(zip(runs, estimates, strict=True)) if found
    ]  # fmt: skip
    questions = max(found["accuracy_mean"].questions for found in estimates if found)
    return {"name": name, "questions": questions, "rows": rows}
