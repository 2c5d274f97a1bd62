"""Adapters: they change nothing at first, learn alone, travel alone, and can be merged."""

import numpy as np
import pytest
import torch

from agents.engines.base import Prompt
from agents.engines.transformers_engine import left_padded
from agents.lora import (
    LoraSettings,
    adapter_weights,
    add_adapters,
    has_adapters,
    is_adapter,
    load_adapter_weights,
    merge_into,
    merged_weights,
    without_adapters,
)
from agents.models import load_model
from agents.processing import PromptProcessor
from agents.weights import array_to_tensor, get_weights
from perl_env.errors import InputError

SETTINGS = LoraSettings(rank=4, alpha=8)


@pytest.fixture(scope="module")
def inputs():
    processor = PromptProcessor("embedded")
    prompt = Prompt((np.full((56, 56, 3), 90, np.uint8),), "Which image is red?")
    return left_padded([processor.encode(prompt)], processor.pad_token_id, torch.device("cpu"))


def _logits(model, inputs):
    with torch.no_grad():
        return model(**inputs).logits


def _trained(model):
    """As if something had been learned: new adapters leave the model as it is."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if is_adapter(name):
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model


def test_new_adapters_change_nothing_and_are_all_that_learns(inputs):
    model = load_model("embedded", "float32")
    before = _logits(model, inputs)
    add_adapters(model, SETTINGS)
    assert has_adapters(model)
    torch.testing.assert_close(_logits(model, inputs), before)
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert trained
    assert all(is_adapter(name) and "language_model" in name for name in trained)
    model(**inputs).logits.sum().backward()
    assert {name for name, p in model.named_parameters() if p.grad is not None} == set(trained)


def test_without_adapters_is_the_model_as_it_was(inputs):
    model = load_model("embedded", "float32")
    before = _logits(model, inputs)
    _trained(add_adapters(model, SETTINGS))
    changed = _logits(model, inputs)
    assert not torch.allclose(changed, before, atol=1e-3)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    with without_adapters(model):
        torch.testing.assert_close(_logits(model, inputs), before)
    torch.testing.assert_close(_logits(model, inputs), changed)
    assert {name for name, p in model.named_parameters() if p.requires_grad} == trained


def test_adapters_travel_alone(inputs):
    sender = _trained(add_adapters(load_model("embedded", "float32"), SETTINGS))
    receiver = add_adapters(load_model("embedded", "float32"), SETTINGS)
    sent = adapter_weights(sender)
    whole = sum(array.nbytes for array in get_weights(sender).values())
    assert sum(array.nbytes for array in sent.values()) < 0.1 * whole
    load_adapter_weights(receiver, sent)
    torch.testing.assert_close(_logits(receiver, inputs), _logits(sender, inputs))


def test_merged_weights_are_a_plain_model_that_computes_the_same(inputs):
    model = _trained(add_adapters(load_model("embedded", "float32"), SETTINGS))
    plain = load_model("embedded", "float32")
    plain.load_state_dict(merged_weights(model))
    torch.testing.assert_close(_logits(plain, inputs), _logits(model, inputs), rtol=1e-4, atol=1e-4)


def test_adapters_merge_into_weights_that_lie_elsewhere():
    model = _trained(add_adapters(load_model("embedded", "float32"), SETTINGS))
    base = get_weights(load_model("embedded", "float32"))
    here, there = merged_weights(model), merge_into(base, adapter_weights(model), SETTINGS)
    assert set(there) < set(base)
    for name, array in there.items():
        torch.testing.assert_close(array_to_tensor(array), here[name])
    unchanged = set(base) - set(there)
    assert all(np.array_equal(base[name], here[name].numpy()) for name in unchanged)


def test_two_learners_start_from_the_same_adapters():
    first, second = (
        adapter_weights(add_adapters(load_model("embedded", "float32"), SETTINGS)) for _ in range(2)
    )
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_a_bfloat16_model_gets_float32_adapters():
    model = add_adapters(load_model("embedded", "bfloat16"), SETTINGS)
    dtypes = {is_adapter(name): p.dtype for name, p in model.named_parameters()}
    assert dtypes == {True: torch.float32, False: torch.bfloat16}


def test_layers_that_are_not_there_are_an_error():
    with pytest.raises(InputError, match="no layer gets an adapter"):
        add_adapters(load_model("embedded", "float32"), LoraSettings(layers="nothing"))
    with pytest.raises(InputError, match="rank"):
        LoraSettings(rank=0)
