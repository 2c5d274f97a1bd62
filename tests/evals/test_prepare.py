"""``perl-env prepare`` as a user types it, against real servers on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import yaml

import perl_env
from perl_env.tasks.folder import write_folder
from tests.agents.fault_server import FaultServer, free_port, server_process, text_of
from tests.agents.server_behaviours import COLOURS, faulty
from tests.perl_env.curation.models import question

QUESTIONS, REPLIES, CONCURRENCY = 24, 4, 4


@pytest.fixture
def write_config(tmp_path):
    """A configuration whose models are behind an address."""
    asked = [
        question("What colour is the largest thing in all images?", COLOURS[k % 4], seed=k)
        for k in range(QUESTIONS)
    ]
    write_folder(asked, tmp_path / "raw")

    def _write(url, **sections):
        model = {
            "model": f"{url}#tiny",
            "settings": {"concurrency": CONCURRENCY, "timeout": 1.5, "max_retries": 4},
        }
        values = {
            "sources": [str(tmp_path / "raw")],
            "rephrase": {"model": model},
            "rollouts": {"model": model, "replies": REPLIES, "accuracy": [0.0, 0.9]},
            "labels": {"model": model, "trust_source": False},
        }
        path = tmp_path / "prepare.yaml"
        path.write_text(yaml.safe_dump(values | sections))
        return path

    return _write


def start(config, out):
    return subprocess.Popen(
        [sys.executable, "-m", "evals.cli", "prepare", str(config), "--out", str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def finish(process, code=0):
    out, errors = process.communicate(timeout=300)
    assert process.returncode == code, out + errors
    return out if code == 0 else errors


def lines_in(log):
    return log.read_text().splitlines() if log.exists() else []


def is_made(out):
    """The data set is there, and the page and the report tell of it."""
    found = perl_env.load_questions(str(out / "dataset"), split="train")
    report = json.loads((out / "report.json").read_text())
    page = (out / "report.html").read_text()
    assert report["stages"][-1]["left"] == len(found) == QUESTIONS
    assert all(one.options == COLOURS for one in found)
    assert "Order classes" in page
    assert "<script" not in page
    return report


@pytest.mark.slow
def test_faults_of_all_kinds_cost_time_and_nothing_else(write_config, tmp_path):
    with FaultServer() as server:
        faulty(server)
        shown = finish(start(write_config(server.url), tmp_path / "out"))
        asked = [(text_of(body), body["seed"]) for body in server.answered]
        failed = len(server.bodies) - len(server.answered)
    assert "by model" in shown
    report = is_made(tmp_path / "out")
    assert report["stages"][1]["done"] == {"by model": QUESTIONS}
    assert len(asked) == len(set(asked))
    assert sum("Rewrite it" in text for text, _ in asked) == QUESTIONS
    assert sum("boxed" in text for text, _ in asked) == QUESTIONS  # several replies a request
    assert failed >= 15
    assert server.most_under_way <= CONCURRENCY + failed  # those that hang are still there


@pytest.mark.slow
def test_a_server_and_a_command_that_are_killed_cost_what_was_on_its_way(write_config, tmp_path):
    port, log, out = free_port(), tmp_path / "log", tmp_path / "out"
    config = write_config(f"http://127.0.0.1:{port}/v1")
    with server_process(port, log, "teacher_and_student") as server:
        running = start(config, out)
        while len(lines_in(log)) < 10:
            time.sleep(0.005)
        server.kill()
        assert "the same command asks the rest" in finish(running, code=1)
    with server_process(port, log, "teacher_and_student"):
        running = start(config, out)
        while len(lines_in(log)) < 30:
            time.sleep(0.005)
        os.kill(running.pid, signal.SIGKILL)
        running.communicate()
        finish(start(config, out))
        finish(start(config, out))
    is_made(out)
    asked = lines_in(log)
    on_their_way = 2 * CONCURRENCY
    assert len(asked) - len(set(asked)) <= on_their_way
    assert len({line for line in asked if "boxed" in line}) == QUESTIONS


@pytest.mark.slow
def test_a_refusal_and_a_wrong_configuration_are_one_line(write_config, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-nobody-may-see-this")
    with FaultServer() as server:
        server.fault_of = lambda body: (401, {}, "sk-nobody-may-see-this is no key")
        said = finish(start(write_config(server.url), tmp_path / "out"), code=2)
        assert len(server.bodies) <= CONCURRENCY
    assert "OPENAI_API_KEY" in said
    assert said.count("\n") == 1
    for path in (tmp_path / "out").rglob("*"):
        assert path.is_dir() or b"nobody-may-see" not in path.read_bytes()
    assert "nobody-may-see" not in said
    said = finish(start(write_config("http://127.0.0.1:1", ruls={}), tmp_path / "out"), code=2)
    assert "'rules' (the nearest)" in said
    said = finish(
        start(write_config(f"http://127.0.0.1:{free_port()}/v1"), tmp_path / "out"), code=2
    )
    assert "endpoint cannot be reached" in said
    assert said.count("\n") == 1


@pytest.mark.vllm
@pytest.mark.slow
def test_vllms_own_server_measures_difficulty(served_model, tmp_path):
    """The embedded model behind vLLM's server is student and teacher; it is no good as the latter."""
    model = {"model": served_model, "settings": {"concurrency": 4}}
    values = {
        "sources": [{"task": "perl/Shapes-v0", "split": "train", "limit": 40}],
        "rephrase": {"model": model, "attempts": 2, "max_new_tokens": 32},
        "rollouts": {"model": model, "replies": 6, "max_new_tokens": 32, "accuracy": [0.0, 1.0]},
        "labels": {"model": model, "max_new_tokens": 32},
    }
    config = tmp_path / "prepare.yaml"
    config.write_text(yaml.safe_dump(values))
    finish(start(config, tmp_path / "out"))
    answers = (tmp_path / "out" / "answers.jsonl").read_bytes()
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    reasons = report["stages"][1]["done"]
    assert any(reason.startswith("open, since the rephrasing is not valid") for reason in reasons)
    lines = (tmp_path / "out" / "stages" / "rollouts.jsonl").read_text().splitlines()[1:]
    accuracies = [json.loads(line)["note"]["accuracy"] for line in lines]
    assert len(accuracies) == 40
    assert 0.05 < sum(accuracies) / len(accuracies) < 0.95
    finish(start(config, tmp_path / "out"))
    assert (tmp_path / "out" / "answers.jsonl").read_bytes() == answers
