"""Write the tables of docs/metrics.md from the metrics themselves and from benchmarks/results.

python scripts/write_metrics_docs.py
"""

from __future__ import annotations

import json
import re
import statistics
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
    """Metrics by simulated world and number of questions, and over all of them."""
    labels = [label.replace(" questions", "") for label in figures]
    head = "| metric | all | " + " | ".join(labels) + " |"
    shares = {
        name: [cell[name] for cell in figures.values()] for name in next(iter(figures.values()))
    }
    over_all = {name: statistics.mean(found) for name, found in shares.items()}
    rows = [
        f"| `{name}` | {100 * over_all[name]:.1f} | "
        + " | ".join(f"{100 * share:.1f}" for share in found)
        + " |"
        for name, found in shares.items()
    ]
    cells = [share for found in shares.values() for share in found]
    below, above = _outside(cells)
    said = (
        f"Over all twelve columns the metrics' coverage lies between {100 * min(over_all.values()):.1f} and "
        f"{100 * max(over_all.values()):.1f}. Of {len(cells)} single cells {len(cells) - below - above} lie "
        f"between 93 and 97, {below} below (the least {100 * min(cells):.1f}), {above} above."
    )
    return "\n".join([said, "", head, "|---" * (len(figures) + 2) + "|", *rows])


def differences_table(figures: dict[str, dict[str, float]]) -> str:
    """Paired differences: how many cells, worlds by metrics, lie within 93 and 97, by number of questions."""
    by_size: dict[str, list[float]] = {}
    for label, cell in figures.items():
        by_size.setdefault(label.split("; ")[1], []).extend(cell.values())
    rows = [
        f"| {size} | {len(found)} | {below} | {above} | {100 * min(found):.1f} … {100 * max(found):.1f} | "
        f"{100 * statistics.median(found):.1f} |"
        for size, found in by_size.items()
        for below, above in [_outside(found)]
    ]
    head = "| | cells | below 93 | above 97 | least … most | median |"
    return "\n".join([head, "|---" * 6 + "|", *rows])


def _outside(shares: list[float]) -> tuple[int, int]:
    """How many lie below 93 and above 97 per cent."""
    return sum(share < 0.93 for share in shares), sum(share > 0.97 for share in shares)


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
        ("differences", "difference_coverage", differences_table),
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
