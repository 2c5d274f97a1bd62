"""perl/Mixture-v0: questions of several tasks, each as often as its weight says."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from perl_env.argument_checks import check_whole, is_number
from perl_env.errors import InputError
from perl_env.question import Question
from perl_env.questions import QuestionSource

_DEFAULT = MappingProxyType({"perl/Shapes-v0": 1.0, "perl/Digits-v0": 1.0})
_STREAM = 7  # keeps these choices apart from those that make the questions
_WEIGHTED = re.compile(r"(.+?)\s*:\s*([0-9]+\.?[0-9]*|\.[0-9]+)")


def parse_mixture(text: str) -> dict[str, float] | None:
    """The weights of a mixture written as "task: weight, task: weight"; ``None`` for another text.

    Raises:
        InputError: one of its parts has no weight, or two name one task.

    >>> parse_mixture("perl/MantisInstruct-v0: 22, perl/MMK12-v0: 36")
    {'perl/MantisInstruct-v0': 22.0, 'perl/MMK12-v0': 36.0}
    >>> parse_mixture("perl_env:perl/Shapes-v0") is None
    True
    """
    parts = [part.strip() for part in text.split(",")]
    found = [_WEIGHTED.fullmatch(part) for part in parts]
    if not any(found) or Path(text).is_dir():
        return None
    weights: dict[str, float] = {}
    for part, match in zip(parts, found, strict=True):
        if match is None or match.group(1) in weights:
            what = "part of a mixture without a weight" if match is None else "task mixed twice"
            raise InputError(what, where=f"task, {text!r}", expected="task: weight, task: weight",
                             got=repr(part))  # fmt: skip
        weights[match.group(1)] = float(match.group(2))
    return weights


def _weights(tasks: object) -> Mapping[str, float]:
    """The weight of each task, also where the mixture is written as text.

    Raises:
        InputError: this is no mixture, or a weight is not positive.
    """
    weights = parse_mixture(tasks) if isinstance(tasks, str) else tasks
    if (
        not isinstance(weights, Mapping)
        or not weights
        or not all(
            isinstance(name, str) and is_number(weight) and weight > 0
            for name, weight in weights.items()
        )
    ):
        raise InputError("unusable mixture", where="tasks",
                         expected="tasks with positive weights, {task: weight} or \"task: weight, task: weight\"",
                         got=repr(tasks))  # fmt: skip
    return weights


class MixtureQuestions:
    """Questions of several tasks; ``(seed, index)`` fixes from which task each one is.

    A question's key is preceded by its task, since tasks may use the same keys. A task of few questions
    gives the same one for several indices.

    Args:
        tasks: weight of each task, by its registered name or its folder; or the same as text,
            "task: weight, task: weight".
        arguments: further arguments of a task, by the same name.
        split: "train" or "test", of every task.
        scoring: of those tasks that have a published scoring rule; ``None`` for each one's default.
        seed: of the choice of tasks, and of the tasks that draw their questions.
        size: how many questions there are.

    Raises:
        InputError: no task, an unknown one, or a weight that is not positive.
    """

    def __init__(
        self,
        tasks: Mapping[str, float] | str = _DEFAULT,
        arguments: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
        split: str = "test",
        seed: int = 0,
        size: int = 10_000,
        scoring: str | None = None,
    ):
        from perl_env.registration import find_source_task, load_source

        tasks = _weights(tasks)
        check_whole(seed, "seed", 0)
        check_whole(size, "size", 1)
        for name in arguments:
            if name not in tasks:
                raise InputError("arguments for a task that is not mixed", where="arguments",
                                 expected=f"of {', '.join(tasks)}", got=name)  # fmt: skip
        common = {"split": split, "seed": seed}
        self.tasks = tuple(tasks)
        self.sources: list[QuestionSource] = []
        for name in tasks:
            has_rule = scoring is not None and "scoring" in find_source_task(name).arguments
            given = (
                common | ({"scoring": scoring} if has_rule else {}) | dict(arguments.get(name, {}))
            )
            self.sources.append(load_source(name, **given))
        weights = np.array(list(tasks.values()), dtype=float)
        self._cumulative = np.cumsum(weights / weights.sum())
        self.seed, self.size = seed, size
        self.max_images = max(source.max_images for source in self.sources)
        self.max_pixels = max(source.max_pixels for source in self.sources)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Question:
        chosen = self._chosen(index)
        question = self.sources[chosen][index % len(self.sources[chosen])]
        return dataclasses.replace(question, key=f"{self.tasks[chosen]}/{question.key}")

    def task_of(self, index: int) -> str:
        """The task that the question at ``index`` is from, as it was named."""
        return self.tasks[self._chosen(index)]

    @property
    def excluded(self) -> tuple[Any, ...]:
        """The rows that the tasks left out, each with its task before its reason."""
        return self._left_out("excluded")

    @property
    def malformed(self) -> tuple[Any, ...]:
        """The rows of the tasks that contradict themselves, likewise."""
        return self._left_out("malformed")

    def _left_out(self, how: str) -> tuple[Any, ...]:
        return tuple(
            dataclasses.replace(row, reason=f"{task}: {row.reason}")
            for task, source in zip(self.tasks, self.sources, strict=True)
            for row in getattr(source, how, ())
        )

    @property
    def excluded_counts(self) -> Counter[str]:
        """How many rows were left out, by what was wrong."""
        return self._counts("excluded_counts")

    @property
    def malformed_counts(self) -> Counter[str]:
        """How many rows are malformed, by what is wrong."""
        return self._counts("malformed_counts")

    def _counts(self, name: str) -> Counter[str]:
        counts = (getattr(source, name, {}) for source in self.sources)
        return sum(map(Counter, counts), Counter())

    def _chosen(self, index: int) -> int:
        if not 0 <= index < self.size:
            raise IndexError(f"no question {index}, there are {self.size}")
        where = np.random.default_rng([self.seed, _STREAM, index]).random()
        return min(
            int(np.searchsorted(self._cumulative, where, side="right")), len(self.sources) - 1
        )
