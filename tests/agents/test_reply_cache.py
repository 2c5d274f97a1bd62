"""The cache with room holds what transformers' own holds, however many tokens are added."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.cache_utils import Cache, DynamicCache, DynamicSlidingWindowLayer

from agents.engines.reply_cache import ROOM, RoomyLayer, repeat_with_room


@settings(max_examples=15)
@given(
    parents=st.lists(st.integers(0, 2), min_size=1, max_size=4),
    prompt=st.integers(1, 5),
    added=st.lists(st.sampled_from((1, 2, ROOM, ROOM + 3)), max_size=5),
    seed=st.integers(0, 99),
)
def test_same_as_the_cache_of_transformers(parents, prompt, added, seed):
    generator = torch.Generator().manual_seed(seed)
    plain, roomy = DynamicCache(), DynamicCache()
    rows = torch.tensor(parents)
    for layer in range(2):
        first = torch.randn(2, 3, 2, prompt, 4, generator=generator)
        for cache in (plain, roomy):
            cache.update(*first, layer)
    plain.batch_select_indices(rows)
    repeat_with_room(roomy, rows)
    for count in added:
        for layer in range(2):
            states = torch.randn(2, len(parents), 2, count, 4, generator=generator)
            for expected, got in zip(
                plain.update(*states, layer), roomy.update(*states, layer), strict=True
            ):
                assert torch.equal(expected, got)
        assert plain.get_seq_length() == roomy.get_seq_length()
        assert plain.get_mask_sizes(1, 0) == roomy.get_mask_sizes(1, 0)


def test_layers_of_another_kind_are_repeated_their_own_way():
    layer = DynamicSlidingWindowLayer(sliding_window=4)
    cache = Cache(layers=[layer])
    cache.update(torch.ones(2, 1, 3, 2), torch.ones(2, 1, 3, 2), 0)
    repeat_with_room(cache, torch.tensor([0, 1, 1]))
    assert not isinstance(cache.layers[0], RoomyLayer)
    assert cache.layers[0].keys.shape == (3, 1, 3, 2)
