"""Memory as counted from a model's sizes, beside what torch holds."""

import numpy as np
import pytest
import torch

from agents.engines.base import Prompt
from agents.engines.transformers_engine import left_padded
from agents.memory_budget import (
    GIB,
    EngineSetup,
    LearnerSetup,
    check_fits,
    engine_memory,
    layer_values,
    learner_memory,
    total_bytes,
)
from agents.model_shape import read_model_shape
from agents.models import load_model
from agents.processing import PromptProcessor
from perl_env.errors import InputError


def _by_name(items):
    return {item.what: item.bytes for item in items}


def _kept_by_autograd(model, inputs):
    """Bytes of the distinct tensors, weights apart, that a forward pass keeps for its backward pass."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = (
                storage.nbytes(),
                tensor,
            )  # held, so that no address is reused
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(**inputs)
    return sum(size for size, _ in kept.values())


def test_activations_grow_with_the_tokens_as_torch_holds_them():
    shape, processor = read_model_shape("embedded"), PromptProcessor("embedded")
    language = load_model("embedded", "float32").model.language_model
    picture = (np.zeros((56, 56, 3), np.uint8),)

    def kept(words):
        inputs = left_padded([processor.encode(Prompt(picture, "red " * words))],
                             processor.pad_token_id, torch.device("cpu"))  # fmt: skip
        embedded = language.embed_tokens(inputs["input_ids"]).detach()
        bytes_ = _kept_by_autograd(language, {"inputs_embeds": embedded, "use_cache": False})
        return inputs["input_ids"].shape[1], bytes_

    (few, small), (many, large) = kept(50), kept(250)
    a_token = (large - small) / (many - few)
    assert a_token == pytest.approx(4 * shape.text.layers * layer_values(shape), rel=0.3)


def test_weights_gradients_and_moments_are_sixteen_bytes_a_parameter():
    shape = read_model_shape("embedded")
    items = _by_name(learner_memory(shape, LearnerSetup(reference=False)))
    names = ("trained weights", "gradients", "Adam's moments")
    assert sum(items[name] for name in names) == 16 * shape.total_parameters
    assert "reference model" not in items


def test_shards_split_what_is_held_for_good():
    shape = read_model_shape("embedded")
    alone = _by_name(learner_memory(shape, LearnerSetup()))
    split = _by_name(learner_memory(shape, LearnerSetup(learners=8, sharded=True)))
    for name in ("trained weights", "gradients", "Adam's moments", "reference model"):
        assert split[name] == alone[name] / 8
    assert split["activations"] == alone["activations"]


def test_adapters_need_no_reference_and_little_else():
    shape = read_model_shape("embedded")
    items = _by_name(learner_memory(shape, LearnerSetup(trained_parameters=1000)))
    assert items["gradients"] == 4000
    assert items["frozen weights"] == 2 * shape.total_parameters
    assert "reference model" not in items


def test_checkpointing_keeps_less():
    shape = read_model_shape("embedded")
    kept = [
        _by_name(learner_memory(shape, LearnerSetup(gradient_checkpointing=on)))["activations"]
        for on in (True, False)
    ]
    assert kept[0] < kept[1] / 2


def test_what_does_not_fit_is_refused_with_its_largest_part():
    items = learner_memory(read_model_shape("embedded"), LearnerSetup(micro_batch_tokens=10**6))
    check_fits(items, 1.1 * total_bytes(items), "learner")
    with pytest.raises(InputError, match="the largest part activations"):
        check_fits(items, total_bytes(items), "learner")


def test_keys_and_values_are_counted_for_every_layer():
    cache = _by_name(engine_memory(read_model_shape("embedded"), EngineSetup(tokens=1000)))
    assert cache["keys and values"] == 2 * 4 * 128 * 2 * 1000
    assert cache["keys and values"] < GIB
