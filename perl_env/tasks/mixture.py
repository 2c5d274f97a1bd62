"""perl/Mixture-v0: questions of several tasks, each as often as its weight says."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from perl_env.errors import InputError
from perl_env.question import Question
from perl_env.questions import QuestionSource

_DEFAULT = MappingProxyType({"perl/Shapes-v0": 1.0, "perl/Digits-v0": 1.0})
_STREAM = 7  # keeps these choices apart from those that make the questions


class MixtureQuestions:
    """Questions of several tasks; ``(seed, index)`` fixes from which task each one is.

    Args:
        tasks: weight of each task, by its registered name or its folder.
        arguments: further arguments of a task, by the same name.
        split: "train" or "test", of every task.
        seed: of the choice of tasks, and of the tasks that draw their questions.
        size: how many questions there are.

    Raises:
        InputError: no task, an unknown one, or a weight that is not positive.
    """

    def __init__(
        self,
        tasks: Mapping[str, float] = _DEFAULT,
        arguments: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
        split: str = "test",
        seed: int = 0,
        size: int = 10_000,
    ):
        from perl_env.registration import load_source

        if not tasks or any(not weight > 0 for weight in tasks.values()):
            raise InputError("unusable mixture", where="tasks", expected="tasks with positive weights",
                             got=dict(tasks))  # fmt: skip
        for name in arguments:
            if name not in tasks:
                raise InputError("arguments for a task that is not mixed", where="arguments",
                                 expected=f"of {', '.join(tasks)}", got=name)  # fmt: skip
        self.sources: list[QuestionSource] = [
            load_source(name, **({"split": split, "seed": seed} | dict(arguments.get(name, {}))))
            for name in tasks
        ]
        weights = np.array(list(tasks.values()), dtype=float)
        self._cumulative = np.cumsum(weights / weights.sum())
        self.seed, self.size = seed, size
        self.max_images = max(source.max_images for source in self.sources)
        self.max_pixels = max(source.max_pixels for source in self.sources)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Question:
        if not 0 <= index < self.size:
            raise IndexError(f"no question {index}, there are {self.size}")
        where = np.random.default_rng([self.seed, _STREAM, index]).random()
        chosen = min(
            int(np.searchsorted(self._cumulative, where, side="right")), len(self.sources) - 1
        )
        source = self.sources[chosen]
        return source[index % len(source)]
