"""What answers questions and learns: engines, and GRPO over groups of orders as an RLlib algorithm.

Everything is imported on first use, so that ``import agents`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents.engines import make_engine
    from agents.grpo import GRPO, GRPOConfig

__all__ = ["GRPO", "GRPOConfig", "make_engine"]

_HOMES = {"GRPO": "agents.grpo", "GRPOConfig": "agents.grpo", "make_engine": "agents.engines"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
