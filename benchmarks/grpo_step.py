"""One optimizer step of ours and of TRL's ``GRPOTrainer`` on the same model, prompts and sizes.

Needs the extra ``bench``. Both run by turns, each in a process of its own, so that nothing of one side takes
time or memory from the other; on one thread if not told otherwise. The first two steps of each process are left
out. All questions are asked in canonical order, so that both see the same prompts, and no reply ends before its
last token.

    python -m benchmarks.grpo_step
    python -m benchmarks.grpo_step --engine vllm
    python -m benchmarks.grpo_step --engine vllm --threads 2 --overlapped
    python -m benchmarks.grpo_step --engine vllm --threads 2 --overlapped --picture-side 336
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.grpo_sides import StepSizes, Way
from benchmarks.grpo_task import build_folder, prompts_of
from benchmarks.results import called, write_results

#: Turns of each side, and steps that are measured in each.
REPEATS, STEPS = 3, 3
SIDES = ("theirs", "ours")
SIZES, TINY_SIZES = StepSizes(), StepSizes(2, 3, 4, 56)

#: Steps of one side: seconds of the clock and of the processor, by part.
Steps = list[dict[str, tuple[float, float]]]


def run_side(side: str, folder: Path, sizes: StepSizes, way: Way, steps: int) -> Steps:
    """One turn of a side, in a process that is new."""
    given = json.dumps({"sizes": vars(sizes), "way": vars(way), "steps": steps})
    found = folder.parent / "steps.json"
    command = [sys.executable, "-m", "benchmarks.grpo_sides", side, str(folder), given, str(found)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return json.loads(found.read_text())


def figures_of(steps: Steps, way: Way) -> dict[str, dict[str, dict[str, float]]]:
    """By kind of second and part: median, least and most."""
    return {
        kind: {part: _summary(_seconds(steps, kind, part)) for part in parts}
        for kind, parts in way.measured.items()
    }


def ratios(theirs: Steps, ours: Steps, way: Way) -> dict[str, dict[str, dict[str, float]]]:
    """Theirs to ours, step by step, by kind of second and part."""
    return {
        kind: {
            part: _summary(np.divide(_seconds(theirs, kind, part), _seconds(ours, kind, part)))
            for part in parts
        }
        for kind, parts in way.measured.items()
    }


def _seconds(steps: Steps, kind: str, part: str) -> list[float]:
    return [step[part][("clock", "processor").index(kind)] for step in steps]


def _summary(values: Iterable[float]) -> dict[str, float]:
    values = [float(value) for value in values]
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def compare(sizes: StepSizes, way: Way, repeats: int, folder: Path) -> dict[str, Any]:
    """Both sides by turns: what they took, and ours to theirs."""
    build_folder(folder, sizes.picture_side)
    steps: dict[str, Steps] = {side: [] for side in SIDES}
    for _ in range(repeats):
        for side in SIDES:
            steps[side] += run_side(side, folder, sizes, way, STEPS)
    prompts = prompts_of(folder, sizes.questions, sizes.picture_side)
    return {
        "sizes": vars(sizes) | {"prompt_tokens": min(len(ids) for ids in prompts)},
        **vars(way),
        "repeats": repeats,
        "steps": STEPS,
        "seconds": {side: figures_of(steps[side], way) for side in SIDES},
        "ratios": ratios(steps["theirs"], steps["ours"], way),
    }


def print_table(found: dict[str, Any]) -> None:
    print(f"prompt of {found['sizes']['prompt_tokens']} tokens, engine of ours: {found['engine']}")
    for kind, parts in found["ratios"].items():
        print(f"{kind:10} {'TRL s':>24} {'ours s':>24} {'times':>24}")
        for part, ratio in parts.items():
            cells = [found["seconds"][side][kind][part] for side in ("theirs", "ours")]
            cells.append(ratio)
            print(f"{part:10}", *(f"{c['median']:10.2f} ({c['min']:.2f}–{c['max']:.2f})".rjust(24) for c in cells))  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", choices=("transformers", "vllm"), default="transformers")
    parser.add_argument("--threads", type=int, default=1, help="of each side")
    parser.add_argument("--overlapped", action="store_true", help="sample while the learner learns")
    parser.add_argument("--picture-side", type=int, metavar="PIXELS", help="of each picture")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="turns of each side")
    parser.add_argument("--tiny", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--out", type=Path, help="where the results are written")
    given = parser.parse_args(arguments)
    if given.overlapped and given.threads < 2:
        parser.error("--overlapped: needs --threads 2, one for the EnvRunner")
    way = Way(given.engine, given.threads, given.overlapped)
    with tempfile.TemporaryDirectory() as folder:
        sizes = TINY_SIZES if given.tiny else SIZES
        sizes = replace(sizes, picture_side=given.picture_side or sizes.picture_side)
        found = compare(sizes, way, given.repeats, Path(folder) / "model")
    print_table(found)
    name = f"{way.name}_{given.picture_side}_pixels" if given.picture_side else way.name
    write_results(name, found, "seconds", given.out, called())


if __name__ == "__main__":
    main()
