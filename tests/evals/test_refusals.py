"""Requests that an endpoint refuses, asked of a real server on loopback."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from rich.console import Console

from agents.engines import make_engine
from evals.harness import evaluate, run_evaluation
from evals.refusals import FIRST
from evals.report import summary_table
from evals.run_directory import read_rows
from perl_env.errors import InputError
from tests.agents.fault_server import FaultServer, text_of

from .policies import boxed, how_many, unrewritable, which_image

QUESTIONS = [which_image("a"), how_many("long"), which_image("b", 1), which_image("c", 2)]


@pytest.fixture
def server():
    with FaultServer(reply=lambda body, index: boxed("Image 1")) as running:
        yield running


@pytest.fixture
def engine(server):
    made = make_engine(server.url, max_retries=1, concurrency=4)
    yield made
    made.close()


def too_long(status: int):
    """Refuses questions on how many."""
    refusal = (status, {}, "maximum context length is 4096 tokens")
    return lambda body: refusal if "How many" in text_of(body) else None


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize("first", [False, True])
def test_a_refused_request_is_an_outcome_of_its_own(server, engine, tmp_path, status, first):
    questions = [QUESTIONS[1], QUESTIONS[0], *QUESTIONS[2:]] if first else QUESTIONS
    server.fault_of = too_long(status)
    result = run_evaluation(engine, questions, tmp_path, orders=3, repeats=2)
    table = result.table
    refused = table[table["finish_reason"] == "refused"]
    assert set(refused["question"]) == {"long"}
    assert len(refused) == result.metrics.refused == 3 * 2
    assert refused["reply"].str.contains(f"{status} .*: maximum context length is 4096").all()
    assert not refused[["correct", "well_formed"]].any(axis=None)
    assert refused[["parsed", "canonical"]].isna().all(axis=None)
    assert table[table["question"] != "long"]["well_formed"].all()
    assert json.loads((tmp_path / "results.json").read_text())["refused"] == 6
    page = (tmp_path / "report.html").read_text()
    assert "refused by the endpoint: 6" in page
    console = Console(width=100)
    with console.capture() as shown:
        console.print(summary_table([result.as_run()]))
    assert "refused by the endpoint" in shown.get()


def test_a_refused_request_is_not_asked_again(server, engine, tmp_path):
    server.fault_of = too_long(400)
    whole = run_evaluation(engine, QUESTIONS, tmp_path, orders=2)
    path = tmp_path / "replies.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    answered = [line for line in lines if json.loads(line)["question"] != "long"]
    kept = [line for line in lines if line not in answered[-2:]]
    path.write_text("".join(kept))
    asked = len(server.bodies)
    again = run_evaluation(engine, QUESTIONS, tmp_path, orders=2)
    assert all("How many" not in text_of(body) for body in server.bodies[asked:])
    pd.testing.assert_frame_equal(again.table, whole.table)


def test_a_run_whose_last_requests_are_all_refused_can_be_finished(server, engine, tmp_path):
    server.fault_of = too_long(400)
    run_evaluation(engine, QUESTIONS, tmp_path, orders=2)
    path = tmp_path / "replies.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if json.loads(line)["question"] != "long"))
    again = run_evaluation(engine, QUESTIONS, tmp_path, orders=2)
    assert again.metrics.refused == 2 * 2


@pytest.mark.parametrize("n", [1, 20])
def test_where_all_is_refused_the_evaluation_stops_and_records_nothing(server, engine, tmp_path, n):
    server.fault_of = lambda body: (400, {}, "model tiny is not served\nhere")
    questions = [which_image(f"q{i}") for i in range(n)]
    with pytest.raises(InputError, match=r"refuses every request.*400 .*tiny is not") as caught:
        run_evaluation(engine, questions, tmp_path, orders=2, repeats=1)
    assert "\n" not in str(caught.value)
    assert len(server.bodies) <= FIRST + engine._client.endpoint.concurrency
    assert read_rows(tmp_path) == []
    server.fault_of = lambda body: None
    assert run_evaluation(engine, questions, tmp_path, orders=2, repeats=1).metrics.refused == 0


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_wrong_key_or_name_stops_at_once(server, engine, tmp_path, status):
    seen = []

    def fault(body):
        seen.append(body)
        return status if len(seen) > 6 else None

    server.fault_of = fault
    with pytest.raises(InputError, match=rf"refuses the request.*{status}"):
        run_evaluation(engine, QUESTIONS, tmp_path, orders=3, repeats=1)
    assert len(read_rows(tmp_path)) == 6
    assert all(row["finish_reason"] == "stop" for row in read_rows(tmp_path))


def test_other_failures_are_tried_again_as_before(server, engine):
    server.faults.extend([429, 503])
    result = evaluate(engine, [*QUESTIONS, unrewritable("bad")], orders=2, repeats=1)
    assert result.metrics.refused == 0
    assert len(server.bodies) == 4 * 2 + 2
