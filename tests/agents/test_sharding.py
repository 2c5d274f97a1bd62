"""A model split over two processes computes and learns as one that is whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.distributed as dist

from agents.models import load_model
from agents.sharding import (
    full_optimizer_state,
    full_state,
    global_norm,
    is_sharded,
    load_full_optimizer_state,
    load_full_state,
    shard_model,
)
from agents.weights import get_weights, load_weights

pytestmark = pytest.mark.slow

WORLD = 2
TOKENS = torch.arange(40).reshape(4, 10) + 300


def _loss(model, rows):
    logits = model(input_ids=TOKENS[rows]).logits.float()
    return -logits.log_softmax(-1)[..., 400].sum() / TOKENS.numel()


def _optimizer(model):
    return torch.optim.AdamW(model.parameters(), lr=1e-2)


def _step(model, optimizer, rows):
    optimizer.zero_grad()
    for row in rows:  # a micro batch each: gradients accumulate in shares
        _loss(model, [row]).backward()
    norm = global_norm(p.grad for p in model.parameters() if p.grad is not None)
    optimizer.step()
    return float(norm)


def _learn(rank, folder):
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=WORLD
    )
    torch.set_num_threads(1)
    model = load_model("embedded", "float32")
    shard_model(model, torch.device("cpu"))
    assert is_sharded(model)
    optimizer = _optimizer(model)
    rows = range(rank, 4, WORLD)
    norms = [_step(model, optimizer, rows)]
    weights = full_state(model.state_dict(), wanted=rank == 0)
    moments = full_optimizer_state(optimizer, wanted=True)
    norms.append(_step(model, optimizer, rows))
    after = full_state(model.state_dict(), wanted=True)

    # Another model takes over where this one stood after the first step.
    again = load_model("embedded", "float32")
    shard_model(again, torch.device("cpu"))
    shared = [weights]
    dist.broadcast_object_list(shared)
    load_full_state(again.state_dict(), shared[0])
    optimizer = _optimizer(again)
    load_full_optimizer_state(optimizer, moments)
    _step(again, optimizer, rows)
    continued = full_state(again.state_dict(), wanted=True)
    assert all(np.array_equal(after[name], continued[name]) for name in after)
    if rank == 0:
        assert set(weights) == set(after)
        torch.save({"weights": weights, "after": after, "norms": norms}, f"{folder}/result")
    else:
        assert weights == {}
    dist.destroy_process_group()


def test_two_steps_over_two_processes_are_two_steps_in_one(tmp_path):
    torch.multiprocessing.spawn(_learn, (str(tmp_path),), nprocs=WORLD)
    found = torch.load(tmp_path / "result", weights_only=False)
    model = load_model("embedded", "float32")
    assert not is_sharded(model)
    optimizer = _optimizer(model)
    norms = [_step(model, optimizer, range(4))]
    _same(found["weights"], get_weights(model))
    norms.append(_step(model, optimizer, range(4)))
    _same(found["after"], get_weights(model))
    np.testing.assert_allclose(found["norms"], norms, rtol=1e-5)
    load_weights(model, found["after"])


def _same(found, expected):
    assert set(found) == set(expected)
    for name, array in expected.items():
        # Adam divides by the gradients' size: where that is next to nothing, rounding decides.
        np.testing.assert_allclose(found[name], array, atol=2e-4, err_msg=name)
        assert np.abs(found[name] - array).mean() < 1e-5
