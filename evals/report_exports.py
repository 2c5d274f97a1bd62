"""The report as files: plots as PNG and SVG, tables as CSV, the section for a model card."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from evals.chart_style import png_of, standalone_svg
from evals.model_card import model_card_section
from evals.report_data import Report
from perl_env.errors import InputError

MODEL_CARD = "model_card.md"
#: With these a spreadsheet takes a cell for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def file_contents(report: Report) -> dict[str, str]:
    """Every table, plot and text of a report, by file name: CSV, SVG and Markdown."""
    files = {f"{name}.csv": csv_text(frame) for name, frame in report.tables.items()}
    for chart in (*report.charts, *report.curves):
        files[f"{chart.file_name}.svg"] = standalone_svg(chart.svg, chart.title, chart.entries)
    if report.runs:
        files[MODEL_CARD] = model_card_section(report.runs)
    return files


def export_report(report: Report, folder: str | Path) -> list[Path]:
    """Write every file of ``file_contents``, and a PNG beside each SVG; files of those names are replaced.

    Raises:
        InputError: the folder is a file, or holds other things than a report's exports.
    """
    folder = Path(folder)
    check_folder(folder)
    files = file_contents(report)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in files.items():
        written.append(folder / name)
        written[-1].write_text(text, encoding="utf-8", errors="replace")
        if name.endswith(".svg"):
            written.append((folder / name).with_suffix(".png"))
            written[-1].write_bytes(png_of(text))
    return written


def check_folder(folder: Path) -> None:
    """Make sure that a folder is new, empty, or holds earlier exports.

    Raises:
        InputError: it is a file, or holds other things.
    """
    if folder.exists():
        if not folder.is_dir():
            raise InputError(
                "exports go into a folder", where="--exports", expected="a folder", got=folder
            )
        others = sorted(path.name for path in folder.iterdir())
        if others and not {MODEL_CARD, "training.csv"} & set(others):
            raise InputError("folder is not empty", where=str(folder),
                             expected="a new or empty folder, or earlier exports",
                             got=f"{len(others)} other files, such as {others[0]}")  # fmt: skip


def csv_text(frame: pd.DataFrame) -> str:
    r"""A table as CSV; text that a spreadsheet would run as a formula begins with an apostrophe.

    >>> csv_text(pd.DataFrame({"kind": ["=1+1"], "value": [-0.5]}))
    "kind,value\n'=1+1,-0.5\n"
    """
    texts = frame.select_dtypes(include=["object", "string"]).columns
    safe = frame.assign(**{name: frame[name].map(_no_formula) for name in texts})
    return safe.to_csv(index=False, lineterminator="\n")


def _no_formula(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
