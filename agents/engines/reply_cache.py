"""A key-value cache for many replies to each prompt, with room for the tokens to come.

transformers' own cache is copied whole for every token that is added; this one when its room is used up.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer

#: Tokens for which room is made at once.
ROOM = 128


def repeat_with_room(cache: Cache, parents: torch.Tensor) -> None:
    """Repeat the prompts' rows for their replies, in place.

    Args:
        cache: of the pass over the prompts.
        parents: int64 [replies], the prompt of each.
    """
    for number, layer in enumerate(cache.layers):
        if type(layer) is DynamicLayer:
            cache.layers[number] = RoomyLayer(layer.keys, layer.values, parents)
        else:  # layers of another kind, such as those with a window, look after themselves
            layer.batch_select_indices(parents)


class RoomyLayer(DynamicLayer):
    """One layer's keys and values [replies, heads, tokens, width], views of larger buffers.

    Args:
        keys: of the prompts.
        values: of the prompts.
        parents: int64 [replies], the prompt of each.
    """

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, parents: torch.Tensor):
        super().__init__()
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True
        self._buffers = [
            _with_room(tensor[parents], keys.shape[2] + ROOM) for tensor in (keys, values)
        ]
        self._show(keys.shape[2])

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """All keys and values, the new ones added."""
        start = self.keys.shape[2]
        end = start + key_states.shape[2]
        if end > self._buffers[0].shape[2]:
            self._buffers = [_with_room(tensor, end + ROOM) for tensor in (self.keys, self.values)]
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:, :, start:end] = states
        self._show(end)
        return self.keys, self.values

    def _show(self, length: int) -> None:
        self.keys, self.values = (buffer[:, :, :length] for buffer in self._buffers)


def _with_room(tensor: torch.Tensor, length: int) -> torch.Tensor:
    """A tensor of ``length`` tokens that begins with ``tensor``."""
    rows, heads, filled, width = tensor.shape
    buffer = tensor.new_empty((rows, heads, length, width))
    buffer[:, :, :filled] = tensor
    return buffer
