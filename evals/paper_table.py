"""The paper's table: own runs beside published rows, each figure with its interval or its source."""

from __future__ import annotations

import csv
import importlib.resources
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from rich.markup import escape
from rich.table import Table

from evals.aggregation import (
    BENCHMARKS,
    SECONDARY,
    Benchmark,
    Figure,
    benchmark_figure,
    canonical_rows,
    mean_of_figures,
    split_by_benchmark,
)
from evals.run_directory import read_config, read_results, read_rows
from evals.statistics import RESAMPLES, Estimate
from evals.table import build_table
from perl_env.errors import InputError

AVERAGE = "average"
_SOURCE = "source"
_OWN = "measured"
#: What stands behind a benchmark's title where the published scorer asks a language model.
_MARKS = {"never": "", "fallback": " †", "always": " ‡"}
_MARK_NOTES = {
    " †": "† The published scorer has a language model read the replies that its rule cannot; in own figures "
    "those count as wrong, so own figures can only be lower.",
    " ‡": "‡ The published scorer is a language model; own figures are scored by rule and are not comparable.",
}
_STRICT_MARK = " §"
_STRICT_NOTE = (
    "§ Scored by our own rule, not by the benchmark's: not comparable (eval --scoring official)."
)
_VLMEVALKIT = (
    "PeRL made those of BLINK, MathVista, MathVerse and MathVision with VLMEvalKit, which asks a language "
    "model where its rules find no answer."
)


@dataclass(frozen=True)
class TableRow:
    """One model's row.

    Attributes:
        model: its name.
        source: where the figures are from.
        figures: by benchmark's title, in per cent; an own one is an ``Estimate`` of a share.
        average: the mean over all benchmarks, where all are known.
        strict: benchmarks that were not scored by their own rule.
        notes: what a reader has to know of the row.
    """

    model: str
    source: str
    figures: Mapping[str, Estimate | float]
    average: Estimate | float | None = None
    strict: frozenset[str] = frozenset()
    notes: tuple[str, ...] = field(default=())

    def cell(self, title: str) -> str:
        """The text of a figure: "76.4 (70.5 … 82.0)", "76.39", or a dash."""
        figure = self.average if title == AVERAGE else self.figures.get(title)
        mark = _STRICT_MARK if title in self.strict else ""
        return "–" if figure is None else _text(figure) + mark


def published_rows() -> list[TableRow]:
    """The rows of ``published_results.yaml``."""
    data = _published()
    titles = data["benchmarks"]
    return [
        TableRow(
            model=row["model"],
            source=data["sources"][row["source"]],
            figures={t: s for t, s in zip(titles, row["scores"], strict=True) if s is not None},
            average=row.get(AVERAGE),
            notes=(row["note"],) if "note" in row else (),
        )
        for row in data["rows"]
    ]


@lru_cache(maxsize=1)
def _published() -> dict[str, Any]:
    file = importlib.resources.files("evals").joinpath("published_results.yaml")
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def own_rows(directories: Sequence[str | Path], resamples: int = RESAMPLES) -> list[TableRow]:
    """A row for each model whose runs are in these run directories.

    Runs of one name make one row; where two of them hold the same benchmark, each makes its own.

    Raises:
        InputError: a folder holds no run, no reply, or no question of a benchmark in the table.
    """
    found: dict[str, dict[str, _Measured]] = {}
    for directory in directories:
        config = read_config(directory)
        for title, measured in _measured(Path(directory), config).items():
            name = str(config["name"])
            if title in found.get(name, {}):
                name = f"{name} ({directory})"
            found.setdefault(name, {})[title] = measured
    return [_own_row(name, measured, resamples) for name, measured in found.items()]


@dataclass(frozen=True)
class _Measured:
    """A benchmark's rows in a run directory, and what is to be said of them."""

    table: pd.DataFrame
    notes: tuple[str, ...]


def _measured(directory: Path, config: Mapping[str, Any]) -> dict[str, _Measured]:
    rows = read_rows(directory)
    if not rows:
        raise InputError("run without replies", where=str(directory),
                         expected="at least one reply", got=0)  # fmt: skip
    parts = split_by_benchmark(build_table(rows))
    if not parts:
        raise InputError("run of none of the table's benchmarks", where=str(directory),
                         expected=f"one of {', '.join(b.task for b in BENCHMARKS)}",
                         got=config.get("task") or "no task")  # fmt: skip
    return {
        title: _Measured(table, tuple(_notes(directory, config))) for title, table in parts.items()
    }


def _notes(directory: Path, config: Mapping[str, Any]) -> Iterator[str]:
    """How a run differs from the published ones."""
    temperature = config.get("sampling", {}).get("temperature", 0)
    if temperature:
        yield f"sampled at temperature {temperature:g}; the published figures are of greedy replies"
    results = read_results(directory)
    if not results:
        yield "the run is not finished"
    if excluded := len(results.get("excluded", ())):
        yield f"{excluded} questions left out, as they cannot be asked in other orders"


def _own_row(name: str, measured: Mapping[str, _Measured], resamples: int) -> TableRow:
    figures: dict[str, Figure] = {}
    strict, notes = set(), []
    for seed, benchmark in enumerate(BENCHMARKS):
        if (found := measured.get(benchmark.title)) is None:
            continue
        figure = benchmark_figure(found.table, benchmark, resamples, seed)
        figures[benchmark.title] = figure
        if set(canonical_rows(found.table)["scoring"]) != {benchmark.rule}:
            strict.add(benchmark.title)
        about = [f"{figure.estimate.questions:,} questions", *found.notes,
                 *_secondary(found.table, benchmark)]  # fmt: skip
        notes.append(f"{benchmark.title}: {'; '.join(about)}")
    return TableRow(
        name, _OWN, {title: figure.estimate for title, figure in figures.items()},
        mean_of_figures(figures) if len(figures) == len(BENCHMARKS) else None,
        frozenset(strict), tuple(notes),
    )  # fmt: skip


def _secondary(table: pd.DataFrame, benchmark: Benchmark) -> Iterator[str]:
    """The benchmark's other figures, where it has some and the run can tell them."""
    if not table["steps"].notna().any():
        return
    for name, figure in SECONDARY.get(benchmark.title, {}).items():
        yield f"{name} {_text(figure(table))}"


def _text(figure: Estimate | float) -> str:
    """A figure in per cent.

    >>> _text(Estimate(0.764, 0.705, 0.82, 217)), _text(76.39)
    ('76.4 (70.5 … 82.0)', '76.39')
    """
    if isinstance(figure, Estimate):
        return f"{100 * figure.value:.1f} ({100 * figure.low:.1f} … {100 * figure.high:.1f})"
    return f"{figure:.2f}"


# Written out


def notes(rows: Sequence[TableRow]) -> list[str]:
    """What is to be said below the table."""
    own = [row for row in rows if row.source == _OWN]
    lines = [
        "Per cent right, each question asked in its canonical order. Own figures with 95 % intervals over "
        "questions; BLINK, MMIU and ReMI are unweighted means over their sub-tasks."
    ]
    sources = dict.fromkeys(row.source for row in rows if row.source != _OWN)
    if sources:
        lines.append(f"Published figures: {'; '.join(sources)}. {_VLMEVALKIT}")
    if own:
        marks = {_MARKS[benchmark.judge] for benchmark in BENCHMARKS}
        lines += [note for mark, note in _MARK_NOTES.items() if mark in marks]
    if any(row.strict for row in own):
        lines.append(_STRICT_NOTE)
    return lines + [f"{row.model}: {note}." for row in rows for note in row.notes]


def _heads() -> list[str]:
    return [benchmark.title + _MARKS[benchmark.judge] for benchmark in BENCHMARKS]


def _titles() -> list[str]:
    return [*(benchmark.title for benchmark in BENCHMARKS), AVERAGE]


def terminal_table(rows: Sequence[TableRow]) -> Table:
    """The table for a terminal: intervals below their figures."""
    table = Table(show_lines=False)
    table.add_column("model")
    for head in (*_heads(), AVERAGE):
        table.add_column(head, justify="right")
    table.add_column(_SOURCE)
    for row in rows:
        cells = [row.cell(title).replace(" (", "\n(", 1) for title in _titles()]
        style = "bold" if row.source == _OWN else ""
        table.add_row(escape(row.model), *cells, escape(_short(row.source)), style=style)
    return table


def _short(source: str) -> str:
    """A source in a narrow column; the notes name it in full.

    >>> _short("PeRL (arXiv 2506.14907, NeurIPS 2025), table 2: permuted orders a question")
    'PeRL, table 2'
    """
    paper, _, place = source.partition(" (")
    return paper + (place.partition(")")[2].partition(":")[0] if place else "")


def as_markdown(rows: Sequence[TableRow]) -> str:
    """The table with its notes in Markdown."""
    lines = [["model", *_heads(), AVERAGE, _SOURCE], ["---", *["---:"] * len(_titles()), "---"]]
    lines += [[row.model, *map(row.cell, _titles()), row.source] for row in rows]
    text = "\n".join("| " + " | ".join(map(_escaped, line)) + " |" for line in lines)
    return text + "\n\n" + "\n".join(f"- {_escaped(note)}" for note in notes(rows)) + "\n"


def _escaped(cell: str) -> str:
    return " ".join(cell.replace("|", "\\|").replace("<", "&lt;").split())


def as_csv(rows: Sequence[TableRow]) -> str:
    """One line a figure, in per cent: model, benchmark, value, low, high, questions, scoring, judge, source."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["model", "benchmark", "value", "low", "high", "questions", "official_scoring",
                     "published_scorer_asks_a_model", "source"])  # fmt: skip
    judges = {benchmark.title: benchmark.judge for benchmark in BENCHMARKS}
    for row in rows:
        for title in _titles():
            figure = row.average if title == AVERAGE else row.figures.get(title)
            if figure is None:
                continue
            own = isinstance(figure, Estimate)
            numbers = (
                [f"{100 * part:.4f}" for part in (figure.value, figure.low, figure.high)] + [figure.questions]
                if isinstance(figure, Estimate) else [f"{figure:.2f}", "", "", ""]
            )  # fmt: skip
            unofficial = title in row.strict or (title == AVERAGE and bool(row.strict))
            official = ("no" if unofficial else "yes") if own else ""
            writer.writerow(
                [row.model, title, *numbers, official, judges.get(title, ""), row.source]
            )
    return file.getvalue()


#: How the table is written, by the file's ending.
WRITERS = {".md": as_markdown, ".csv": as_csv}


def write_table(rows: Sequence[TableRow], path: Path) -> Path:
    """Write the table as Markdown (``.md``) or CSV (``.csv``).

    Raises:
        InputError: another ending.
    """
    if path.suffix not in WRITERS:
        raise InputError("unknown kind of table", where="--out",
                         expected=f"a file that ends in {' or '.join(WRITERS)}", got=path)  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(WRITERS[path.suffix](rows), encoding="utf-8")
    return path
