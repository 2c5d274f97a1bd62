"""Weights as numpy arrays, as they travel between learner, engine and checkpoint.

numpy has no bfloat16: such a tensor travels as its bits, a ``uint16`` array.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from perl_env.errors import InputError


def tensor_to_array(tensor: torch.Tensor) -> np.ndarray:
    """A copy of the tensor on the host; bfloat16 as uint16 bits."""
    return array_view(tensor.detach().to("cpu", copy=True))


def array_view(tensor: torch.Tensor) -> np.ndarray:
    """The tensor on the host, which shares its memory where it lies there; bfloat16 as uint16 bits."""
    tensor = tensor.detach().to("cpu").contiguous()
    if tensor.dtype is torch.bfloat16:
        return tensor.view(torch.uint16).numpy()
    return tensor.numpy()


def array_to_tensor(array: np.ndarray) -> torch.Tensor:
    """The tensor that ``tensor_to_array`` was given. Shares memory where the array is writable."""
    if not array.flags.writeable:
        array = array.copy()
    tensor = torch.from_numpy(array)
    return tensor.view(torch.bfloat16) if array.dtype == np.uint16 else tensor


def get_weights(model: torch.nn.Module) -> dict[str, np.ndarray]:
    """All of a model's weights by their state-dict names."""
    return {name: tensor_to_array(tensor) for name, tensor in model.state_dict().items()}


def load_weights(model: torch.nn.Module, weights: Mapping[str, np.ndarray]) -> None:
    """Copy weights into a model in place.

    Raises:
        InputError: a weight is missing, unknown or of another shape.
    """
    load_tensors(model.state_dict(), weights)


def load_tensors(own: Mapping[str, torch.Tensor], weights: Mapping[str, np.ndarray]) -> None:
    """Copy arrays into tensors of the same names in place.

    Raises:
        InputError: one is missing, unknown or of another shape.
    """
    missing, unknown = sorted(set(own) - set(weights)), sorted(set(weights) - set(own))
    if missing or unknown:
        raise InputError("weights do not belong to this model", where="state dict",
                         expected=f"{len(own)} tensors, none missing", got=f"missing {missing[:3]}, unknown {unknown[:3]}")  # fmt: skip
    with torch.no_grad():
        for name, tensor in own.items():
            source = array_to_tensor(weights[name])
            if source.shape != tensor.shape:
                raise InputError("weight of another shape", where=name,
                                 expected=tuple(tensor.shape), got=tuple(source.shape))  # fmt: skip
            tensor.copy_(source)
