"""Arguments that several commands take."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from perl_env.errors import InputError

TaskSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="An argument of the task, such as path=/data/blink; as often as needed."
    ),
]
Split = Annotated[str, typer.Option(help="Split of the task.")]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="A row or question that cannot be used is an error."),
]
ConfigFile = Annotated[
    Path, typer.Argument(help="YAML file; its first comment says how it is run.")
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="section.key=value, as often as needed.")
]
Out = Annotated[Path, typer.Option("--out", help="Folder for everything that is written.")]


def key_values(pairs: Sequence[str] | None, option: str) -> dict[str, Any]:
    """Settings that were given as key=value; a value is read as YAML.

    Args:
        pairs: what was given.
        option: by which option, for the error.

    Raises:
        InputError: one is no such pair.

    >>> key_values(["path=/data/blink", "sub_tasks=[Jigsaw]"], "--set")
    {'path': '/data/blink', 'sub_tasks': ['Jigsaw']}
    """
    import yaml

    found: dict[str, Any] = {}
    for pair in pairs or ():
        key, equals, value = pair.partition("=")
        if not (key and equals):
            raise InputError("no setting", where=option, expected="key=value", got=repr(pair))
        try:
            found[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(
                "value is no YAML", where=f"{option} {key}", expected="key=value", got=repr(value)
            ) from error
    return found
