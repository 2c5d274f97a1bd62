"""The report's tables as data: one frame each, from which the page, the CSV files and the card are made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from evals.comparison import common_questions, compare, false_discovery
from evals.metrics import METRICS
from evals.named_run import NamedRun
from evals.statistics import Estimate
from perl_env.errors import InputError

#: Titles of what ``Summary.bias`` holds, and what each would be without bias; see docs/metrics.md.
BIAS: Mapping[str, str] = {
    "rstd_slot": "Slots: spread of recalls (RStd)",
    "ckld_slot": "Slots: divergence of choices (CKLD)",
    "recency_slope": "Slots: recency slope",
    "first_slot_gain": "Slots: gain in the first",
    "last_slot_gain": "Slots: gain in the last",
    "choice_shift": "Slots: shift of choices to the end",
    "rstd_letter": "Letters: spread of recalls (RStd)",
    "ckld_letter": "Letters: divergence of choices (CKLD)",
}


def metrics_frame(runs: Sequence[NamedRun]) -> pd.DataFrame:
    """Every metric of every run: ``run``, ``metric``, ``value``, ``low``, ``high``, ``questions``."""
    return _frame(
        {"run": run.name, "metric": name, **asdict(estimate)}
        for run in runs
        for name, estimate in run.metrics.items()
    )


def parts_frame(runs: Sequence[NamedRun]) -> pd.DataFrame:
    """The same part by part: also ``breakdown`` (kind, task …) and ``part``."""
    return _frame(
        {"run": run.name, "breakdown": breakdown, "part": part, "metric": name, **asdict(estimate)}
        for run in runs
        for breakdown, parts in run.metrics.parts.items()
        for part, estimates in parts.items()
        for name, estimate in estimates.items()
    )


def bias_frame(runs: Sequence[NamedRun]) -> pd.DataFrame:
    """Preferences for slots and letters: ``run``, ``measure``, ``value``, ``low``, ``high``, ``questions``."""
    return _frame(
        {"run": run.name, "measure": name, **asdict(estimate)}
        for run in runs
        for name, estimate in run.metrics.bias.items()
    )


def slots_frame(runs: Sequence[NamedRun]) -> pd.DataFrame:
    """By slot, counted from 1: accuracy with the gold there, and how often it is chosen and is the gold."""
    return _frame(
        {"run": run.name, "slot": slot + 1, **_prefixed("accuracy", run.metrics.gold_slots.get(slot)),
         **_shares(run.metrics.choices, slot)}
        for run in runs
        for slot in sorted({*run.metrics.gold_slots, *map(int, run.metrics.choices.index)})
    )  # fmt: skip


def letters_frame(runs: Sequence[NamedRun]) -> pd.DataFrame:
    """By option letter, how often it is chosen and how often it is the gold."""
    return _frame(
        {"run": run.name, "letter": letter, **_shares(run.metrics.letters, letter)}
        for run in runs
        for letter in run.metrics.letters.index
    )


def differences_frame(runs: Sequence[NamedRun]) -> pd.DataFrame:
    """Each later run's paired differences to the first, where they share questions.

    Returns:
        One row a run and metric: ``index`` (the run's number), ``run``, ``other``, ``metric``, and the
        columns of ``evals.comparison.compare``; ``q_value`` is over all runs and metrics together.
    """
    found = []
    for index, run in enumerate(runs[1:], start=1):
        try:
            frame = compare(run.table, runs[0].table)
        except InputError:  # no question in common
            continue
        found.append(frame.reset_index().assign(index=index, run=run.name, other=runs[0].name))
    if not found:
        return pd.DataFrame()
    frame = pd.concat(found, ignore_index=True)
    first = ["index", "run", "other", "metric"]
    frame = frame[first + [name for name in frame.columns if name not in first]]
    return frame.assign(q_value=false_discovery(frame["p_value"]))


def unpaired_notes(runs: Sequence[NamedRun], differences: pd.DataFrame) -> list[str]:
    """What of the later runs is not compared with the first, a sentence each; none where all is."""
    compared = set(differences["index"]) if len(differences) else set()
    notes = []
    for index, run in enumerate(runs[1:], start=1):
        different = len(common_questions(run.table, runs[0].table).different)
        if index not in compared:
            note = f"{run.name} is not compared with {runs[0].name}: no question was asked in the same order in both."
            if different:
                note += f" Of the keys in both, {different:,} name other questions in each."
            notes.append(note)
        elif different:
            notes.append(f"{run.name} and {runs[0].name}: of the keys in both, {different:,} name other questions "
                         "in each (text, answer or pictures differ); these are not compared.")  # fmt: skip
    return notes


def table_frames(runs: Sequence[NamedRun], differences: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Every table of a report by its file's name; those without a row are left out."""
    frames = {
        "metrics": metrics_frame(runs),
        "differences": differences.drop(columns="index", errors="ignore"),
        "parts": parts_frame(runs),
        "bias": bias_frame(runs),
        "slots": slots_frame(runs),
        "letters": letters_frame(runs),
    }
    return {name: frame for name, frame in frames.items() if len(frame)}


def _frame(rows: Iterator[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(list(rows))


def _prefixed(name: str, estimate: Estimate | None) -> dict[str, float]:
    if estimate is None:
        return {}
    return {
        name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high,
        "questions": estimate.questions,
    }  # fmt: skip


def _shares(choices: pd.DataFrame, label: object) -> dict[str, float]:
    return dict(choices.loc[label]) if label in choices.index else {}  # type: ignore[call-overload, arg-type]


def is_signed(name: str) -> bool:
    """Whether a metric or measure of bias can be below 0, and is shown with its sign."""
    if name in METRICS:
        return METRICS[name].bounds[0] < 0
    return name in ("recency_slope", "first_slot_gain", "last_slot_gain", "choice_shift")
