from __future__ import annotations

import os
import signal
import time

import pandas as pd
import pytest

import evals
from agents.engines.base import Prompt, SamplingParams

pytestmark = pytest.mark.slow

ARGUMENTS = {
    "orders": 3, "repeats": 2, "sampling": SamplingParams(max_new_tokens=24), "prompts_per_call": 6,
}  # fmt: skip


@pytest.fixture(scope="module")
def questions():
    import perl_env

    return perl_env.load_questions("perl/Shapes-v0", limit=24)


@pytest.fixture(scope="module")
def alone(questions):
    import agents

    engine = agents.make_engine("embedded")
    yield evals.evaluate(engine, questions, **ARGUMENTS)
    engine.close()


def test_two_shards_give_the_rows_of_one_engine(ray_session, questions, alone, tmp_path) -> None:
    from evals.sharding import RayShards

    with RayShards("embedded", 2) as engine:
        result = evals.run_evaluation(engine, questions, tmp_path, model="embedded", **ARGUMENTS)
    pd.testing.assert_frame_equal(result.table, alone.table)


def test_a_killed_worker_costs_nothing_that_was_answered(
    ray_session, questions, alone, tmp_path
) -> None:
    import ray

    from evals.run_directory import read_rows
    from evals.sharding import RayShards

    kept = []

    def kill_one(done: int, total: int) -> None:
        if not kept:
            kept.append(len(read_rows(tmp_path)))
            os.kill(victim, signal.SIGKILL)

    with RayShards("embedded", 2) as engine:
        first = engine.actors[0]
        victim = ray.get(engine.actors[0].__ray_call__.remote(lambda shard: os.getpid()))
        result = evals.run_evaluation(
            engine, questions, tmp_path, model="embedded", progress=kill_one, **ARGUMENTS
        )
        assert engine.actors[0] is not first  # it died with a call in its hands
    assert 0 < kept[0] < len(result.table)
    rows = read_rows(tmp_path)
    assert len(rows) == len(result.table)  # every reply was written once
    pd.testing.assert_frame_equal(result.table, alone.table)


def test_workers_that_cannot_start_end_the_evaluation(ray_session, questions, tmp_path) -> None:
    from evals.errors import EngineFailedError
    from evals.sharding import RayShards

    began = time.monotonic()
    with (
        RayShards(str(tmp_path / "nothing"), 1) as engine,
        pytest.raises(EngineFailedError, match="workers keep dying"),
    ):
        evals.evaluate(engine, questions, **ARGUMENTS)
    assert time.monotonic() - began < 300


def test_one_call_is_answered_as_by_the_engine_itself(ray_session, questions) -> None:
    import agents
    from evals.sharding import RayShards

    prompts = [Prompt(question.images, question.text, seed=i) for i, question in enumerate(questions[:3])]  # fmt: skip
    sampling = SamplingParams(max_new_tokens=8)
    engine = agents.make_engine("embedded")
    with RayShards("embedded", 1) as sharded:
        shared = sharded.generate(prompts, 2, sampling)
    texts = [[reply.text for reply in replies] for replies in shared]
    assert texts == [[r.text for r in replies] for replies in engine.generate(prompts, 2, sampling)]
    engine.close()
