"""The tasks by name, and their environments in Gymnasium's registry."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium

from perl_env.env import QuestionEnv
from perl_env.errors import InputError, nearest
from perl_env.question import Question
from perl_env.questions import QuestionSource, QuestionStream
from perl_env.tasks.mixture import MixtureQuestions, parse_mixture

_ENV_ARGUMENTS = frozenset(inspect.signature(QuestionEnv).parameters) - {"source"}


@dataclass(frozen=True)
class Task:
    """A registered task.

    Attributes:
        name: the environment's id, such as "perl/Shapes-v0".
        loader: "module:function"; called with ``split``, ``seed`` and the task's own arguments, it
            gives a ``QuestionSource``, or a ``QuestionStream`` where ``streaming`` is asked for.
            Imported on first use.
        summary: one line for lists.
    """

    name: str
    loader: str
    summary: str

    def load(self, **arguments: Any) -> QuestionSource | QuestionStream:
        """The task's questions.

        Raises:
            InputError: an argument that the task does not have, or one with an unusable value.
        """
        known = self.arguments
        for name in arguments:
            if name not in known:
                raise InputError("unknown argument", where=f"{self.name}, {name}",
                                 expected=nearest(name, [*known, *sorted(_ENV_ARGUMENTS)]), got=repr(name))  # fmt: skip
        missing = [
            name
            for name, parameter in known.items()
            if parameter.default is inspect.Parameter.empty and name not in arguments
        ]
        if missing:
            raise InputError(
                "missing argument", where=self.name, expected=", ".join(missing), got="nothing"
            )
        return self._loader()(**arguments)

    @property
    def arguments(self) -> Mapping[str, inspect.Parameter]:
        """What the loader takes, by name."""
        return inspect.signature(self._loader()).parameters

    def _loader(self) -> Callable[..., QuestionSource | QuestionStream]:
        module, function = self.loader.split(":")
        return getattr(importlib.import_module(module), function)


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("perl/Shapes-v0", "perl_env.tasks.shapes:shapes",
             "procedural pictures of shapes, a dozen kinds over every permutable order class"),
        Task("perl/Digits-v0", "perl_env.tasks.digits:digits",
             "scans of handwritten digits: which, sum, largest, order, odd one out"),
        Task(
            "perl/Mixture-v0",
            "perl_env.tasks.mixture:MixtureQuestions",
            "several tasks, each as often as its weight says (tasks={name: weight})",
        ),
        Task("perl/Folder-v0", "perl_env.tasks.folder_dataset:folder_questions",
             "your own folder: questions.jsonl and pictures, or a saved data set (path=…)"),
        Task("perl/MantisEval-v0", "perl_env.tasks.mantis_eval:mantis_eval",
             "Mantis-Eval: 217 questions over several images"),
        Task("perl/BLINK-v0", "perl_env.tasks.blink:blink",
             "BLINK: 1,901 perception questions of 14 sub-tasks, eight of them over several images"),
        Task("perl/MMIU-v0", "perl_env.tasks.mmiu:mmiu",
             "MMIU: 11,698 questions of 60 sub-tasks over up to 32 images"),
        Task("perl/MathVista-v0", "perl_env.tasks.mathvista:mathvista",
             "MathVista: 1,000 questions over one picture"),
        Task("perl/MathVerse-v0", "perl_env.tasks.mathverse:mathverse",
             "MathVerse: 788 problems in five versions, over one picture"),
        Task("perl/MathVision-v0", "perl_env.tasks.mathvision:mathvision",
             "MathVision: 3,040 competition problems over one picture"),
        Task("perl/ReMI-v0", "perl_env.tasks.remi:remi",
             "ReMI: 2,600 questions of 13 tasks over two to six images"),
        Task("perl/MVMath-v0", "perl_env.tasks.mv_math:mv_math",
             "MV-MATH: 2,009 school problems over two to eight images"),
        Task("perl/MantisInstruct-v0", "perl_env.tasks.mantis_instruct:mantis_instruct",
             "for training: five parts of Mantis-Instruct"),
        Task("perl/MMK12-v0", "perl_env.tasks.mmk12:mmk12",
             "for training: school problems over one picture"),
    )
}  # fmt: skip


def make_env(task: str, **arguments: Any) -> QuestionEnv:
    """The environment of a task; arguments go to ``QuestionEnv`` or to the task's loader by name."""
    env_arguments = {k: arguments.pop(k) for k in tuple(arguments) if k in _ENV_ARGUMENTS}
    return QuestionEnv(find_task(task).load(**arguments), **env_arguments)


def find_task(name: str) -> Task:
    """The task of this name, with or without the "perl_env:" in front.

    Raises:
        InputError: there is none; the nearest known name is told.
    """
    short = name.removeprefix("perl_env:")
    if short not in TASKS:
        raise InputError(
            "unknown task", where="task", expected=nearest(short, list(TASKS)), got=repr(name)
        )
    return TASKS[short]


def find_source_task(task: str) -> Task:
    """The registered task that loads ``task``: itself, that of folders, or that of mixtures.

    Raises:
        InputError: it is none of these.
    """
    if task.removeprefix("perl_env:") not in TASKS:
        if Path(task).is_dir():
            return TASKS["perl/Folder-v0"]
        if parse_mixture(task) is not None:
            return TASKS["perl/Mixture-v0"]
    return find_task(task)


def load_source(task: str, **arguments: Any) -> QuestionSource:
    """The question source of a registered task, a folder with ``questions.jsonl``, or a mixture.

    A mixture is written "task: weight, task: weight". A ``seed`` is passed on to the tasks that draw
    their questions.
    """
    found = find_source_task(task)
    if task.removeprefix("perl_env:") not in TASKS:
        is_folder = found.name == "perl/Folder-v0"
        arguments |= {"path": task} if is_folder else {"tasks": parse_mixture(task)}
    if "seed" not in found.arguments:
        arguments.pop("seed", None)
    source = found.load(**arguments)
    if not isinstance(source, QuestionSource):
        raise InputError("questions of unknown number", where=f"{found.name}, streaming",
                         expected="streaming=False, or iterate_questions", got=True)  # fmt: skip
    return source


def iterate_questions(task: str, **arguments: Any) -> Iterable[Question]:
    """A task's questions one after the other, in canonical order, each decoded when its turn comes.

    Of a data set they come as a stream: nothing is looked through first and nothing is kept, and
    ``account`` of what is returned says what became of the rows so far. Other tasks are gone through
    by index.

    Args:
        task: a registered name, or the path of a folder with ``questions.jsonl``.
        arguments: the task's own, ``split`` among them.

    Raises:
        InputError: as the task's loader; while it is iterated, of a row that cannot be read at all.
    """
    if task.removeprefix("perl_env:") in TASKS:
        found = find_task(task)
        if "streaming" in found.arguments:
            stream = found.load(**{"streaming": True} | arguments)
            return stream if isinstance(stream, QuestionStream) else _in_turn(stream)
    return _in_turn(load_source(task, **arguments))


def _in_turn(source: QuestionSource) -> Iterator[Question]:
    return (source[index] for index in range(len(source)))


def load_questions(
    task: str, split: str = "test", limit: int | None = None, seed: int = 0, **arguments: Any
) -> list[Question]:
    """The first questions of a task, folder or mixture, in canonical order, each once.

    Args:
        task: a registered name, the path of a folder with ``questions.jsonl``, or a mixture as
            "task: weight, task: weight".
        split: "train" or "test".
        limit: at most so many; all by default.
        seed: of a procedural task: another seed gives other questions.
        arguments: the task's own.

    Raises:
        InputError: no such task, folder or argument.

    >>> [question.kind for question in load_questions("perl/Digits-v0", limit=2)]
    ['which-image', 'sum']
    """
    if limit is not None and limit < 1:
        raise InputError("no questions asked for", where="limit", expected="at least 1", got=limit)
    source = load_source(task, split=split, seed=seed, **arguments)
    return list(first_questions(source, limit).values())


def first_questions(source: QuestionSource, limit: int | None = None) -> dict[int, Question]:
    """The first questions of a source by their index.

    A mixture draws the questions of a small task again and again; each is taken once.
    """
    found: dict[int, Question] = {}
    keys: set[str] = set()
    for index in range(len(source)):
        if limit is not None and len(found) == limit:
            break
        question = source[index]
        if isinstance(source, MixtureQuestions) and question.key in keys:
            continue
        keys.add(question.key)
        found[index] = question
    return found


def register_environments() -> None:
    """Put every task into Gymnasium's registry; done by ``import perl_env``."""
    for task in TASKS.values():
        if task.name not in gymnasium.registry:
            gymnasium.register(
                id=task.name,
                entry_point="perl_env.registration:make_env",
                kwargs={"task": task.name},
            )
