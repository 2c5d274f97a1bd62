"""Measures how robust a model's answers are to the order of its images.

Everything is imported on first use, so that ``import evals`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evals import metrics, statistics
    from evals.comparison import compare_panel
    from evals.harness import EvaluationResult, evaluate, run_evaluation
    from evals.report import NamedRun, write_report

__all__ = [
    "EvaluationResult",
    "NamedRun",
    "compare_panel",
    "evaluate",
    "metrics",
    "run_evaluation",
    "statistics",
    "write_report",
]

_HOMES = {
    "EvaluationResult": "evals.harness",
    "NamedRun": "evals.report",
    "compare_panel": "evals.comparison",
    "evaluate": "evals.harness",
    "run_evaluation": "evals.harness",
    "write_report": "evals.report",
}
_MODULES = ("metrics", "statistics")


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"evals.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
