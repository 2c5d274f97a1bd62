"""Weights go through the object store in buckets and come out as they went in."""

import numpy as np
import pytest
import ray
import torch

from agents.weight_buckets import put_weights
from agents.weights import array_to_tensor, load_tensors

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_session")]


def _tensors():
    generator = torch.Generator().manual_seed(0)
    tensors = {f"weight {i}": torch.randn(i + 1, 7, generator=generator) for i in range(20)}
    return tensors | {
        "half": torch.randn(9, generator=generator).bfloat16(),
        "none": torch.zeros(0),
    }


@ray.remote
def _read_elsewhere(weights):
    return {name: array.copy() for name, array in weights.items()}


@pytest.mark.parametrize("bucket_bytes", [1, 500, 10**9])
def test_every_tensor_arrives_whatever_the_buckets(bucket_bytes):
    tensors = _tensors()
    weights = put_weights(tensors.items(), bucket_bytes)
    assert list(weights) == list(tensors)
    found = ray.get(_read_elsewhere.remote(weights))
    for name, tensor in tensors.items():
        assert torch.equal(array_to_tensor(found[name]), tensor)
    copies = {name: torch.empty_like(tensor) for name, tensor in tensors.items()}
    load_tensors(copies, weights)
    assert all(torch.equal(copies[name], tensors[name]) for name in tensors)


def test_what_was_put_stays_as_it_was():
    tensor = torch.ones(1000)
    weights = put_weights([("weight", tensor)])
    tensor.zero_()
    assert np.all(weights["weight"] == 1)
    assert not weights["weight"].flags.writeable


def test_a_bucket_is_fetched_once_when_names_are_read_in_sequence(monkeypatch):
    weights = put_weights(_tensors().items(), 500)
    fetched = []
    get = ray.get

    def counted(reference):
        fetched.append(reference)
        return get(reference)

    monkeypatch.setattr(ray, "get", counted)
    for name in weights:
        _ = weights[name]
    assert len(fetched) == len(set(fetched)) > 1
