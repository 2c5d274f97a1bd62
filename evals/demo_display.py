"""The demo's last words in the terminal."""

from __future__ import annotations

from rich.console import Console

from agents.model_folder import EMBEDDED
from evals.demo import Comparison, DemoResult
from evals.report import summary_table


def show_result(console: Console, result: DemoResult) -> None:
    """The three models side by side, what it comes to, and where the report is."""
    title = "held-out questions, every one in up to six orders of its images"
    console.print(summary_table([each.as_run() for each in result.results], title))
    for comparison in result.comparisons:
        console.print(f"  {_sentence(comparison)}", highlight=False)
    console.print(
        f"{result.seconds:.0f} seconds; report: {result.report}", markup=False, highlight=False
    )


def _sentence(comparison: Comparison) -> str:
    what = comparison.metric.replace("_", " ")
    if comparison.apart:
        verdict = "[green]better, and the 95 % intervals are apart[/green]"
    elif comparison.better:
        verdict = "better, within the intervals"
    else:
        verdict = "[red]not better[/red]"
    other = "the embedded model" if comparison.other == EMBEDDED else f"plain {comparison.other}"
    return f"PeRL against {other}, {what}: {verdict}"
