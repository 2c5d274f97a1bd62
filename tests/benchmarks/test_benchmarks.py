"""The benchmarks of training run, on tiny sizes, and write what they found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import ANY

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


def run(folder: Path, *arguments: str, result: str) -> dict:
    """A benchmark in a process of its own, and the figures that it wrote."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments, "--repeats", "1", "--out", str(folder)],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads((folder / f"{result}.json").read_text())["figures"]


def test_shared_prefix(tmp_path):
    cell = ("--cell", "60", "2", "4", "6", "10", "2")
    (cells,) = run(tmp_path, "benchmarks.shared_prefix", *cell, result="shared_prefix").values()
    for way in ("plain", "shared"):
        assert cells[way]["processor"] > 0
        assert cells[way]["megabytes"] >= 0


def test_grpo_step(tmp_path):
    found = run(tmp_path, "benchmarks.grpo_step", "--tiny", result="grpo_step")
    for side in ("theirs", "ours"):
        whole, rollout, update = (
            found["seconds"][side]["clock"][part]["min"] for part in ("whole", "rollout", "update")
        )
        assert whole >= rollout + update - 1e-6
        assert min(rollout, update) > 0


@pytest.mark.vllm
def test_grpo_step_with_rollouts_that_overlap_with_the_update(tmp_path):
    way = ("--engine", "vllm", "--threads", "2", "--overlapped")
    name = "grpo_step_vllm_2_threads_overlapped"
    found = run(tmp_path, "benchmarks.grpo_step", "--tiny", *way, result=name)
    for side in ("theirs", "ours"):
        assert found["seconds"][side] == {"clock": {"whole": ANY}}
        assert found["seconds"][side]["clock"]["whole"]["min"] > 0
