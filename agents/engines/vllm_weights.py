"""New weights for a running vLLM engine: checked by name and shape first, then loaded in place.

The learner sends the Hugging Face model's state dict. vLLM knows checkpoints, whose names may be older
ones; its model class maps both to its own. Comparing after that mapping tells what would be missing or
unknown before anything is overwritten: vLLM itself skips what is missing with a line in its log.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agents.weights import array_to_tensor
from perl_env.errors import InputError

#: Tensor names to shapes.
Shapes = Mapping[str, tuple[int, ...]]


def checkpoint_shapes(folder: str | Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors in a model folder's safetensors files; no tensor is read.

    Raises:
        InputError: there are none.
    """
    from safetensors import safe_open

    shapes: dict[str, tuple[int, ...]] = {}
    for path in sorted(Path(folder).glob("*.safetensors")):
        with safe_open(path, framework="np") as file:
            shapes |= {
                name: tuple(file.get_slice(name).get_shape())
                for name in file.keys()  # noqa: SIM118 - no mapping
            }
    if not shapes:
        raise InputError("model folder without weights that can be checked", where=str(folder),
                         expected="*.safetensors", got="none")  # fmt: skip
    return shapes


def check_weights(
    given: Shapes, known: Shapes, to_engine_name: Callable[[str], str | None], tied: bool
) -> None:
    """Raise unless the given tensors are just those that the engine was loaded with.

    Args:
        given: what was sent.
        known: what the checkpoint holds.
        to_engine_name: the engine's mapping of names; None for a tensor that it does not use.
        tied: whether input and output embeddings are one tensor; then the output's may be left out
            or come as a second name of the input's.

    Raises:
        InputError: names that are missing, unknown or of another shape.

    >>> shapes = {"model.a": (2,), "model.b": (3,)}
    >>> check_weights(shapes, shapes, str, tied=False)
    >>> check_weights({"model.a": (2,), "model.c": (3,)}, shapes, str, tied=False)
    Traceback (most recent call last):
    perl_env.errors.InputError: weights do not belong to this model: state dict: expected 2 tensors, none missing, got missing ['model.b'], unknown ['model.c']
    """
    got = {engine: name for name in given if (engine := to_engine_name(name)) is not None}
    wanted = {engine: name for name in known if (engine := to_engine_name(name)) is not None}
    missing = sorted(wanted[engine] for engine in wanted.keys() - got.keys())
    unknown = sorted(got[engine] for engine in got.keys() - wanted.keys())
    if tied:
        missing, unknown = ([n for n in names if not _is_head(n)] for names in (missing, unknown))
    if missing or unknown:
        raise InputError("weights do not belong to this model", where="state dict",
                         expected=f"{len(wanted)} tensors, none missing", got=f"missing {missing[:3]}, unknown {unknown[:3]}")  # fmt: skip
    for engine in wanted.keys() & got.keys():
        expected, shape = known[wanted[engine]], given[got[engine]]
        if tuple(expected) != tuple(shape):
            raise InputError("weight of another shape", where=got[engine],
                             expected=tuple(expected), got=tuple(shape))  # fmt: skip


def _is_head(name: str) -> bool:
    return name.endswith("lm_head.weight")


def load_in_place(llm: Any, weights: Mapping[str, np.ndarray], dtype: torch.dtype) -> None:
    """Overwrite the weights of a running engine, in its own process or in its workers'.

    Args:
        llm: a ``vllm.LLM``.
        weights: by the names of the Hugging Face model's state dict; bfloat16 as its bits.
        dtype: of the engine's parameters.
    """
    if llm.get_world_size() == 1:
        tensors = ((name, array_to_tensor(array).to(dtype)) for name, array in weights.items())
        llm.collective_rpc("reload_weights", kwargs={"weights_iterator": tensors})
        return
    # Several workers read one copy from shared memory; a message to each would be a copy for each.
    from safetensors.torch import save_file

    shared_memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared_memory if shared_memory.is_dir() else None) as at:
        path = Path(at) / "weights.safetensors"
        save_file(_without_shared_memory(weights, dtype), path)
        llm.collective_rpc(_reload_from_file, args=(str(path),))


def _without_shared_memory(
    weights: Mapping[str, np.ndarray], dtype: torch.dtype
) -> dict[str, torch.Tensor]:
    """As tensors; safetensors refuses two names of one array, as tied embeddings may be."""
    tensors = {name: array_to_tensor(array).to(dtype) for name, array in weights.items()}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        if tensor.data_ptr() in seen:
            tensors[name] = tensor.clone()
        seen.add(tensor.data_ptr())
    return tensors


def _reload_from_file(worker: Any, path: str) -> None:
    """Runs in each worker."""
    worker.reload_weights(weights_iterator=_tensors_in(path))


def _tensors_in(path: str) -> Iterator[tuple[str, torch.Tensor]]:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118 - no mapping
            yield name, file.get_tensor(name)
