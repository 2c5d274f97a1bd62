"""The report: one HTML file that needs nothing else; and the same numbers for a terminal."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from rich.markup import escape
from rich.table import Table

from evals import report_page
from evals.chart_style import CHART_CSS, DARK, LIGHT, page_variables
from evals.gallery import FlipCounts
from evals.gallery_data import Gallery, embedded_json
from evals.metrics import METRICS
from evals.named_run import NamedRun
from evals.report_data import GALLERY_LIMIT, Report, make_report
from evals.report_exports import check_folder, export_report, file_contents
from evals.run_names import distinct_runs, folder_names
from evals.run_settings import settings_warnings
from evals.training_curves import TrainingRun, holds_training
from perl_env.errors import InputError
from perl_env.question import Question

__all__ = [
    "NamedRun",
    "Report",
    "make_report",
    "report_directories",
    "summary_table",
    "write_report",
]

_BEGINNING = "<!DOCTYPE html>"


def write_report(
    runs: Sequence[NamedRun],
    questions: Mapping[str, Question],
    path: str | Path,
    title: str = "Order-robustness",
    gallery_limit: int = GALLERY_LIMIT,
    training: Sequence[TrainingRun] = (),
    exports: str | Path | None = None,
) -> Path:
    """Write one self-contained HTML file about one or several runs, side by side.

    Args:
        runs: the first is the one that the others are compared with.
        questions: by key, for the pictures of flipped questions; those missing here are not shown.
            Runs that bring their own questions use those.
        path: the file to write.
        title: the report's heading.
        gallery_limit: how many flipped questions to show of each run, where the size allows.
        training: training runs whose curves are shown.
        exports: a folder for the plots as PNG and SVG, the tables as CSV, and a model card's section.

    Raises:
        InputError: no runs, or a place that holds something else.
    """
    path = Path(path)
    _refuse_other_files(path)
    if exports is not None:
        check_folder(Path(exports))
    report = make_report(runs, questions, title, gallery_limit, training)
    html = html_of(report)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(html, encoding="utf-8", errors="replace")
    os.replace(temporary, path)
    if exports is not None:
        export_report(report, exports)
    return path


def _refuse_other_files(path: Path) -> None:
    """A file that is no page is somebody's data."""
    if path.is_dir():
        raise InputError(
            "no file to write", where=str(path), expected="an HTML file", got="a folder"
        )
    if path.exists() and path.stat().st_size:
        with path.open("rb") as file:
            beginning = file.read(len(_BEGINNING)).decode("utf-8", "replace")
        if beginning.lower() != _BEGINNING.lower():
            raise InputError("file is no report", where=str(path),
                             expected="a new file, or a report to replace", got=repr(beginning))  # fmt: skip


def report_directories(
    directories: Sequence[str | Path], path: str | Path, exports: str | Path | None = None
) -> Path:
    """Write one report about the runs in several folders; the first evaluation is the baseline.

    Folders of evaluations and of training runs may be mixed. The pictures of flipped questions are shown
    where the run's questions can be loaded again.

    Raises:
        InputError: a folder holds no run, or no reply yet.
    """
    trainings = [directory for directory in directories if holds_training(directory)]
    evaluations = [directory for directory in directories if directory not in trainings]
    runs = distinct_runs([NamedRun.load(each, pictures=True) for each in evaluations], evaluations)
    names = folder_names(trainings)
    training = [TrainingRun.load(each, name) for each, name in zip(trainings, names, strict=True)]
    return write_report(runs, {}, path, training=training, exports=exports)


def html_of(report: Report) -> str:
    """The page."""
    folder = importlib.resources.files("evals")
    template = folder.joinpath("report_template.html.j2").read_text(encoding="utf-8")
    script = folder.joinpath("report_script.js").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(template).render(
        title=report.title,
        runs=[report_page.head(i, run) for i, run in enumerate(report.runs)],
        metric_rows=[report_page.metric_row(metric, report.runs) for metric in METRICS.values()],
        bias_rows=report_page.bias_rows(report.runs),
        differences=report_page.differences(report.differences),
        warnings=settings_warnings(report.runs),
        unpaired=report.unpaired,
        charts=report.charts,
        curves=report.curves,
        breakdowns=report_page.breakdowns(report.runs),
        broken_down=list(report_page.BROKEN_DOWN.values()),
        gallery=report.gallery if report.gallery.data["cards"] else None,
        only_unreadable=any(each.unreadable for each in report.gallery.counts),
        gallery_facts=_gallery_facts(report.gallery),
        gallery_json=embedded_json(report.gallery.data),
        files_json=embedded_json(file_contents(report)),
        metrics=list(METRICS.values()),
        light=Markup(page_variables(LIGHT)),
        dark=Markup(page_variables(DARK)),
        chart_css=Markup(CHART_CSS),
        script=Markup(script),
        script_hash=_script_hash(script),
    )


def _gallery_facts(gallery: Gallery) -> str:
    """How many of each run's flipped questions are shown, and why the flip rate counts more."""
    counted = zip(gallery.data["runs"], gallery.shown, gallery.flips, gallery.counts, strict=True)
    return " ".join(_flip_facts(*facts) for facts in counted)


def _flip_facts(name: str, shown: int, flips: int, counts: FlipCounts) -> str:
    total = len(counts.readable) + len(counts.unreadable)
    facts = f"{name}: {shown:,} of {flips:,} flipped questions"
    reasons = []
    if counts.unreadable:
        reasons.append(f"{len(counts.unreadable):,} without any answer that could be read (such replies agree "
                       "with nothing)")  # fmt: skip
    if without := len(counts.readable) - flips:
        reasons.append(f"{without:,} without pictures at hand")
    if reasons:
        facts += f"; the flip rate counts {total:,}, also {' and '.join(reasons)}"
    return facts + "."


def _script_hash(script: str) -> str:
    """What the page's policy calls the one script that may run."""
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")


def summary_table(runs: Sequence[NamedRun], title: str = "") -> Table:
    """The metrics of several runs side by side, for a terminal: value and 95 % interval."""
    table = Table(title=title or None, title_justify="left")
    table.add_column("metric")
    for run in runs:
        table.add_column(escape(run.name), justify="right", no_wrap=True)
    for metric in METRICS.values():
        cells = [report_page.cell(metric.name, run.metrics[metric.name]) for run in runs]
        if any(cell["value"] != "–" for cell in cells):
            table.add_row(
                metric.title + report_page.arrow(metric), *(_terminal_text(cell) for cell in cells)
            )
    replies = [f"{run.metrics.questions:,} / {run.metrics.replies:,}" for run in runs]
    table.add_row("questions / replies", *replies, style="dim")
    if any(run.metrics.refused for run in runs):
        refused = [f"{run.metrics.refused:,}" for run in runs]
        table.add_row("refused by the endpoint", *refused, style="dim")
    if any(run.unfinished for run in runs):
        table.add_row("", *(run.unfinished for run in runs), style="bold red")
    return table


def _terminal_text(cell: Mapping[str, Any]) -> str:
    return f"{cell['value']}  [dim]{cell['span']}[/dim]" if cell["span"] else cell["value"]
