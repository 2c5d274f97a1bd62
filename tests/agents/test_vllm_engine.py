"""The vLLM engine against the transformers engine on the same weights."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import sys

import numpy as np
import pytest
import torch

from agents.engines import Prompt, SamplingParams, make_engine
from agents.engines.vllm_weights import check_weights
from agents.weights import get_weights
from perl_env.errors import InputError
from tests.agents.conftest import tiny_config
from tests.agents.test_engine import make_prompts, plain_logprobs

#: What vLLM itself warns of while it runs; nothing of ours is under these names.
pytestmark = [
    pytest.mark.vllm,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
MAX_IMAGES = 4


@pytest.fixture(scope="module")
def engine(tiny_model):
    made = make_engine(tiny_model, "vllm", max_images=MAX_IMAGES)
    yield made
    made.close()


@pytest.fixture(scope="module")
def plain(tiny_model):
    return make_engine(tiny_model)


def perturbed(weights, seed=0):
    rng = np.random.default_rng(seed)
    moved = {
        name: array + 0.02 * rng.standard_normal(array.shape).astype(array.dtype)
        for name, array in weights.items()
    }
    moved["lm_head.weight"] = moved["model.language_model.embed_tokens.weight"]  # tied
    return moved


def largest_difference(plain, prompts, replies, temperature=1.0):
    return max(
        np.abs(plain_logprobs(plain, prompt, reply.token_ids, temperature) - reply.logprobs).max()
        for prompt, found in zip(prompts, replies, strict=True)
        for reply in found
    )


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_logprobs_are_those_of_one_plain_pass(engine, plain, temperature):
    prompts = make_prompts()
    replies = engine.generate(prompts, [3, 1, 2], SamplingParams(temperature, 8, seed=1))
    assert [len(found) for found in replies] == [3, 1, 2]
    assert largest_difference(plain, prompts, replies, temperature) < 1e-4


def test_more_prompt_tokens_than_pass_through_the_model_at_once(engine, plain):
    """A prompt on the edge may not be computed in parts on a CPU: its seeded stream cannot be turned back."""
    images = [make_prompts((1,))[0].images[0]]
    prompts = [Prompt(images, f"{number} " * 300, seed=number) for number in range(24)]
    assert sum(map(len, plain.prompt_token_ids(prompts))) > 2 * 4096
    replies = engine.generate(prompts, 2, SamplingParams(1.0, 2, seed=1))
    assert [len(found) for found in replies] == [2] * 24
    assert largest_difference(plain, prompts, replies) < 1e-4


def test_prompts_are_computed_with_the_same_tokens(engine, plain):
    prompts = make_prompts((1, 2, 4), "What <|image_pad|> is in the text?")
    for own, expected in zip(
        engine.prompt_token_ids(prompts), plain.prompt_token_ids(prompts), strict=True
    ):
        np.testing.assert_array_equal(own, expected)


def test_one_seed_gives_the_same_replies_and_no_two_streams_meet(engine):
    same = make_prompts((2,)) * 2
    prompts = [Prompt(p.images, p.text, seed) for seed, p in enumerate(same)]

    def texts(seed):
        return [
            [reply.text for reply in found]
            for found in engine.generate(prompts, 6, SamplingParams(1.0, 12, seed))
        ]

    first = texts(0)
    assert texts(0) == first
    assert texts(1) != first
    everything = [text for found in first for text in found]
    assert len(set(everything)) == len(everything) == 12
    greedy = engine.generate(prompts, 3, SamplingParams(0.0, 8))
    assert len({reply.text for found in greedy for reply in found}) == 1


def test_image_tokens_are_never_sampled(engine, plain):
    weights = get_weights(plain.model)
    image = sorted(engine.processor.image_token_ids)
    try:
        hot = {name: array.copy() for name, array in weights.items()}
        for name in ("lm_head.weight", "model.language_model.embed_tokens.weight"):
            hot[name][image] = 10 * np.abs(hot[name]).max()
        engine.set_weights(hot)
        replies = engine.generate(make_prompts(), 4, SamplingParams(1.0, 10))
        for reply in (reply for found in replies for reply in found):
            assert not set(reply.token_ids.tolist()) & engine.processor.image_token_ids
            assert np.isfinite(reply.logprobs).all()
    finally:
        engine.set_weights(weights)


def test_a_reply_ends_with_its_first_end_token_or_is_cut(engine):
    replies = engine.generate(make_prompts((1,) * 6), 40, SamplingParams(1.0, 30, seed=2))
    found = [reply for group in replies for reply in group]
    assert {reply.finish_reason for reply in found} == {"stop", "length"}
    eos = engine.processor.eos_token_ids
    for reply in found:
        ends = [int(token) in eos for token in reply.token_ids]
        assert sum(ends) == (reply.finish_reason == "stop") == ends[-1]
        assert len(reply.token_ids) == len(reply.logprobs) <= 30
        assert reply.text == engine.processor.decode(reply.token_ids)


#: Long enough to fill blocks of the prefix cache, of which a CPU's hold 128 tokens.
LONG = "Which image is the red one? " * 24


def test_new_weights_are_taken_in_place_and_nothing_of_the_old_ones_is_kept(engine, plain):
    """The same pictures and prompts before and after: cached prefixes and pictures must be gone."""
    prompts, weights = make_prompts((2, 3), LONG), get_weights(plain.model)
    assert min(map(len, engine.prompt_token_ids(prompts))) > 140
    before, digests = (
        engine.generate(prompts, 2, SamplingParams(1.0, 8, seed=3)),
        engine.weight_digests(),
    )
    try:
        moved = perturbed(weights)
        engine.set_weights(moved)
        plain.set_weights(moved)
        assert all(digest != digests[name] for name, digest in engine.weight_digests().items())
        after = engine.generate(prompts, 2, SamplingParams(1.0, 8, seed=3))
        assert largest_difference(plain, prompts, after) < 1e-4
        assert largest_difference(plain, prompts, before) > 1e-2
    finally:
        engine.set_weights(weights)
        plain.set_weights(weights)
    assert engine.weight_digests() == digests
    again = engine.generate(prompts, 2, SamplingParams(1.0, 8, seed=3))
    assert [[r.text for r in found] for found in again] == [
        [r.text for r in found] for found in before
    ]


def test_a_prefix_that_is_kept_would_show(engine, plain, monkeypatch):
    """The test above can fail: without the reset, replies begin from what the old weights saw."""
    prompts, weights = make_prompts((2,), LONG), get_weights(plain.model)
    moved = perturbed(weights)
    engine.generate(prompts, 1, SamplingParams(1.0, 2))
    try:
        with monkeypatch.context() as patch:
            patch.setattr(engine._llm, "reset_prefix_cache", lambda: True)
            engine.set_weights(moved)
        plain.set_weights(moved)
        stale = engine.generate(prompts, 1, SamplingParams(1.0, 8))
        assert largest_difference(plain, prompts, stale) > 1e-3
    finally:
        engine.set_weights(weights)
        plain.set_weights(weights)


def test_weights_that_are_missing_unknown_or_of_another_shape_are_named(engine, plain):
    weights = get_weights(plain.model)
    name = "model.language_model.layers.0.mlp.up_proj.weight"
    digests = engine.weight_digests()
    with pytest.raises(InputError, match=r"layers\.0\.mlp\.up_proj"):
        engine.set_weights({key: array for key, array in weights.items() if key != name})
    with pytest.raises(InputError, match=r"unknown.*base_model"):
        engine.set_weights(weights | {"base_model.adapter.weight": weights[name]})
    with pytest.raises(InputError, match="another shape"):
        engine.set_weights(weights | {name: np.zeros((1, 1), np.float32)})
    assert engine.weight_digests() == digests
    without_head = {key: array for key, array in weights.items() if key != "lm_head.weight"}
    engine.set_weights(without_head)  # tied to the input's embeddings
    assert engine.weight_digests() == digests


def test_bfloat16_weights_arrive(engine, plain):
    from agents.weights import tensor_to_array

    weights = get_weights(plain.model)
    rounded = {name: torch.from_numpy(array).to(torch.bfloat16) for name, array in weights.items()}
    try:
        engine.set_weights({name: tensor_to_array(tensor) for name, tensor in rounded.items()})
        plain.set_weights({name: tensor.float().numpy() for name, tensor in rounded.items()})
        prompts = make_prompts()
        replies = engine.generate(prompts, 1, SamplingParams(1.0, 8))
        assert largest_difference(plain, prompts, replies) < 1e-4
    finally:
        engine.set_weights(weights)
        plain.set_weights(weights)


def test_it_sleeps_and_wakes_by_itself(engine):
    prompts = make_prompts()
    awake = engine.generate(prompts, 1, SamplingParams(0.0, 8))
    engine.sleep()
    assert engine._llm.llm_engine.engine_core.engine_core.is_scheduler_paused()
    slept = engine.generate(prompts, 1, SamplingParams(0.0, 8))
    assert [f[0].text for f in slept] == [f[0].text for f in awake]
    engine.share_gpu = True
    try:
        engine.generate(prompts, 1, SamplingParams(0.0, 2))
        assert engine._asleep
        assert engine.weight_digests()
        assert engine._asleep
    finally:
        engine.share_gpu = False
        engine.wake()


def test_prompts_that_are_too_large_are_told(engine):
    with pytest.raises(InputError, match=r"max_images.*at most 4, got 5"):
        engine.generate(make_prompts((5,)))
    with pytest.raises(InputError, match="max_model_len"):
        engine.generate(make_prompts((1,), "e " * 1100))


def test_the_process_is_left_as_it_was(tiny_model, engine):
    import random

    random.seed(5)
    np.random.seed(5)
    torch.manual_seed(5)
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    threads, set_num_threads = torch.get_num_threads(), torch.set_num_threads
    other = make_engine(tiny_model, "vllm", max_model_len=256)
    try:
        assert random.getstate() == states[0]
        assert np.array_equal(np.random.get_state()[1], states[1])
        assert torch.equal(torch.get_rng_state(), states[2])
        assert (torch.get_num_threads(), torch.set_num_threads) == (threads, set_num_threads)
        assert other.max_model_len == 256
    finally:
        other.close()
    # Closing one engine leaves the other in the same process at work.
    assert engine.generate(make_prompts((2,)), 1, SamplingParams(1.0, 4))[0][0].text


def test_a_model_split_over_two_workers(tiny_model, engine, tmp_path, monkeypatch):
    """Its workers get one copy of new weights between them, and end with the engine."""
    import vllm

    folder = tmp_path / "even"
    shutil.copytree(tiny_model, folder)
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"]["num_heads"] = 2  # three heads cannot be split
    (folder / "config.json").write_text(json.dumps(config))
    cores = sorted(os.sched_getaffinity(0))
    monkeypatch.setenv("VLLM_CPU_OMP_THREADS_BIND", f"{cores[0]}|{cores[-1]}")
    vllm.envs.disable_envs_cache()  # read anew: the module's engine has read them already
    plain, prompts = make_engine(folder), make_prompts((1, 2))
    split = make_engine(folder, "vllm", max_images=2, tensor_parallel_size=2)
    try:
        weights = perturbed(get_weights(plain.model))
        before = split.weight_digests()
        split.set_weights(weights)
        plain.set_weights(weights)
        assert all(digest != before[name] for name, digest in split.weight_digests().items())
        replies = split.generate(prompts, 2, SamplingParams(1.0, 6))
        assert largest_difference(plain, prompts, replies) < 1e-4
        assert len(multiprocessing.active_children()) == 2
    finally:
        split.close()
    assert multiprocessing.active_children() == []
    assert engine.generate(prompts, 1, SamplingParams(1.0, 2))[0][0].text is not None


def test_unknown_settings_name_the_nearest(tiny_model):
    with pytest.raises(InputError, match="'max_model_len' \\(the nearest\\)"):
        make_engine(tiny_model, "vllm", max_model_length=3)
    wrong = tiny_config(tiny_model).env_runners(engine="vllm", engine_settings={"max_imges": 2})
    with pytest.raises(InputError, match="'max_images'"):  # before any process is started
        wrong.validate()


def test_what_belongs_to_a_model_is_told_by_vllms_names():
    shapes = {"a.weight": (2, 3), "b.weight": (4,)}
    renamed = {"model.a.weight": (2, 3), "model.b.weight": (4,)}
    check_weights(renamed, shapes, lambda name: name.removeprefix("model."), tied=False)
    with pytest.raises(InputError, match=r"missing \['a.weight', 'b.weight'\]"):
        check_weights(renamed, shapes, str, tied=False)
    head = shapes | {"lm_head.weight": (2, 3)}
    check_weights(head, shapes, str, tied=True)
    check_weights(shapes, head, str, tied=True)
    with pytest.raises(InputError, match="lm_head"):
        check_weights(shapes, head, str, tied=False)


def test_a_reply_is_cut_where_the_context_ends(engine):
    (reply,) = engine.generate(
        make_prompts((1,), "e " * 960), 1, SamplingParams(1.0, max_new_tokens=4000, seed=9)
    )[0]
    prompt = len(engine.prompt_token_ids(make_prompts((1,), "e " * 960))[0])
    assert len(reply.token_ids) <= engine.max_model_len - prompt < 120


def test_evaluation_with_vllm_from_the_command_line(tmp_path):
    from typer.testing import CliRunner

    from evals.cli import app

    arguments = "eval --model embedded --task perl/Shapes-v0 --limit 3 --orders 2 --repeats 2"
    out = ["--out", str(tmp_path / "run"), "--engine", "vllm", "--max-new-tokens", "16"]
    result = CliRunner().invoke(app, [*arguments.split(), *out])
    assert result.exit_code == 0, result.output
    rows = (tmp_path / "run" / "replies.jsonl").read_text().splitlines()
    assert len(rows) == 3 * 2 * 2
    assert '"engine": "vllm"' in (tmp_path / "run" / "config.json").read_text()


# ------------------------------------------------------------------ faults that a preflight finds


@pytest.fixture
def preflight(tiny_model, build, ray_session, engine):
    """Runs a preflight at temperature 0.7 on this module's engine."""
    algorithm = build(tiny_config(tiny_model).env_runners(temperature=0.7))
    runner = algorithm.env_runner_group.local_env_runner
    before, runner.engine = runner.engine, engine
    yield algorithm.preflight
    runner.engine = before


def sampler_of(engine):
    client = engine._llm.llm_engine.engine_core
    return client.engine_core.model_executor.driver_worker.model_runner.sampler


def test_preflight_agrees(preflight):
    report = preflight()
    assert report.findings == ()
    assert "engine vllm in float32, learner in float32" in str(report)


def test_preflight_finds_log_probabilities_from_before_the_temperature(
    preflight, engine, monkeypatch
):
    sampler = sampler_of(engine)
    for part in (sampler, sampler.topk_topp_sampler):
        monkeypatch.setattr(part, "logprobs_mode", "raw_logprobs")
    monkeypatch.setattr(engine, "_never", {})
    (finding,) = preflight().findings
    assert finding.what == "log-probabilities"


def test_preflight_finds_a_prompt_that_was_expanded_before(preflight, engine, monkeypatch):
    plain = engine._request

    def expanded(prompt):
        ids = engine.processor.encode(prompt).input_ids.tolist()
        return plain(prompt) | {"prompt_token_ids": ids}

    monkeypatch.setattr(engine, "_request", expanded)
    findings = preflight().findings
    assert findings
    assert all("expanded prompt" in finding.cause for finding in findings), findings


def test_preflight_finds_weights_that_do_not_arrive(preflight, engine, monkeypatch):
    monkeypatch.setattr(engine, "set_weights", lambda weights: None)
    found = {finding.what for finding in preflight().findings}
    assert found == {
        "log-probabilities after a sync of other weights",
        "parameters that a sync did not change",
    }


def test_a_missing_vllm_is_told_with_its_extra(tiny_model, monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(InputError, match=r"not installed.*perl-env\[vllm\]"):
        make_engine(tiny_model, "vllm")


@pytest.mark.parametrize("num_env_runners", [0, 1])
def test_grpo_with_vllm_rollouts(tiny_model, build, ray_session, num_env_runners):
    """Engine and learner agree before each update, so each update's weights have arrived."""
    config = tiny_config(tiny_model, minibatches=2)
    config.env_runners(engine="vllm", num_env_runners=num_env_runners, preflight=True)
    algorithm = build(config)
    if num_env_runners == 0:  # the task says for how many pictures memory is set aside
        assert algorithm.env_runner_group.local_env_runner.engine.max_images == 3
    for _ in range(3):
        learner = algorithm.train()["learners"]["default_policy"]
        assert learner["sampler_logprob_difference_max"] < 1e-3
        assert learner["grad_norm"] > 0
