"""Text generation behind one small interface."""

from __future__ import annotations

from pathlib import Path

from agents.engines.base import Engine, Prompt, Reply, SamplingParams
from perl_env.errors import InputError

__all__ = ["KINDS", "Engine", "Prompt", "Reply", "SamplingParams", "make_engine"]

KINDS = ("transformers",)


def make_engine(path: str | Path, kind: str = "transformers", **settings) -> Engine:
    """An engine over the model in a folder.

    Args:
        path: a Hugging Face folder with model and processor.
        kind: how replies are generated, one of ``KINDS``.
        settings: the engine's own settings, such as ``device`` or ``dtype``.

    Raises:
        InputError: an unknown kind, no such model, or a model without processor.
    """
    if kind == "transformers":
        from agents.engines.transformers_engine import TransformersEngine

        return TransformersEngine.from_path(path, **settings)
    raise InputError(
        "unknown engine", where="kind", expected=f"one of {', '.join(KINDS)}", got=kind
    )
