"""The prepared questions as a ``datasets`` folder, pictures embedded."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from perl_env.question import Question
from perl_env.tasks.folder_dataset import as_columns, features

FOLDER = "dataset"


def write_dataset(
    keys: Sequence[str],
    load: Callable[[str], Question],
    accuracies: Mapping[str, float],
    path: Path,
    split: str,
    mark: str,
) -> None:
    """Write the questions; the folder is there in whole or not at all.

    Args:
        keys: of the questions; where there are none, an older folder goes.
        load: gives a question by its key.
        accuracies: what was measured, for the column ``accuracy``.
        path: the folder; an older one is replaced.
        split: that the rows name.
        mark: what tells these questions from others.
    """
    from datasets import Dataset, Value

    unfinished, old = path.with_name(path.name + ".new"), path.with_name(path.name + ".old")
    for left in (unfinished, old):
        shutil.rmtree(left, ignore_errors=True)
    if not keys:
        shutil.rmtree(path, ignore_errors=True)
        return
    columns = features()
    columns["accuracy"] = Value("float64")

    def rows() -> Iterator[dict[str, Any]]:
        for key in keys:
            yield as_columns(load(key), split) | {"accuracy": accuracies.get(key)}

    scratch = unfinished / "scratch"
    with _no_progress_bars():
        data = Dataset.from_generator(
            rows, features=columns, cache_dir=str(scratch), fingerprint=mark, split=split
        )
        data.save_to_disk(str(unfinished))
        del data
    shutil.rmtree(scratch, ignore_errors=True)
    if path.exists():
        os.replace(path, old)
    os.replace(unfinished, path)
    shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def _no_progress_bars() -> Iterator[None]:
    """Ours tell how far it is."""
    from datasets import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    if are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()
