"""One model's run as reports show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from evals.plan import reload_questions
from evals.run_directory import read_config, read_results, read_rows
from evals.summary import Summary, summarize
from evals.table import build_table
from perl_env.errors import InputError
from perl_env.question import Question


@dataclass(frozen=True)
class NamedRun:
    """One model's run as reports show it.

    Attributes:
        name: the run's name.
        table: one row a reply, see ``evals.table.COLUMNS``.
        metrics: its summary.
        excluded: how many questions could not be asked soundly.
        config: what its run directory says of how it was made; empty where it has none.
        questions: by key, for the pictures of flipped questions; ``None`` where they are given apart.
    """

    name: str
    table: pd.DataFrame
    metrics: Summary
    excluded: int = 0
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    questions: Mapping[str, Question] | None = field(default=None, repr=False)

    @classmethod
    def load(cls, path: str | Path, pictures: bool = False) -> NamedRun:
        """The run in a run directory, finished or not.

        Args:
            path: the run directory.
            pictures: also load its questions, where they can be had again.

        Raises:
            InputError: the folder holds no run, or no reply yet.
        """
        config, rows = read_config(path), read_rows(path)
        if not rows:
            raise InputError(
                "run without replies", where=str(path), expected="at least one reply", got=0
            )
        table = build_table(rows)
        excluded = len(read_results(path).get("excluded", ()))
        questions = reload_questions(config) if pictures else None
        return cls(config["name"], table, summarize(table), excluded, config, questions)
