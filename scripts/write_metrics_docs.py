"""Write the tables of docs/metrics.md from the metrics themselves and from benchmarks/results.

python scripts/write_metrics_docs.py
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from evals.metrics import METRICS, Metric

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "metrics.md"
RESULTS = ROOT / "benchmarks" / "results"


def metrics_table() -> str:
    """Every metric: name, formula, source, peers' names, range, unparsable replies."""
    head = "| name | what | formula | source | peers' name | range, better | unparsable reply |"
    return "\n".join([head, "|---" * 7 + "|", *map(_metric_row, METRICS.values())])


def _metric_row(metric: Metric) -> str:
    low, high = (f"{bound:g}".replace("-", "−") for bound in metric.bounds)
    cells = (
        f"`{metric.name}`",
        metric.title,
        metric.formula,
        metric.source,
        "; ".join(metric.peers) or "–",
        f"{low} … {high}, {metric.better}",
        metric.unparsable,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def coverage_table(figures: dict[str, dict[str, float]]) -> str:
    """Metrics by simulated world and number of questions."""
    head = "| metric | " + " | ".join(label.replace(" questions", "") for label in figures) + " |"
    metrics = next(iter(figures.values()))
    rows = [
        f"| `{name}` | " + " | ".join(f"{100 * c[name]:.1f}" for c in figures.values()) + " |"
        for name in metrics
    ]
    return "\n".join([head, "|---" * (len(figures) + 1) + "|", *rows])


def bootstrap_table(figures: dict[str, dict[str, float]]) -> str:
    """Seconds and gigabytes, median with least and most."""
    rows = [
        f"| {label} | {f['median']:.2f} ({f['min']:.2f} … {f['max']:.2f}) |"
        for label, f in figures.items()
    ]
    return "\n".join(["| | median (least … most) of three |", "|---|---|", *rows])


def with_tables(page: str) -> str:
    """The page with its tables as they should be."""
    parts = {"metrics": metrics_table()}
    for name, source, table in (
        ("coverage", "interval_coverage", coverage_table),
        ("bootstrap", "bootstrap", bootstrap_table),
    ):
        result = json.loads((RESULTS / f"{source}.json").read_text(encoding="utf-8"))
        parts[name] = f"{table(result['figures'])}\n\n(`{result['command']}`)"
    for name, text in parts.items():
        pattern = rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end of {name} -->)"
        page = re.sub(
            pattern, lambda m, text=text: f"{m[1]}\n{text}\n\n{m[2]}", page, flags=re.DOTALL
        )
    return page


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
