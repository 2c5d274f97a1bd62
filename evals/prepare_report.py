"""What a preparation did, in the terminal and as one HTML file without scripts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from perl_env.curation import Report

FILE = "report.html"
_TITLES = {
    "images": "Images of a question",
    "order class": "Order classes",
    "gold": "Where the gold stands",
    "kind": "Kinds",
    "accuracy": "Measured accuracy",
    "longer side": "Longer side of a picture, in pixels",
}
#: A data set may have thousands of kinds; the page shows the largest.
_MOST_BARS = 20


def show_report(console: Console, report: Report) -> None:
    """Print a table of the stages with what they left out and why."""
    table = Table("stage", "entered", "left", "why the others did not, what was done")
    for stage in report.stages:
        lines = [f"– {n:,} {reason}" for reason, n in stage.dropped.items()]
        lines += [f"+ {n:,} {reason}" for reason, n in stage.done.items()]
        redone = " (again)" if stage.name in report.redone else ""
        table.add_row(
            stage.name + redone, f"{stage.entered:,}", f"{stage.left:,}", escape("\n".join(lines))
        )
    console.print(table)
    if report.left_out_by_loaders:
        console.print(f"{report.left_out_by_loaders:,} rows were left out when the sources were read")  # fmt: skip


def write_report(report: Report, out: Path) -> Path:
    """Write the page into ``out`` and return its path."""
    from jinja2 import Environment, PackageLoader

    environment = Environment(loader=PackageLoader("evals", "."), autoescape=True)
    page = environment.get_template("prepare_template.html.j2").render(
        stages=report.stages, left_out=report.left_out_by_loaders, waiting=report.waiting,
        charts=[_chart(name, report) for name in report.before],
    )  # fmt: skip
    path = out / FILE
    unfinished = path.with_name(path.name + ".new")
    unfinished.write_text(page, encoding="utf-8")
    unfinished.replace(path)
    return path


def _chart(name: str, report: Report) -> dict[str, Any]:
    """The bars of one histogram: each part's share before and after."""
    before, after = report.before[name], report.after[name]
    totals = sum(before.values()) or 1, sum(after.values()) or 1
    names = [*before, *(part for part in after if part not in before)]
    if len(names) > _MOST_BARS:
        names = sorted(names, key=lambda part: -before.get(part, 0))[:_MOST_BARS]
    rows = [
        {
            "name": part,
            "counts": (before.get(part, 0), after.get(part, 0)),
            "shares": (100 * before.get(part, 0) / totals[0], 100 * after.get(part, 0) / totals[1]),
        }
        for part in names
    ]
    return {"title": _TITLES[name], "rows": rows, "more": len({*before, *after}) - len(rows)}
