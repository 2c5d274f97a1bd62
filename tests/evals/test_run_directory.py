from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evals import metrics
from evals.harness import run_evaluation
from evals.model_fingerprint import model_fingerprint
from evals.run_directory import (
    CONFIG,
    REPLIES,
    REPORT,
    RESULTS,
    RunDirectory,
    read_config,
    read_rows,
)
from perl_env.errors import InputError

from .policies import PolicyEngine, first_slot, guess, look, unrewritable, which_image

QUESTIONS = [which_image(f"q{i}", i % 3) for i in range(6)]


class Killed(BaseException):
    """Stands for whatever ends a process in the middle."""


class DyingEngine(PolicyEngine):
    """Dies at its n-th call."""

    def __init__(self, policy, calls: int):
        super().__init__(policy)
        self.calls = calls

    def generate(self, *arguments, **named):
        if self.calls == 0:
            raise Killed
        self.calls -= 1
        return super().generate(*arguments, **named)


def test_a_run_leaves_configuration_replies_results_and_report(tmp_path: Path) -> None:
    out = tmp_path / "a" / "run"
    result = run_evaluation(
        PolicyEngine(first_slot), [*QUESTIONS, unrewritable("bad")], out, orders=3, repeats=2, seed=7,
        model="models/tiny", task="perl/Shapes-v0",
    )  # fmt: skip
    assert sorted(path.name for path in out.iterdir()) == [
        ".lock",
        CONFIG,
        REPLIES,
        REPORT,
        RESULTS,
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    config = json.loads((out / CONFIG).read_text())
    wanted = {
        "model": "models/tiny",
        "task": "perl/Shapes-v0",
        "seed": 7,
        "orders": 3,
        "repeats": 2,
        "name": "tiny",
    }
    assert wanted.items() <= config.items()
    assert config["sampling"]["temperature"] == 1.0
    assert {"python", "torch", "transformers"} <= config["versions"].keys()
    lines = (out / REPLIES).read_text().splitlines()
    assert len(lines) == len(result.table) == 6 * 3 * 2
    assert json.loads(lines[0])["question"] == "q0"
    read = pd.read_json(out / REPLIES, lines=True, dtype=False)
    assert list(read["correct"]) == list(result.table["correct"])
    pd.testing.assert_frame_equal(metrics.per_question(read), metrics.per_question(result.table))
    results = json.loads((out / RESULTS).read_text())
    assert wanted.items() <= results.items()
    assert results["metrics"]["accuracy_mean"]["value"] == result.metrics["accuracy_mean"].value
    assert results["metrics"]["flip_rate"].keys() == {"value", "low", "high", "questions"}
    assert results["by"]["class_group"]["equivariant"]["flip_rate"]["value"] == 1.0
    assert results["accuracy_by_gold_slot"]["0"]["value"] == 1.0
    assert results["excluded"][0]["question"] == "bad"


def test_a_killed_run_goes_on_and_asks_nothing_twice(tmp_path: Path) -> None:
    arguments = {"orders": 4, "repeats": 2, "prompts_per_call": 3, "model": "m"}
    whole = run_evaluation(PolicyEngine(guess), QUESTIONS, tmp_path / "whole", **arguments)
    dying = DyingEngine(guess, calls=3)
    with pytest.raises(Killed):
        run_evaluation(dying, QUESTIONS, tmp_path / "killed", **arguments)
    assert len(read_rows(tmp_path / "killed")) == dying.replies_asked == 3 * 3 * 2
    told = []
    again = PolicyEngine(guess)
    result = run_evaluation(
        again, QUESTIONS, tmp_path / "killed", progress=lambda *s: told.append(s), **arguments
    )
    assert dying.replies_asked + again.replies_asked == 6 * 4 * 2
    assert told[0] == (18 + 6, 48)
    pd.testing.assert_frame_equal(result.table, whole.table)
    done = PolicyEngine(guess)
    run_evaluation(done, QUESTIONS, tmp_path / "killed", **arguments)
    assert done.replies_asked == 0


@pytest.mark.parametrize("cut", [1, 30, 400])
def test_a_last_line_that_was_cut_off_is_asked_again(tmp_path: Path, cut: int) -> None:
    run_evaluation(PolicyEngine(look), QUESTIONS, tmp_path, orders=2, repeats=2)
    path = tmp_path / REPLIES
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    lost = 1 + whole[-cut:-1].count(b"\n")
    engine = PolicyEngine(look)
    result = run_evaluation(engine, QUESTIONS, tmp_path, orders=2, repeats=2)
    assert engine.replies_asked == lost
    assert len(read_rows(tmp_path)) == len(result.table) == 24
    assert result.metrics["accuracy_mean"].value == 1.0


def test_a_broken_line_in_the_middle_is_told(tmp_path: Path) -> None:
    run_evaluation(PolicyEngine(look), QUESTIONS, tmp_path, orders=1, repeats=1)
    path = tmp_path / REPLIES
    lines = path.read_text().splitlines()
    lines[2] = lines[2][:50]
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match="line 3"):
        run_evaluation(PolicyEngine(look), QUESTIONS, tmp_path, orders=1, repeats=1)


def test_a_line_that_is_json_but_no_reply_is_told(tmp_path: Path) -> None:
    run_evaluation(PolicyEngine(look), QUESTIONS, tmp_path, orders=1, repeats=1)
    path = tmp_path / REPLIES
    first, _, *others = path.read_text().splitlines(keepends=True)
    path.write_text("".join([first, '{"garbage": 1}\n', *others]))
    with pytest.raises(InputError, match=r"line 2: expected order, question, repeat"):
        run_evaluation(PolicyEngine(look), QUESTIONS, tmp_path, orders=1, repeats=1)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"seed": 1}, "seed"),
        ({"orders": 3}, "orders"),
        ({"repeats": 1}, "repeats"),
        ({"model": "other"}, "model"),
        ({"engine_settings": {"dtype": "bfloat16"}}, "engine_settings"),
        ({"instruction": "Answer."}, "instruction"),
        ({"questions": QUESTIONS[:3]}, "questions"),
        ({"questions": [*QUESTIONS[:5], which_image("q5", 0)]}, "questions_digest"),
    ],
)
def test_a_folder_with_another_run_is_refused(tmp_path: Path, change: dict, key: str) -> None:
    arguments = {"questions": QUESTIONS, "orders": 2, "repeats": 2, "model": "m", "name": "n"}
    run_evaluation(PolicyEngine(look), out_dir=tmp_path, **arguments)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    engine = PolicyEngine(look)
    with pytest.raises(InputError, match=f"another run.*{key}"):
        run_evaluation(engine, out_dir=tmp_path, **(arguments | change))
    assert engine.replies_asked == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_another_model_in_the_same_folder_is_another_run(tmp_path: Path) -> None:
    model, out = tmp_path / "model", tmp_path / "out"
    model.mkdir()
    (model / "model.safetensors").write_bytes(bytes(300))
    run_evaluation(PolicyEngine(look), QUESTIONS, out, orders=1, model=str(model))
    run_evaluation(PolicyEngine(look), QUESTIONS, out, orders=1, model=str(model))
    (model / "model.safetensors").write_bytes(bytes(299) + b"x")
    with pytest.raises(InputError, match="model_fingerprint"):
        run_evaluation(PolicyEngine(look), QUESTIONS, out, orders=1, model=str(model))


def test_fingerprint_sees_changes_all_over_a_large_file(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).standard_normal(2_000_000).astype(np.float32)
    prints = set()
    for changed in (weights, weights * np.float32(1.0001), weights[:-1]):
        (tmp_path / "model.safetensors").write_bytes(changed.tobytes())
        prints.add(model_fingerprint(tmp_path))
    assert len(prints) == 3
    assert model_fingerprint(tmp_path) in prints
    assert model_fingerprint("https://example.org/v1") is None


def test_two_runs_at_once_in_one_folder_are_refused(tmp_path: Path) -> None:
    with RunDirectory(tmp_path, {"model": "m"}), pytest.raises(InputError, match="in use"):
        RunDirectory(tmp_path, {"model": "m"})
    with RunDirectory(tmp_path, {"model": "m"}):
        pass


def test_a_killed_process_gives_back_the_lock_and_loses_nothing(tmp_path: Path) -> None:
    code = """
        import sys, time
        from evals.run_directory import RunDirectory
        directory = RunDirectory(sys.argv[1], {"model": "m"})
        directory.append([{"question": "q", "order": "0", "repeat": 0, "reply": "kept"}])
        print("ready", flush=True)
        time.sleep(60)
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], stdout=subprocess.PIPE
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        with pytest.raises(InputError, match="in use"):
            RunDirectory(tmp_path, {"model": "m"})
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
    with RunDirectory(tmp_path, {"model": "m"}) as directory:
        assert [row["reply"] for row in directory.rows] == ["kept"]


def test_another_model_at_the_same_address_is_another_run(tmp_path: Path) -> None:
    engine = PolicyEngine(look)
    engine.model = "served-a"
    address = {"model": "http://localhost:1/v1"}
    run_evaluation(engine, QUESTIONS, tmp_path / "named", orders=1, repeats=1, **address)
    assert read_config(tmp_path / "named")["name"] == "served-a"
    run_evaluation(engine, QUESTIONS, tmp_path, orders=1, repeats=1, name="n", **address)
    engine.model = "served-b"
    with pytest.raises(InputError, match="served_model"):
        run_evaluation(engine, QUESTIONS, tmp_path, orders=1, repeats=1, name="n", **address)


def test_a_path_that_cannot_be_made_is_told() -> None:
    with pytest.raises(InputError, match="cannot be made"):
        RunDirectory("/proc/nowhere", {})


def test_a_refused_folder_is_not_left_locked(tmp_path: Path) -> None:
    with RunDirectory(tmp_path, {"model": "m"}):
        pass
    with pytest.raises(InputError, match="another run"):
        RunDirectory(tmp_path, {"model": "other"})
    with RunDirectory(tmp_path, {"model": "m"}):
        pass


def test_a_path_that_is_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    for path in (file, file / "below"):
        with pytest.raises(InputError, match="no folder"):
            RunDirectory(path, {})
    assert file.read_text() == "mine"


def test_replies_without_configuration_are_not_touched(tmp_path: Path) -> None:
    (tmp_path / REPLIES).write_text("something else\n")
    with pytest.raises(InputError, match="without configuration"):
        RunDirectory(tmp_path, {})
    assert (tmp_path / REPLIES).read_text() == "something else\n"


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 99}'])
def test_an_unreadable_configuration_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / CONFIG).write_text(text)
    with pytest.raises(InputError, match="configuration"):
        read_config(tmp_path)
    with pytest.raises(InputError, match="no run directory"):
        read_config(tmp_path / "nothing")


def test_any_reply_survives_the_way_to_disk_and_back(tmp_path: Path) -> None:
    strange = ["\n\r\u2028\x00", "\ud800 half a surrogate", "[" * 1_000_000, "日本語 ✓", '"}\\']
    with RunDirectory(tmp_path, {}) as directory:
        place = {"question": "q", "order": "0", "repeat": 0}
        directory.append(place | {"reply": reply} for reply in strange)
    assert [row["reply"] for row in read_rows(tmp_path)] == strange
