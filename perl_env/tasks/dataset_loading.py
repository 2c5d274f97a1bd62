"""A loader's arguments, and the rows that they ask for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from perl_env.errors import InputError, nearest
from perl_env.tasks.benchmark import Benchmark, Reader
from perl_env.tasks.dataset_columns import with_columns
from perl_env.tasks.dataset_files import Opened, open_hub, open_local
from perl_env.tasks.dataset_questions import DatasetQuestions, DatasetStream
from perl_env.tasks.dataset_reader import RowReader

SCORINGS = ("strict", "official")


def load_benchmark(
    benchmark: Benchmark,
    read: Reader,
    *,
    path: str | Path | None,
    split: str,
    revision: str | None = None,
    sub_tasks: Sequence[str] = (),
    scoring: str = "strict",
    streaming: bool = False,
    strict: bool = False,
    decode: bool = False,
) -> DatasetQuestions | DatasetStream:
    """The questions of a published data set.

    Args:
        benchmark: which one.
        read: makes a draft of a row.
        path: a local copy: a parquet or JSON file, a folder of them, or what ``save_to_disk`` wrote.
            ``None`` takes the hub's.
        split: "test" is the one that papers report; the hub's own names will do, too.
        revision: of the hub; by default the declared one.
        sub_tasks: only these; all by default.
        scoring: "strict" for our prompt and grading, "official" for the published ones.
        streaming: one question after the other, for sources too large to look through first.
        strict: raise at the first malformed row, instead of counting it.
        decode: decode every picture at load, instead of looking at its header and end.

    Raises:
        InputError: an unknown split, sub-task or scoring, data that cannot be had, columns that are
            missing or of another type, no question left.
    """
    if scoring not in SCORINGS:
        raise InputError("unknown scoring", where=f"{benchmark.task}, scoring",
                         expected=f"one of {', '.join(SCORINGS)}", got=repr(scoring))  # fmt: skip
    if split not in (*benchmark.splits, *benchmark.splits.values()):
        raise InputError("unknown split", where=f"{benchmark.task}, split",
                         expected=", ".join(f"{ours!r} (the hub's {hub!r})" for ours, hub in benchmark.splits.items()),
                         got=repr(split))  # fmt: skip
    if isinstance(sub_tasks, str):
        sub_tasks = (sub_tasks,)
    for name in sub_tasks:
        if name not in benchmark.sub_tasks:
            raise InputError("unknown sub-task", where=f"{benchmark.task}, sub_tasks",
                             expected=nearest(name, benchmark.sub_tasks), got=repr(name))  # fmt: skip
    reader = RowReader(benchmark, read, scoring == "official", strict, decode)
    parts = open_parts(benchmark, path, benchmark.splits.get(split, split), revision, sub_tasks, streaming)  # fmt: skip
    return DatasetStream(parts, reader) if streaming else DatasetQuestions(parts, reader)


Loader = Callable[..., DatasetQuestions | DatasetStream]


def loader(benchmark: Benchmark, read: Reader) -> Loader:
    """The function that loads a data set; its arguments are those of ``load_benchmark``.

    A data set without a published scoring rule has no argument ``scoring``.
    """

    def load(
        path: str | Path | None = None,
        split: str = next(iter(benchmark.splits)),
        revision: str | None = None,
        sub_tasks: Sequence[str] = (),
        scoring: str = "strict",
        streaming: bool = False,
        strict: bool = False,
        decode: bool = False,
    ) -> DatasetQuestions | DatasetStream:
        return load_benchmark(
            benchmark, read, path=path, split=split, revision=revision, sub_tasks=sub_tasks,
            scoring=scoring, streaming=streaming, strict=strict, decode=decode,
        )  # fmt: skip

    def load_strictly(
        path: str | Path | None = None,
        split: str = next(iter(benchmark.splits)),
        revision: str | None = None,
        sub_tasks: Sequence[str] = (),
        streaming: bool = False,
        strict: bool = False,
        decode: bool = False,
    ) -> DatasetQuestions | DatasetStream:
        return load(path, split, revision, sub_tasks, "strict", streaming, strict, decode)

    chosen: Loader = load if benchmark.rule else load_strictly
    chosen.__doc__ = (
        f"The questions of {benchmark.hub_id}; for the arguments see ``load_benchmark``."
    )
    return chosen


def open_parts(
    benchmark: Benchmark, path: str | Path | None, split: str, revision: str | None,
    sub_tasks: Sequence[str], streaming: bool,
) -> list[Opened]:  # fmt: skip
    """The rows that are asked for, a part for each configuration that is read, columns checked."""
    local = None if path is None else Path(path)
    configs = benchmark.configs
    if set(configs) <= set(benchmark.sub_tasks) and sub_tasks:
        configs = tuple(config for config in configs if config in sub_tasks)
    if local is not None and not any(
        (local / str(config)).is_dir() for config in benchmark.configs
    ):
        configs = (None,)  # one file or folder for all
    parts = []
    for config in configs:
        if local is None:
            opened = open_hub(
                benchmark.hub_id, config, split, revision or benchmark.revision, benchmark.files, streaming
            )  # fmt: skip
        else:
            if config is not None and not (local / config).is_dir():
                raise InputError("no folder of a sub-task", where=f"{local}, {config}",
                                 expected="a folder, or sub_tasks=… without it", got="nothing")  # fmt: skip
            opened = open_local(local, config, split, streaming, benchmark.hub_id)
        rows = with_columns(opened.rows, benchmark.columns, opened.where)
        column = benchmark.sub_task_column
        wanted = (
            (column, frozenset(sub_tasks))
            if sub_tasks and column and config not in sub_tasks
            else None
        )
        below = tuple(
            b.format(config=config or "", split=split).strip("/") for b in benchmark.picture_folders
        )
        parts.append(replace(opened, rows=rows, below=below, config=config, wanted=wanted))
    return parts
