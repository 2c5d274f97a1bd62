"""Our questions as tasks of lm-eval, every question in several orders of its images (see docs/lm_eval.md).

The folder holds one YAML a task, found with ``lm_eval --include_path "$(perl-env tasks-path)"``.
"""

from __future__ import annotations

from pathlib import Path

#: What lm-eval's ``--include_path`` wants.
TASKS_PATH = Path(__file__).parent
