"""Weights on their way from the learner to the runners: once through the object store, a bucket at a time.

A learner that first copies all weights and then puts them holds two copies beside its model. In buckets it
holds one, in shared memory, which every runner on that machine reads in place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import ray
import torch

from agents.weights import array_view

#: A bucket holds as many tensors as fit, at least one.
BUCKET_BYTES = 128 * 2**20


class WeightBuckets(Mapping[str, np.ndarray]):
    """Weights in the object store, by name; read-only arrays, fetched a bucket at a time.

    Reading the names in their own sequence fetches each bucket once.

    Args:
        buckets: for each bucket its names and the reference to a dict of arrays.
    """

    def __init__(self, buckets: Iterable[tuple[tuple[str, ...], ray.ObjectRef]]):
        self._buckets = tuple(buckets)
        self._place = {
            name: number for number, (names, _) in enumerate(self._buckets) for name in names
        }
        self._fetched: tuple[int, dict[str, np.ndarray]] = (-1, {})

    def __len__(self) -> int:
        return len(self._place)

    def __iter__(self) -> Iterator[str]:
        return iter(self._place)

    def __getitem__(self, name: str) -> np.ndarray:
        number = self._place[name]
        if self._fetched[0] != number:
            self._fetched = (number, ray.get(self._buckets[number][1]))
        return self._fetched[1][name]

    def __reduce__(self):
        return WeightBuckets, (self._buckets,)


def put_weights(
    tensors: Iterable[tuple[str, torch.Tensor]], bucket_bytes: int = BUCKET_BYTES
) -> WeightBuckets:
    """Put tensors into the object store.

    Args:
        tensors: names and tensors, which may be made one at a time.
        bucket_bytes: how much is put at once, and so held twice for a moment.
    """
    buckets: list[tuple[tuple[str, ...], ray.ObjectRef]] = []
    bucket: dict[str, np.ndarray] = {}
    size = 0

    def put() -> None:
        nonlocal bucket, size
        if bucket:
            buckets.append((tuple(bucket), ray.put(bucket)))
        bucket, size = {}, 0

    for name, tensor in tensors:
        array = array_view(tensor)
        if size + array.nbytes > bucket_bytes:
            put()
        bucket[name] = array
        size += array.nbytes
    put()
    return WeightBuckets(buckets)
