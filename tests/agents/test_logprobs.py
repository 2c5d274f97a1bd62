"""The learner's pass, with each prompt computed once, against the plain padded pass."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agents.engines import Prompt, SamplingParams, make_engine
from agents.engines.transformers_engine import left_padded
from agents.logprobs import ReplyBatch, reply_logprobs
from agents.models import load_model
from agents.processing import PromptProcessor

PARENTS = [0, 0, 0, 1, 2, 2]
LENGTHS = [5, 3, 1, 6, 4, 6]


@pytest.fixture(scope="module")
def prompts():
    rng = np.random.default_rng(0)
    return [
        Prompt(tuple(rng.integers(0, 256, (28, 28, 3), dtype=np.uint8) for _ in range(n)), text)
        for n, text in [(3, "Which image is the same?"), (1, "red?"), (2, "the red one, image 1")]
    ]


def _batch(processor, prompts, temperature=0.7):
    rng = np.random.default_rng(1)
    ids = torch.from_numpy(rng.integers(10, 200, (len(LENGTHS), max(LENGTHS))))
    mask = (torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]).float()
    return ReplyBatch(
        prompts=left_padded(
            processor.encode_many(prompts), processor.pad_token_id, torch.device("cpu")
        ),
        parents=torch.tensor(PARENTS),
        reply_ids=torch.where(mask.bool(), ids, processor.pad_token_id),
        reply_mask=mask,
        suppressed=torch.tensor(sorted(processor.image_token_ids)),
        temperature=temperature,
    )


def _plain_logprobs(model, processor, prompts, batch):
    """One row a reply, alone, without padding or cache."""
    rows = []
    for parent, ids, length in zip(PARENTS, batch.reply_ids, LENGTHS, strict=True):
        prompt = processor.encode(prompts[parent])
        reply = ids[:length]
        output = model(
            input_ids=torch.cat([torch.from_numpy(prompt.input_ids), reply])[None],
            mm_token_type_ids=torch.cat(
                [torch.from_numpy(prompt.mm_token_type_ids), torch.zeros_like(reply)]
            )[None],
            pixel_values=torch.from_numpy(prompt.pixel_values),
            image_grid_thw=torch.from_numpy(prompt.image_grid_thw),
            use_cache=False,
        )
        logits = output.logits[0, len(prompt) - 1 : -1] / batch.temperature
        logits = logits.index_fill(-1, batch.suppressed, torch.finfo(torch.float32).min)
        rows.append(torch.log_softmax(logits, -1).gather(-1, reply[:, None]).squeeze(-1))
    return rows


def _gradients(model):
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def test_values_and_gradients_equal_the_plain_pass(tiny_model, prompts):
    model, processor = load_model(tiny_model, "float32"), PromptProcessor(tiny_model)
    batch = _batch(processor, prompts)
    weights = torch.rand(batch.reply_mask.shape, generator=torch.Generator().manual_seed(0))

    result = reply_logprobs(model, batch)
    (result["logprobs"] * batch.reply_mask * weights).sum().backward()
    gradients = _gradients(model)
    model.zero_grad()
    plain = _plain_logprobs(model, processor, prompts, batch)
    sum((row * weights[i, : len(row)]).sum() for i, row in enumerate(plain)).backward()

    for row, expected in zip(result["logprobs"], plain, strict=True):
        assert torch.allclose(row[: len(expected)], expected, atol=1e-5)
    assert set(gradients) == set(_gradients(model))
    for name, expected in _gradients(model).items():
        assert torch.allclose(gradients[name], expected, atol=1e-5), name
    assert torch.isfinite(result["entropy"]).all()
    assert (result["entropy"] >= 0).all()


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_sampler_and_learner_agree(tiny_model, prompts, temperature):
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
        left_padded(processor.encode_many(prompts), processor.pad_token_id, torch.device("cpu")),
        torch.arange(len(prompts)).repeat_interleave(4),
        ids, mask, torch.tensor(sorted(processor.image_token_ids)), temperature,
    )  # fmt: skip
    logprobs = reply_logprobs(model, batch)["logprobs"].detach()
    for row, reply in enumerate(flat):
        assert np.allclose(logprobs[row, : len(reply.token_ids)], reply.logprobs, atol=1e-5)
