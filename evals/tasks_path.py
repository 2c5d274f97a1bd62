"""The subcommand ``perl-env tasks-path``."""

from __future__ import annotations

from evals.lm_eval_tasks import TASKS_PATH


def tasks_path() -> None:
    """Print the folder of the lm-eval tasks, for ``lm_eval --include_path``."""
    print(TASKS_PATH)
