"""How a benchmark tells what it found: a table on the screen and a JSON file for the docs."""

from __future__ import annotations

import json
import os
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

FOLDER = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.split(":")[1].strip()
            for line in cpuinfo.read_text().splitlines()
            if line.startswith("model name")
        ]
        model = names[0] if names else model
    return {"processor": model, "cores": os.cpu_count(), "python": platform.python_version()}


def rate(work: Callable[[], int], seconds: float = 1.0, runs: int = 5) -> dict[str, float]:
    """Units of work a second: median, least and most of several runs.

    Args:
        work: does some units and returns how many.
        seconds: the least length of a run.
        runs: how many are measured, after one that is not.
    """
    work()
    rates = []
    for _ in range(runs):
        started, done = time.perf_counter(), 0
        while (passed := time.perf_counter() - started) < seconds:
            done += work()
        rates.append(done / passed)
    return {"median": statistics.median(rates), "min": min(rates), "max": max(rates)}


def publish(
    name: str, figures: Mapping[str, Mapping[str, float]], unit: str, digits: int = 0
) -> None:
    """Print a table and write ``benchmarks/results/NAME.json``."""
    table = Table("", unit, "min", "max", title=name)
    for label, figure in figures.items():
        table.add_row(label, *(f"{figure[key]:,.{digits}f}" for key in ("median", "min", "max")))
    Console().print(table)
    write_results(name, figures, unit)


def called() -> str:
    """The command line of this process, for benchmarks with settings; where it wrote is left out."""
    given = sys.argv[1:]
    if "--out" in given:
        place = given.index("--out")
        given = given[:place] + given[place + 2 :]
    return shlex.join(["python", "-m", f"benchmarks.{Path(sys.argv[0]).stem}", *given])


def write_results(
    name: str,
    figures: Mapping[str, Any],
    unit: str,
    folder: Path | None = None,
    command: str | None = None,
) -> None:
    """Write ``benchmarks/results/NAME.json``.

    Args:
        name: of the benchmark.
        figures: what it found.
        unit: of the figures.
        folder: another one to write into.
        command: that found it; the benchmark's name without settings by default.
    """
    folder = folder or FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "machine": machine(),
        "command": command or f"python -m benchmarks.{name}",
        "unit": unit,
        "figures": figures,
    }
    (folder / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")
