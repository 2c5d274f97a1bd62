"""Text generation behind one small interface."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agents.engines.base import Engine, Prompt, Reply, SamplingParams, TrainableEngine
from perl_env.errors import InputError, nearest

__all__ = [
    "KINDS", "Engine", "Prompt", "Reply", "SamplingParams", "TrainableEngine", "make_engine",
]  # fmt: skip

KINDS = ("transformers", "vllm")


def make_engine(
    path: str | Path,
    kind: str = "transformers",
    *,
    max_images: int | None = None,
    **settings: Any,
) -> Engine:
    """An engine over the model in a folder.

    Args:
        path: a Hugging Face folder with model and processor.
        kind: how replies are generated, one of ``KINDS``.
        max_images: most pictures of a prompt, as a task's source tells it; for engines that set
            memory aside for them.
        settings: the engine's own settings, such as ``device`` or ``dtype``.

    Raises:
        InputError: an unknown kind or setting, no such model, a model without processor, or an
            engine that is not installed.
    """
    if kind == "transformers":
        from agents.engines.transformers_engine import TransformersEngine

        _check_settings(kind, settings, TransformersEngine.from_path)
        return TransformersEngine.from_path(path, **settings)
    if kind == "vllm":
        from agents.engines.vllm_engine import VLLMEngine

        _check_settings(kind, settings, VLLMEngine)
        if max_images is not None:
            settings["max_images"] = max_images
        return VLLMEngine(path, **settings)
    raise InputError(
        "unknown engine", where="kind", expected=f"one of {', '.join(KINDS)}", got=kind
    )


def _check_settings(kind: str, settings: Mapping[str, Any], made_by: Callable) -> None:
    known = [name for name in inspect.signature(made_by).parameters if name != "path"]
    for name in settings:
        if name not in known:
            raise InputError("unknown setting", where=f"engine {kind}",
                             expected=nearest(name, known), got=repr(name))  # fmt: skip
