"""A model split over learners, each of which holds its share of weights, gradients and moments (FSDP2).

The learners' losses are sums whose weights hold the whole normalisation, so gradients are summed over the
learners, never averaged. Everything named collective has to be called on all learners at once.
"""

from __future__ import annotations

import itertools
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch.distributed.tensor import DTensor

from agents.logprobs import reply_logprobs
from agents.weights import array_to_tensor, tensor_to_array
from perl_env.errors import InputError


def shard_model(
    model: torch.nn.Module, device: torch.device, compute_dtype: torch.dtype = torch.float32
) -> None:
    """Split a model over all processes of the default group, in place. Collective.

    Each decoder layer and vision block is gathered when it computes and let go afterwards. Weights keep
    their dtype where they lie; they are gathered and computed with in ``compute_dtype``.

    Args:
        model: the same on all processes.
        device: where this process computes.
        compute_dtype: of the forward and backward pass; gradients are summed in float32.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import (
        FSDPModule,
        MixedPrecisionPolicy,
        fully_shard,
        register_fsdp_forward_method,
    )

    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    precision = MixedPrecisionPolicy(param_dtype=compute_dtype, reduce_dtype=torch.float32)
    for block in _blocks(model):
        fully_shard(block, mesh=mesh, mp_policy=precision)
    fully_shard(model, mesh=mesh, mp_policy=precision)
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            # gloo cannot scale while it sums
            module.set_force_sum_reduction_for_comms(True)
    # The pass uses parts of the model one by one: as a method of the whole it gathers what they share.
    model.reply_logprobs = types.MethodType(reply_logprobs, model)  # type: ignore[assignment]
    register_fsdp_forward_method(model, "reply_logprobs")


def _blocks(model: torch.nn.Module) -> Iterator[torch.nn.Module]:
    """The repeated layers of the language model and of the vision tower."""
    lists = [module for module in model.modules() if isinstance(module, torch.nn.ModuleList)]
    for blocks in lists:
        if len({type(block) for block in blocks}) == 1 and any(True for _ in blocks.parameters()):
            yield from blocks


def is_sharded(model: torch.nn.Module) -> bool:
    """Whether the model's weights are split over processes."""
    return any(isinstance(parameter, DTensor) for parameter in model.parameters())


def whole_tensors(tensors: Mapping[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    """Names and whole tensors, gathered one by one. Collective: all have to come to the end."""
    for name, tensor in tensors.items():
        yield name, tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def full_state(tensors: Mapping[str, torch.Tensor], wanted: bool) -> dict[str, np.ndarray]:
    """Whole tensors on the host. Collective.

    Args:
        tensors: such as a state dict.
        wanted: whether this process keeps them; else it takes part and gets nothing.
    """
    state: dict[str, np.ndarray] = {}
    for name, whole in whole_tensors(tensors):
        if wanted:
            state[name] = tensor_to_array(whole)
    return state


def load_full_state(tensors: Mapping[str, torch.Tensor], weights: Mapping[str, np.ndarray]) -> None:
    """Copy this process's share of whole arrays into its tensors, in place. Not collective.

    Raises:
        InputError: an array is missing, unknown or of another shape.
    """
    missing = sorted(set(tensors) - set(weights))
    unknown = sorted(set(weights) - set(tensors))
    if missing or unknown:
        raise InputError("weights do not belong to this model", where="state dict",
                         expected=f"{len(tensors)} tensors, none missing",
                         got=f"missing {missing[:3]}, unknown {unknown[:3]}")  # fmt: skip
    with torch.no_grad():
        for name, tensor in tensors.items():
            source = array_to_tensor(weights[name])
            if source.shape != tensor.shape:
                raise InputError("weight of another shape", where=name,
                                 expected=tuple(tensor.shape), got=tuple(source.shape))  # fmt: skip
            if isinstance(tensor, DTensor):
                local = tensor.to_local()
                local.copy_(_share(source, tensor))
            else:
                tensor.copy_(source)


def _share(whole: torch.Tensor, like: DTensor) -> torch.Tensor:
    """This process's rows of a whole tensor, as FSDP2 splits it: along the first dimension, in chunks."""
    chunks = whole.chunk(like.device_mesh.size())
    rank = like.device_mesh.get_local_rank()
    return chunks[rank] if rank < len(chunks) else whole[:0]


def full_optimizer_state(optimizer: torch.optim.Optimizer, wanted: bool) -> dict[str, Any]:
    """An optimizer's state dict with whole tensors on the host. Collective."""
    state = optimizer.state_dict()
    whole = {
        number: {
            name: _on_host(value) if isinstance(value, torch.Tensor) else value
            for name, value in moments.items()
        }
        for number, moments in state["state"].items()
    }
    return {"state": whole, "param_groups": state["param_groups"]} if wanted else {}


def load_full_optimizer_state(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Give an optimizer its share of a state dict with whole tensors. Not collective."""
    parameters = list(itertools.chain(*(group["params"] for group in optimizer.param_groups)))
    shared = {
        number: {
            name: _as_share(value, parameters[number]) for name, value in moments.items()
        }
        for number, moments in state["state"].items()
    }  # fmt: skip
    optimizer.load_state_dict({"state": shared, "param_groups": state["param_groups"]})


def _as_share(value: Any, parameter: torch.Tensor) -> Any:
    if not isinstance(value, torch.Tensor) or not isinstance(parameter, DTensor) or not value.ndim:
        return value
    local = _share(value, parameter).to(parameter.device)
    return DTensor.from_local(
        local, parameter.device_mesh, parameter.placements,
        run_check=False, shape=parameter.shape, stride=parameter.stride(),
    )  # fmt: skip


def _on_host(tensor: torch.Tensor) -> torch.Tensor:
    whole = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return whole.detach().to("cpu", copy=True)


def global_norm(gradients: Iterable[torch.Tensor]) -> torch.Tensor:
    """The Euclidean norm of all gradients together, float32. Collective where they are split."""
    gradients = list(gradients)
    squares = [_local(g).float().square().sum() for g in gradients]
    total = torch.stack(squares).sum()
    if any(isinstance(gradient, DTensor) for gradient in gradients):
        dist.all_reduce(total)
    return total.sqrt()


def _local(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
