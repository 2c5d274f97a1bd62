"""Opening a published data set: a hub id with its revision, or a local copy of the same schema."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perl_env.errors import InputError, shorten

_READ = (".parquet", ".json", ".jsonl")


@dataclass(frozen=True)
class Opened:
    """Rows that can be read.

    Attributes:
        rows: a ``datasets.Dataset``, or an ``IterableDataset`` where a stream was asked for.
        where: names the data in error messages.
        folder: that in which pictures may lie, where there is one.
        below: the folders in it to which the paths of pictures may be relative.
        config: the configuration that the rows are of, where there are several.
        wanted: the rows that are meant: values of a column, or of a "record.field"; none for all.
    """

    rows: Any
    where: str
    folder: Path | None
    below: tuple[str, ...] = ("",)
    config: str | None = None
    wanted: tuple[str, frozenset[str]] | None = None

    def numbered(self) -> Iterator[tuple[int, Any]]:
        """The rows that are meant, each with its number among all."""
        if self.wanted is None:
            yield from enumerate(self.rows)
            return
        column, values = self.wanted
        name, _, inner = column.partition(".")

        def is_wanted(value: Any) -> bool:
            return ((value or {}).get(inner) if inner else value) in values

        if hasattr(self.rows, "select"):  # pictures of other rows are not even read
            numbers = [i for i, value in enumerate(self.rows[name]) if is_wanted(value)]
            yield from zip(numbers, self.rows.select(numbers), strict=True)
            return
        yield from ((i, row) for i, row in enumerate(self.rows) if is_wanted(row[name]))


def open_hub(
    hub_id: str,
    config: str | None,
    split: str,
    revision: str,
    files: Sequence[str],
    streaming: bool,
) -> Opened:
    """A data set of the Hugging Face hub, from the network or from what was fetched before.

    Args:
        hub_id: "owner/name".
        config: one of its configurations, or ``None`` for its only one.
        split: as the hub names it.
        revision: a commit, tag or branch.
        files: where pictures are files beside the rows, the patterns of all files that are needed, with
            "{config}".
        streaming: rows one after the other; not where pictures are files.

    Raises:
        InputError: it cannot be had.
    """
    where = f"{hub_id}{f' ({config})' if config else ''}, split {split!r}, revision {revision!r}"
    try:
        if files:
            from huggingface_hub import snapshot_download

            folder = Path(
                snapshot_download(hub_id, repo_type="dataset", revision=revision, allow_patterns=[pattern.format(config=config) for pattern in files])
            )  # fmt: skip
        else:
            from datasets import load_dataset

            rows = load_dataset(hub_id, config, split=split, revision=revision, streaming=streaming)
            return Opened(rows, where, None)
    except Exception as error:  # a dozen kinds: no network, offline mode, no such id, gated …
        raise InputError(
            "data set cannot be fetched from the hub", where=where,
            expected="path=… of a local copy, or a network"
            + (" (HF_HUB_OFFLINE is set; HF_HUB_OFFLINE=0 lets it be fetched)" if os.environ.get("HF_HUB_OFFLINE") else ""),
            got=f"{type(error).__name__}: {shorten(error, 80)}",
        ) from error  # fmt: skip
    return open_local(folder, config, split, streaming, hub_id)


def open_local(
    path: Path, config: str | None, split: str, streaming: bool, hub_id: str = ""
) -> Opened:
    """A local copy: a parquet or JSON file, a folder of such files, or what ``save_to_disk`` wrote.

    Of several files those are taken that lie in a folder of the configuration's name, where there is
    one, and whose name starts with the split's, or is the data set's own.

    Raises:
        InputError: no such path, no file that could be meant, several splits, or unreadable data.
    """
    if not path.exists():
        raise InputError("no such file or folder", where=str(path),
                         expected="a parquet or JSON file, or a folder of them", got="nothing")  # fmt: skip
    if path.is_file():
        return Opened(_read_files([path], streaming), str(path), path.parent)
    if config is not None and (path / config).is_dir():
        return Opened(
            _open_folder(path / config, split, streaming, hub_id), f"{path}/{config}", path
        )
    return Opened(_open_folder(path, split, streaming, hub_id), str(path), path)


def _open_folder(path: Path, split: str, streaming: bool, hub_id: str) -> Any:
    if (path / "dataset_dict.json").is_file() or (path / "state.json").is_file():
        return _from_disk(path, split, streaming)
    return _read_files(_files_of_split(path, split, hub_id.rpartition("/")[2]), streaming)


def _from_disk(path: Path, split: str, streaming: bool) -> Any:
    from datasets import DatasetDict, load_from_disk

    try:
        found = load_from_disk(str(path))
    except Exception as error:
        raise _unreadable(path, error) from error
    if isinstance(found, DatasetDict):
        if split not in found:
            raise InputError(
                "no such split", where=str(path), expected=repr(split), got=", ".join(found)
            )
        found = found[split]
    return found.to_iterable_dataset() if streaming else found


def _files_of_split(path: Path, split: str, name: str) -> list[Path]:
    files = sorted(file for file in path.rglob("*") if file.suffix in _READ and file.is_file())
    parquet = [file for file in files if file.suffix == ".parquet"]
    files = parquet or files
    if len(files) == 1:
        return files
    of_split = [
        file
        for file in files
        if split in (file.stem, file.parent.name)
        or file.name.startswith(f"{split}-")
        or file.stem == name  # beside it, its parts: MV-MATH.json, MV-MATH-choice.json …
    ]
    # A data set's pieces lie side by side; files of two folders would be two data sets.
    if not of_split or len({file.parent for file in of_split}) > 1:
        raise InputError(
            "no files of the split" if not of_split else "files of several data sets",
            where=str(path), expected=f"parquet or JSON files named {split}-…, or one such file",
            got=", ".join(str(file.relative_to(path)) for file in files) or "no such file",
        )  # fmt: skip
    return of_split


def _read_files(files: Sequence[Path], streaming: bool) -> Any:
    if any(file.suffix not in _READ for file in files):
        raise InputError("file of an unknown kind", where=str(files[0]),
                         expected=f"one of {', '.join(_READ)}", got=files[0].suffix or "no suffix")  # fmt: skip
    try:
        if files[0].suffix == ".parquet":
            from datasets import load_dataset

            names = [str(file) for file in files]
            rows = load_dataset("parquet", data_files=names, split="train", streaming=streaming)
            if streaming:
                next(iter(rows.take(1)), None)  # a stream opens its file only when it is read
            return rows
        return _read_json(files, streaming)
    except InputError:
        raise
    except Exception as error:  # whatever a reader meets in a damaged file
        raise _unreadable(files[0], error) from error


def _read_json(files: Sequence[Path], streaming: bool) -> Any:
    """Rows of JSON files: each a list of objects, or one object a line."""
    from datasets import Dataset

    found: list[Any] = []
    for file in files:
        text = file.read_text(encoding="utf-8-sig")
        if file.suffix == ".jsonl":
            found += [json.loads(line) for line in text.splitlines() if line.strip()]
        else:
            content = json.loads(text)
            found += content if isinstance(content, list) else [content]
    if not all(isinstance(row, dict) for row in found):
        raise InputError("file holds no rows", where=str(files[0]), expected="a list of JSON objects",
                         got=shorten(found[:1]))  # fmt: skip
    _check_types(found, files[0])
    rows = Dataset.from_list(found)
    return rows.to_iterable_dataset() if streaming else rows


#: What JSON calls the types of Python; a whole number may stand among others.
_JSON_TYPES = {str: "text", bool: "true or false", int: "a number", float: "a number",
               list: "a list", dict: "an object"}  # fmt: skip


def _check_types(rows: Sequence[dict[str, Any]], file: Path) -> None:
    """A column of a table has one type, which JSON does not ask for.

    Raises:
        InputError: it has several; names the row that differs from those before it.
    """
    first: dict[str, str] = {}
    for number, row in enumerate(rows):
        for column, value in row.items():
            if value is None:
                continue
            got = _JSON_TYPES[type(value)]
            if first.setdefault(column, got) != got:
                raise InputError("column has several types", where=f"{file}, row {number}, column {column!r}",
                                 expected=f"{first[column]}, as in the rows before",
                                 got=f"{got}: {shorten(value)}")  # fmt: skip


def _unreadable(path: Path, error: Exception) -> InputError:
    cause = error.__cause__ or error
    return InputError("data cannot be read", where=str(path), expected="an undamaged file",
                      got=f"{type(cause).__name__}: {cause}")  # fmt: skip
