"""Running on a machine that has torch and transformers, but not what the environments need."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path


def without_environments() -> None:
    """Let parts of ``perl_env`` be imported one by one where gymnasium or Pillow are missing.

    Importing the package itself registers its environments, for which both are needed.
    """
    missing = [name for name in ("gymnasium", "PIL") if importlib.util.find_spec(name) is None]
    if missing and "perl_env" not in sys.modules:
        package = types.ModuleType("perl_env")
        package.__path__ = [str(Path(__file__).parents[1] / "perl_env")]
        sys.modules["perl_env"] = package
