"""Run the demo once for each of five seeds and write their figures as a table.

    python scripts/run_demo_seeds.py runs/demo-seeds docs/demo_seeds.md

A seed changes the training and held-out questions, the orders and the replies; the embedded model
stays. Seeds whose results are in the folder already are not run again.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from evals.demo import Comparison, claims_hold

SEEDS = range(1, 6)  # seed 0 was used to choose the demo's settings
METRICS = {
    "accuracy_mean": "mean-order accuracy",
    "consistent_accuracy": "consistent accuracy",
    "flip_rate": "flip rate",
    "order_effect": "order effect",
}


def results(folder: Path, seed: int) -> dict:
    """The results of one seed's demo, run where they are not there yet."""
    out = folder / f"seed-{seed}"
    if not (out / "results.json").exists():
        command = [
            sys.executable,
            "-m",
            "evals.cli",
            "demo",
            "--out",
            str(out),
            "--seed",
            str(seed),
        ]
        subprocess.run(
            command, check=False
        )  # exit code 1: the claim is not shown; it is told below
    return json.loads((out / "results.json").read_text())


def shown(found: dict) -> bool:
    """Whether everything that the demo claims is so for this seed."""
    return claims_hold([Comparison(**comparison) for comparison in found["comparisons"]])


def cell(estimate: dict) -> str:
    """A share in per cent with its 95 % interval."""
    return f"{100 * estimate['value']:.1f} ({100 * estimate['low']:.1f} … {100 * estimate['high']:.1f})"


def main(folder: Path, table: Path) -> None:
    """Run what is missing and write the table."""
    found = {seed: results(folder, seed) for seed in SEEDS}
    lines = [
        "# The demo over five seeds",
        "",
        "Per cent with 95 % intervals clustered by question; 600 held-out questions, up to six orders each,",
        "two replies to each order at temperature 1. Written by",
        "`python scripts/run_demo_seeds.py runs/demo-seeds docs/demo_seeds.md` on two CPU cores.",
        "",
        "| seed | metric | embedded | GRPO | PeRL | all claims hold |",
        "|---|---|---|---|---|---|",
    ]
    for seed, result in found.items():
        for position, (name, label) in enumerate(METRICS.items()):
            cells = [cell(result["models"][model]["metrics"][name]) for model in result["models"]]
            verdict = ("yes" if shown(result) else "no") if position == 0 else ""
            first = str(seed) if position == 0 else ""
            lines.append(f"| {first} | {label} | {' | '.join(cells)} | {verdict} |")
    holds = sum(shown(result) for result in found.values())
    seconds = max(result["seconds"] for result in found.values())
    lines += [
        "",
        f"All claims hold for {holds} of {len(found)} seeds. The slowest run took {seconds:.0f} seconds.",
        "",
    ]
    table.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
