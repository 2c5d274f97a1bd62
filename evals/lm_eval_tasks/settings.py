"""What a user of lm-eval sets about a task, and where its data lie."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perl_env.errors import InputError
from perl_env.questions import QuestionSource
from perl_env.registration import find_task, load_source

#: A folder with one folder for each task, such as ``perl_blink``.
DATA_VARIABLE = "PERL_DATA"


@dataclass(frozen=True)
class Settings:
    """A task's settings, from its YAML and lm-eval's ``--metadata``.

    lm-eval puts the model's arguments among the metadata, so no setting bears the name of one: the
    seed is ``perl_seed``, since ``seed`` is vLLM's.

    Attributes:
        orders: in how many orders a question is asked at most, the canonical one first.
        repeats: how often each order is asked; 2 or more give the noise floor.
        perl_seed: of the orders, and of the questions where they are drawn.
        split: of the task's questions.
        path: where the task's data lie.
        paths: the same by the names of the tasks, for several of them.
        scoring: the rule by which a benchmark's replies are graded; its loader's own by default.
        instruction: the last line of every prompt, where it is not the default one.
    """

    orders: int = 6
    repeats: int = 1
    perl_seed: int = 0
    split: str = "test"
    path: str | None = None
    paths: Mapping[str, str] | None = None
    scoring: str | None = None
    instruction: str | None = None

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> Settings:
        """The settings among a task's metadata.

        Raises:
            InputError: a setting of the wrong type, too few orders or repeats.
        """
        settings = cls(**{name: metadata[name] for name in cls.__annotations__ if name in metadata})
        for name in ("orders", "repeats", "perl_seed"):
            least, value = int(name != "perl_seed"), getattr(settings, name)
            if type(value) is not int or value < least:
                raise InputError("unusable setting", where=f"metadata, {name}",
                                 expected=f"a whole number of at least {least}", got=repr(value))  # fmt: skip
        if not isinstance(settings.paths or {}, Mapping):
            raise InputError("unusable setting", where="metadata, paths",
                             expected='{"perl_blink": "a folder", …}', got=repr(settings.paths))  # fmt: skip
        return settings


def load_documents(
    name: str, task: str, settings: Settings, arguments: Mapping[str, Any]
) -> QuestionSource:
    """The questions of a task of lm-eval.

    Args:
        name: the task's name in lm-eval, by which its data are found.
        task: the registered task that it asks.
        settings: see there.
        arguments: the loader's further ones, from the task's YAML.

    Raises:
        InputError: no such task, data or argument.
    """
    takes = find_task(task).arguments
    arguments = dict(arguments) | {"split": settings.split, "seed": settings.perl_seed}
    if settings.scoring is not None and "scoring" in takes:
        arguments["scoring"] = settings.scoring
    if "path" in takes:
        path = data_path(name, settings)
        if path is not None:
            arguments["path"] = path
        elif takes["path"].default is inspect.Parameter.empty:
            raise InputError("no data", where=name, expected=_ways(name), got="none of them")
    return load_source(task, **arguments)


def data_path(name: str, settings: Settings) -> str | None:
    """Where a task's data lie: its own of ``paths``, ``path``, or its folder below ``PERL_DATA``.

    Raises:
        InputError: there is nothing at a path that was given.
    """
    given = (settings.paths or {}).get(name, settings.path)
    if given is None:
        root = os.environ.get(DATA_VARIABLE)
        folder = Path(root) / name if root else None
        return str(folder) if folder is not None and folder.exists() else None
    if not Path(given).exists():
        raise InputError("no data", where=name, expected=_ways(name), got=f"nothing at {given}")
    return str(given)


def _ways(name: str) -> str:
    return f"""--metadata '{{"paths": {{"{name}": "FOLDER"}}}}' or a folder {name} below ${DATA_VARIABLE}"""
