"""LoRA: low-rank adapters are trained, the model stays as it is (arXiv 2106.09685), by peft.

Adapters are put into the model's own layers, so that it keeps its class and everything that works on the
model works on it with adapters too. Only the adapters travel from the learner to the rollouts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from agents.weights import array_to_tensor, load_tensors, tensor_to_array
from perl_env.argument_checks import check_number, check_whole
from perl_env.errors import InputError

_ADAPTER = "default"
#: Linear layers of the language model, but not of the vision tower (vLLM serves no adapters there).
LANGUAGE_LAYERS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"


@dataclass(frozen=True)
class LoraSettings:
    """Which adapters a model gets.

    Attributes:
        rank: of the two matrices (r in the paper, §4.1).
        alpha: the product of the two is multiplied by ``alpha / rank``.
        layers: a regular expression that matches the whole names of the layers that get one.
        seed: of the adapters' first values.

    Raises:
        InputError: a rank or an alpha that is no positive number.
    """

    rank: int = 16
    alpha: int = 32
    layers: str = LANGUAGE_LAYERS
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole(self.rank, "lora.rank", 1)
        check_number(self.alpha, "lora.alpha", above=0)
        check_whole(self.seed, "lora.seed", 0)

    @property
    def scaling(self) -> float:
        """What the product of an adapter's matrices is multiplied by."""
        return self.alpha / self.rank


def add_adapters(model: torch.nn.Module, settings: LoraSettings) -> torch.nn.Module:
    """Freeze the model and give it float32 adapters that change nothing yet. In place.

    Raises:
        InputError: no layer's name matches.
    """
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, target_modules=settings.layers, lora_dropout=0.0
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        try:
            inject_adapter_in_model(config, model)
        except ValueError as error:
            raise InputError("no layer gets an adapter", where="lora.layers",
                             expected="an expression that matches names of linear layers",
                             got=repr(settings.layers)) from error  # fmt: skip
    for name, parameter in model.named_parameters():
        trained = is_adapter(name)
        parameter.requires_grad_(trained)
        if trained:
            parameter.data = parameter.data.float()
    return model


def is_adapter(name: str) -> bool:
    """Whether a parameter of this name belongs to an adapter.

    >>> is_adapter("layers.0.q_proj.lora_A.default.weight"), is_adapter("layers.0.q_proj.base_layer.weight")
    (True, False)
    """
    return ".lora_A." in name or ".lora_B." in name


def has_adapters(model: torch.nn.Module) -> bool:
    """Whether the model has been given adapters."""
    return any(is_adapter(name) for name, _ in model.named_parameters())


def adapter_weights(model: torch.nn.Module) -> dict[str, np.ndarray]:
    """The adapters alone, as arrays."""
    return {
        name: tensor_to_array(tensor)
        for name, tensor in model.state_dict().items()
        if is_adapter(name)
    }


def load_adapter_weights(model: torch.nn.Module, weights: Mapping[str, np.ndarray]) -> None:
    """Copy adapters into a model that has the same ones.

    Raises:
        InputError: one is missing, unknown or of another shape.
    """
    own = {name: tensor for name, tensor in model.state_dict().items() if is_adapter(name)}
    load_tensors(own, weights)


@contextmanager
def without_adapters(model: torch.nn.Module) -> Iterator[None]:
    """Inside, the model computes as it did before it was given adapters."""
    layers = [module for module in model.modules() if _is_tuned(module)]
    for layer in layers:
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)
            # peft trains what it enables; frozen parts stay frozen, adapters are trained.
            for name, parameter in layer.named_parameters():
                parameter.requires_grad_(is_adapter(f".{name}"))


def merged_weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The state dict that the model would have without adapters, their effect added to its weights."""
    merged: dict[str, torch.Tensor] = {}
    deltas = {
        f"{name}.base_layer.weight": module.get_delta_weight(_ADAPTER)
        for name, module in model.named_modules()
        if _is_tuned(module)
    }
    for name, tensor in model.state_dict().items():
        if is_adapter(name):
            continue
        if name in deltas:
            tensor = (tensor.float() + deltas[name].to(tensor.device)).to(tensor.dtype)
        merged[name.replace(".base_layer.", ".")] = tensor.detach()
    return merged


def merge_into(
    base: Mapping[str, np.ndarray], adapters: Mapping[str, np.ndarray], settings: LoraSettings
) -> dict[str, np.ndarray]:
    """The weights of the layers that have adapters, their effect added: for engines without adapters.

    Args:
        base: a model's weights by its own names.
        adapters: as ``adapter_weights`` gives them.
        settings: with which they were made.
    """
    merged: dict[str, np.ndarray] = {}
    for name, value in adapters.items():
        if ".lora_A." not in name:
            continue
        down = array_to_tensor(value).float()
        up = array_to_tensor(adapters[name.replace(".lora_A.", ".lora_B.")]).float()
        layer = name.split(".lora_A.")[0] + ".weight"
        weight = array_to_tensor(base[layer])
        changed = weight.float() + settings.scaling * (up @ down)
        merged[layer] = tensor_to_array(changed.to(weight.dtype))
    return merged


def _is_tuned(module: Any) -> bool:
    from peft.tuners.tuners_utils import BaseTunerLayer

    return isinstance(module, BaseTunerLayer)
