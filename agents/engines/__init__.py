"""Text generation behind one small interface."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from agents.engines.base import Engine, Prompt, Reply, SamplingParams, TrainableEngine
from perl_env.errors import InputError, nearest

__all__ = [
    "KINDS", "WITHOUT_EFFECT", "Engine", "Prompt", "Reply", "SamplingParams", "TrainableEngine", "check_settings",
    "make_engine",
]  # fmt: skip

KINDS = ("transformers", "vllm", "openai")
#: Settings on which no reply depends: where and how fast it is made, and how it is sent.
WITHOUT_EFFECT = frozenset(
    {
        "device", "max_batch_rows", "max_images", "tensor_parallel_size", "gpu_memory_utilization",
        "cache_gib", "share_gpu", "concurrency", "timeout", "requests_per_minute", "max_retries",
        "key_variable",
    }
)  # fmt: skip


def make_engine(
    path: str | Path,
    kind: str = "transformers",
    *,
    max_images: int | None = None,
    **settings: Any,
) -> Engine:
    """An engine over the model in a folder, or behind an OpenAI-compatible address.

    Args:
        path: a Hugging Face folder with model and processor, or the address below which
            ``/chat/completions`` lies; after a ``#`` it may name the model there.
        kind: how replies are generated, one of ``KINDS``; an address is always "openai".
        max_images: most pictures of a prompt, as a task's source tells it; for engines that set
            memory aside for them.
        settings: the engine's own settings, such as ``device`` or ``dtype``.

    Raises:
        InputError: an unknown kind or setting, no such model, a model without processor, or an
            engine that is not installed.
    """
    if str(path).startswith(("http://", "https://")):
        kind = "openai"
    check_settings(kind, settings)
    maker = _maker(kind)
    if max_images is not None and "max_images" in _settings_of(maker):
        settings["max_images"] = max_images
    return maker(path, **settings)


def check_settings(kind: str, settings: Iterable[str]) -> None:
    """Raise unless an engine of this kind has these settings; needs nothing that it is made with.

    Raises:
        InputError: an unknown kind or setting; the nearest known one is told.
    """
    known = _settings_of(_maker(kind))
    for name in settings:
        if name not in (*known, "max_images"):
            raise InputError("unknown setting", where=f"engine {kind}",
                             expected=nearest(name, known), got=repr(name))  # fmt: skip


def _maker(kind: str) -> Callable[..., Engine]:
    """What makes an engine of a kind from a model's folder."""
    if kind == "transformers":
        from agents.engines.transformers_engine import TransformersEngine

        return TransformersEngine.from_path
    if kind == "vllm":
        from agents.engines.vllm_engine import VLLMEngine

        return VLLMEngine
    if kind == "openai":
        from agents.engines.openai_engine import OpenAIEngine

        return OpenAIEngine.at
    raise InputError(
        "unknown engine", where="kind", expected=f"one of {', '.join(KINDS)}", got=kind
    )


def _settings_of(maker: Callable[..., Engine]) -> list[str]:
    return [name for name in inspect.signature(maker).parameters if name != "path"]
