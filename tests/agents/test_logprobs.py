"""The learner's log-probabilities are the sampler's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agents.engines import Prompt, SamplingParams, make_engine
from agents.logprobs import reply_logprobs
from agents.models import load_model
from agents.reply_batch import ReplyBatch
from agents.shared_prefix import share_prefixes


@pytest.fixture(scope="module")
def prompts():
    rng = np.random.default_rng(0)
    return [
        Prompt(tuple(rng.integers(0, 256, (28, 28, 3), dtype=np.uint8) for _ in range(n)), text)
        for n, text in [(3, "Which image is the same?"), (1, "red?"), (2, "the red one, image 1")]
    ]


@pytest.mark.parametrize("temperature", [1.0, 0.5])
@pytest.mark.parametrize("shared", [True, False])
def test_sampler_and_learner_agree(tiny_model, prompts, temperature, shared):
    engine, model = make_engine(tiny_model), load_model(tiny_model, "float32")
    sampling = SamplingParams(temperature=temperature, max_new_tokens=6, seed=4)
    replies = engine.generate(prompts, 4, sampling)
    flat = [reply for some in replies for reply in some]
    length = max(len(reply.token_ids) for reply in flat)
    ids, mask = torch.zeros(len(flat), length, dtype=torch.int64), torch.zeros(len(flat), length)
    for row, reply in enumerate(flat):
        ids[row, : len(reply.token_ids)] = torch.from_numpy(reply.token_ids)
        mask[row, : len(reply.token_ids)] = 1
    processor = engine.processor
    batch = ReplyBatch(
        tuple(processor.encode_many(prompts)), tuple(n for n in range(len(prompts)) for _ in range(4)),
        ids, mask, torch.tensor(sorted(processor.image_token_ids)), temperature,
    )  # fmt: skip
    if shared:
        share_prefixes(model)
    logprobs = reply_logprobs(model, batch)["logprobs"].detach()
    for row, reply in enumerate(flat):
        assert np.allclose(logprobs[row, : len(reply.token_ids)], reply.logprobs, atol=1e-5)
