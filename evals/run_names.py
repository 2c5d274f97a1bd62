"""Names by which a report's runs can be told apart."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from evals.named_run import NamedRun


def distinct_runs(
    runs: Sequence[NamedRun], directories: Sequence[str | Path] = ()
) -> list[NamedRun]:
    """The runs, those of equal names told apart by their folders, else by numbers.

    Args:
        runs: in the order of the report.
        directories: the folder of each, where they have one.
    """
    names = distinct_names([run.name for run in runs], directories)
    return [
        run if run.name == name else dataclasses.replace(run, name=name)
        for run, name in zip(runs, names, strict=True)
    ]


def distinct_names(names: Sequence[str], directories: Sequence[str | Path] = ()) -> list[str]:
    """The names; those that are there more than once are followed by a folder or a number.

    >>> distinct_names(["a", "b", "a"], ["runs/1", "runs/2", "runs/3"])
    ['a (1)', 'b', 'a (3)']
    >>> distinct_names(["a", "b", "a"])
    ['a (#1)', 'b', 'a (#2)']
    """
    found = list(names)
    if directories:
        for name in _repeated(found):
            places = [i for i, each in enumerate(found) if each == name]
            folders = folder_names([directories[i] for i in places])
            for i, folder in zip(places, folders, strict=True):
                found[i] = f"{name} ({folder})"
    while repeated := _repeated(found):
        taken = set(found)
        for name in repeated:
            number = 0
            for i in [i for i, each in enumerate(found) if each == name]:
                number += 1
                while f"{name} (#{number})" in taken:
                    number += 1
                found[i] = f"{name} (#{number})"
                taken.add(found[i])
    return found


def _repeated(names: Sequence[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def folder_names(directories: Sequence[str | Path]) -> list[str]:
    """The last parts of paths, as many as tell them apart.

    >>> folder_names(["/runs/perl/training", "/runs/grpo/training"])
    ['perl/training', 'grpo/training']
    """
    paths = [Path(directory).resolve() for directory in directories]
    for length in range(1, max((len(path.parts) for path in paths), default=0) + 1):
        names = ["/".join(path.parts[-length:]) for path in paths]
        if len(set(names)) == len(set(paths)):
            return names
    return []
