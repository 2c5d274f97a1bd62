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
        finished: whether it has every reply that was planned.
        questions: by key, for the pictures of flipped questions; ``None`` where they are given apart.
    """

    name: str
    table: pd.DataFrame
    metrics: Summary
    excluded: int = 0
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    questions: Mapping[str, Question] | None = field(default=None, repr=False)
    finished: bool = True

    @property
    def unfinished(self) -> str:
        """How far an unfinished run has come, as it is told: "unfinished: 256 of 392 replies"; else ""."""
        if self.finished:
            return ""
        planned = self.config.get("planned_replies")
        replies = f"{len(self.table):,}"
        return (
            f"unfinished: {replies} of {planned:,} replies"
            if planned
            else f"unfinished: {replies} replies"
        )

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
        results = read_results(path)
        planned = config.get("planned_replies")
        questions = reload_questions(config) if pictures else None
        return cls(
            config["name"], table, summarize(table), len(results.get("excluded", ())), config, questions,
            finished=bool(results) if planned is None else len(table) >= planned,
        )  # fmt: skip
