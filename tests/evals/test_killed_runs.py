"""Real processes, killed with signal 9 at random moments."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from evals.harness import run_evaluation
from evals.plan import make_plan, stable_hash
from evals.rows import place_of
from evals.run_directory import read_results, read_rows
from evals.table import order_text

from .policies import PolicyEngine, guess, which_image

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
SCRIPT = """
import sys, time
sys.path.insert(0, sys.argv[1])
from policies import PolicyEngine, guess, which_image
from evals.harness import run_evaluation

class Slow(PolicyEngine):
    def generate(self, prompts, replies_per_prompt=1, sampling=None):
        time.sleep(0.02)
        with open(sys.argv[3], "a") as log:
            log.writelines(f"{prompt.seed}\\n" for prompt in prompts)
        return super().generate(prompts, replies_per_prompt, sampling)

questions = [which_image(f"q{i}", i % 3) for i in range(60)]
print("begins", flush=True)
run_evaluation(Slow(guess), questions, sys.argv[2], 6, 2, prompts_per_call=3, model="m", report=False)
"""
QUESTIONS = [which_image(f"q{i}", i % 3) for i in range(60)]


def start(out: Path, log: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(HERE), str(out), str(log)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_for_the_first_reply(child: subprocess.Popen, path: Path, size: int) -> None:
    while not (path.exists() and path.stat().st_size > size):
        assert child.poll() is None, child.communicate()[1]
        time.sleep(0.002)


def asked(log: Path) -> list[int]:
    return [int(line) for line in log.read_text().splitlines()] if log.exists() else []


def test_killed_at_any_moment_the_same_command_goes_on_and_asks_nothing_twice(tmp_path) -> None:
    rng, out, log = random.Random(0), tmp_path / "out", tmp_path / "log"
    seeds = {
        (request.key, order_text(request.question.order)): stable_hash(
            0, request.key, order_text(request.question.order), 0
        )
        for request in make_plan(QUESTIONS, 6, 2, 0).requests
    }
    kills = 0
    for _ in range(4):
        size = (out / "replies.jsonl").stat().st_size if out.exists() else 0
        known = {place_of(row) for row in read_rows(out)} if out.exists() else set()
        before = len(asked(log))
        child = start(out, log)
        try:
            wait_for_the_first_reply(child, out / "replies.jsonl", size)
            time.sleep(rng.random() * 0.4)
        finally:
            os.kill(child.pid, signal.SIGKILL)
            child.communicate()
        kills += child.returncode == -signal.SIGKILL
        done = {seeds[key, order] for key, order, _ in known}
        assert not done & set(asked(log)[before:])
    assert kills == 4
    assert read_results(out) == {}
    before, known = len(asked(log)), {place_of(row) for row in read_rows(out)}
    child = start(out, log)
    _, errors = child.communicate(timeout=120)
    assert child.returncode == 0, errors
    rest = asked(log)[before:]
    whole = run_evaluation(PolicyEngine(guess), QUESTIONS, tmp_path / "whole", 6, 2, model="m", report=False)  # fmt: skip
    assert len(rest) == 360 - len({place[:2] for place in known})
    rows = {place_of(row): row for row in read_rows(out)}
    assert len(read_rows(out)) == len(rows) == len(whole.table)
    written = pd.read_json(out / "replies.jsonl", lines=True)
    merged = whole.table.merge(
        written, on=["question", "order", "repeat"], suffixes=("", "_written")
    )
    assert len(merged) == len(whole.table)
    assert (merged["reply"] == merged["reply_written"]).all()


def test_of_two_processes_in_one_folder_one_is_refused(tmp_path) -> None:
    out = tmp_path / "out"
    first = start(out, tmp_path / "log")
    try:
        wait_for_the_first_reply(first, out / "replies.jsonl", 0)
        second = start(out, tmp_path / "other-log")
        _, errors = second.communicate(timeout=120)
        assert second.returncode != 0
        assert "run directory is in use" in errors
        assert not (tmp_path / "other-log").exists()
        assert first.wait(timeout=120) == 0
    finally:
        first.kill()
        first.communicate()
    assert len(read_rows(out)) == 60 * 6 * 2
