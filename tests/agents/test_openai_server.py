"""The engine behind an address against vLLM's own server, which runs the embedded model."""

from __future__ import annotations

import numpy as np
import pytest

import perl_env
from agents.engines import Prompt, SamplingParams, make_engine
from perl_env.errors import InputError
from perl_env.prompts import question_text

pytestmark = [pytest.mark.vllm, pytest.mark.slow]


@pytest.fixture(scope="module")
def engine(served_model):
    made = make_engine(served_model, logprobs=True)
    yield made
    made.close()


@pytest.fixture(scope="module")
def prompts():
    questions = perl_env.load_questions("perl/Shapes-v0", limit=12)
    return [Prompt(q.images, question_text(q), n) for n, q in enumerate(questions)]


def test_greedy_replies_are_those_of_the_model_itself(engine, prompts):
    """So the server saw the same text, the same pictures, in the same order."""
    sampling = SamplingParams(0.0, 24)
    plain = make_engine("embedded").generate(prompts, 1, sampling)
    served = engine.generate(prompts, 1, sampling)
    assert engine.model == "served"
    assert [r.text for (r,) in served] == [r.text for (r,) in plain]
    assert [r.finish_reason for (r,) in served] == [r.finish_reason for (r,) in plain]
    for (own,), (reference,) in zip(served, plain, strict=True):
        np.testing.assert_allclose(own.logprobs, reference.logprobs, atol=1e-2)


def test_several_replies_come_with_one_request_and_the_same_seed_gives_the_same(engine, prompts):
    def texts(seed):
        replies = engine.generate(prompts[:4], [4, 1, 6, 2], SamplingParams(1.0, 12, seed))
        return [[reply.text for reply in found] for found in replies]

    first = texts(0)
    assert [len(found) for found in first] == [4, 1, 6, 2]
    assert texts(0) == first
    assert texts(1) != first
    assert len(set(first[2])) > 1


def test_what_the_server_refuses_is_told_as_it_says(engine, served_model, prompts):
    with pytest.raises(InputError, match="400 Bad Request"):
        engine.generate([Prompt(prompts[0].images, "long " * 100_000)])
    other = make_engine(served_model, model="unknown")
    with pytest.raises(InputError, match=r"404 Not Found.*unknown"):
        other.generate(prompts[:1])
    other.close()


def test_an_evaluation_through_the_command_line(served_model, tmp_path):
    import subprocess
    import sys

    command = [sys.executable, "-m", "evals.cli", "eval", "--model", served_model, "--task",
               "perl/Shapes-v0", "--limit", "6", "--orders", "2", "--max-new-tokens", "24", "--out",
               str(tmp_path / "out")]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "report.html" in done.stdout
    rows = (tmp_path / "out" / "replies.jsonl").read_text().splitlines()
    assert len(rows) >= 22
