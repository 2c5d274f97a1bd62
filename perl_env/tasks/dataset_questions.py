"""Questions of a published data set: every row is one, or is counted with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from perl_env.errors import InputError, UnsoundRewriteError, nearest
from perl_env.order_class import OrderClass
from perl_env.question import Question
from perl_env.tasks.benchmark import CONFIG, Benchmark, Draft, Reader, UnusableRowError
from perl_env.tasks.dataset_columns import with_columns
from perl_env.tasks.dataset_files import Opened, open_hub, open_local
from perl_env.tasks.dataset_pictures import check_picture, load_picture
from perl_env.tasks.folder import check_gradable, check_permutable
from perl_env.tasks.order_classes import order_class_of

SCORINGS = ("strict", "official")
#: Pixels that a stream's picture may have: what an observation space has to say without a look.
MAX_STREAM_PIXELS = 2**24
_STAND_IN = np.zeros((1, 1, 3), np.uint8)  # for pictures that have not been decoded


@dataclass(frozen=True)
class LeftOut:
    """A row that is no question.

    Attributes:
        row: its id in the data set.
        reason: what, where in the row, expected, got.
        what: the first part of the reason alone, by which rows are counted.
    """

    row: str
    reason: str
    what: str

    @property
    def place(self) -> str:
        """Where the row is, for a list."""
        return f"row {self.row}"


@dataclass
class Account:
    """What became of the rows read so far: ``loaded + len(excluded) + len(malformed) == rows``.

    Attributes:
        rows: how many were read.
        loaded: how many of them are questions.
        excluded: sound rows that are not for us: not surely permutable, not gradable.
        malformed: rows that contradict themselves, or lack something.
    """

    rows: int = 0
    loaded: int = 0
    excluded: list[LeftOut] = field(default_factory=list)
    malformed: list[LeftOut] = field(default_factory=list)


@dataclass(frozen=True)
class Entry:
    """A row that is a question: all but the pixels."""

    question: Question
    pixels: int


class RowReader:
    """Makes questions of rows and keeps account of the others.

    Args:
        benchmark: what the data set is.
        read: makes a draft of a row.
        official: whether the published prompt and scoring rule are wanted.
        strict: raise at the first malformed row.
        decode: decode every picture, instead of looking at its header and its end.
        max_pixels: a row with a larger picture is excluded.
    """

    def __init__(self, benchmark: Benchmark, read: Reader, official: bool, strict: bool,
                 decode: bool, max_pixels: int | None = None):  # fmt: skip
        self.benchmark, self.read, self.official = benchmark, read, official
        self.strict, self.decode, self.max_pixels = strict, decode, max_pixels
        self.account = Account()
        self._keys: set[str] = set()

    def entry(self, row: Any, number: int, source: Opened) -> Entry | None:
        """The next row's question, or ``None`` where it is none."""
        row = as_row(row, source)
        name = self._name(row, number)
        self.account.rows += 1
        try:
            entry = self._entry(row, name, source)
        except (UnusableRowError, UnsoundRewriteError) as error:
            self.account.excluded.append(LeftOut(name, str(error), error.what))
            return None
        except InputError as error:
            if self.strict:
                where = f"{self.benchmark.task}, row {name}"
                raise InputError(error.what, where=f"{where}, {error.where}" if error.where else where,
                                 expected=error.expected, got=error.got) from error  # fmt: skip
            self.account.malformed.append(LeftOut(name, str(error), error.what))
            return None
        self.account.loaded += 1
        return entry

    def _name(self, row: Any, number: int) -> str:
        """The row's id; with its number where it has none or is not the first of that id."""
        column = self.benchmark.id_column
        name = f"row-{number}" if column is None or row[column] in (None, "") else str(row[column])
        if name in self._keys:
            name = f"{name}-row-{number}"
        self._keys.add(name)
        return name

    def _entry(self, row: Any, name: str, source: Opened) -> Entry:
        draft = self.read(row, self.official)
        pixels = [
            check_picture(picture, source, f"picture {number}", self.decode)
            for number, picture in enumerate(draft.pictures, start=1)
        ]
        question = self._question(draft, self._order_class(draft, row, name), name)
        check_gradable(replace(question, scoring="strict"), "row", UnusableRowError)
        check_permutable(question)
        if self.max_pixels is not None and max(pixels) > self.max_pixels:
            raise UnusableRowError("picture is too large for a stream", expected=f"at most {self.max_pixels:,} pixels",
                                   got=f"{max(pixels):,}")  # fmt: skip
        return Entry(question, max(pixels))

    def _order_class(self, draft: Draft, row: Any, name: str) -> OrderClass:
        """The declared class, else the one that the plain question speaks for.

        What a published prompt says around a question does not change what an order does to it.
        """
        if draft.order_class is not None:
            return draft.order_class
        plain = self.read(row, False) if self.official else draft
        return order_class_of(self._question(plain, OrderClass.LAYOUT, name))

    def _question(self, draft: Draft, order_class: OrderClass, name: str) -> Question:
        values = {name: getattr(draft, name) for name in _SHARED}
        values["facts"] = tuple((n, _as_text(v)) for n, v in draft.facts.items())
        if self.official and self.benchmark.rule:
            values["scoring"] = self.benchmark.rule
        pictures = (_STAND_IN,) * len(draft.pictures)
        return Question(pictures, key=name, order_class=order_class, **values)


_SHARED = (
    "text", "answer", "options", "pinned", "option_slots", "index_list", "index_base", "kind", "instruction",
)  # fmt: skip


def _as_text(value: Any) -> str:
    return "" if value is None else str(value)


def as_row(row: Any, source: Opened) -> dict[str, Any]:
    """A row as loaders read it: its columns, and the configuration that it is of."""
    return {**row, CONFIG: source.config}


class DatasetQuestions:
    """The questions of a split of a published data set.

    Rows stay where ``datasets`` keeps them, on disk; a question's pictures are decoded when it is
    asked for. At load each row is read, its pictures' headers and ends are looked at, and it is tried
    in other orders. Damage inside a picture that looks whole is found when the question is asked for,
    an ``InputError`` that names the row; with ``decode`` it is found at load.

    Attributes:
        rows: how many rows there are: ``len(self) + len(self.excluded) + len(self.malformed)``.
        excluded: sound rows that are no questions for us, each with its id and reason.
        malformed: rows that contradict themselves, each with its id and reason.
        max_images: the largest number of images in a question.
        max_pixels: the largest number of pixels in a picture.

    Raises:
        InputError: no question is left, or ``strict`` and a malformed row.
    """

    def __init__(self, parts: Sequence[Opened], reader: RowReader):
        self.benchmark = reader.benchmark
        self._parts, self._read, self._official = tuple(parts), reader.read, reader.official
        self._places: list[tuple[int, int]] = []
        self._entries: list[Entry] = []
        for number, part in enumerate(parts):
            for index, row in part.numbered():
                if (entry := reader.entry(row, index, part)) is not None:
                    self._places.append((number, index))
                    self._entries.append(entry)
        self.excluded = tuple(reader.account.excluded)
        self.malformed = tuple(reader.account.malformed)
        self.rows = reader.account.rows
        if not self._entries:
            raise _nothing_left(self.benchmark, reader.account, parts)
        self.max_images = max(len(entry.question.images) for entry in self._entries)
        self.max_pixels = max(entry.pixels for entry in self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> Question:
        question = self._entries[index].question
        part, row = self._places[index]
        opened = self._parts[part]
        draft = self._read(as_row(opened.rows[row], opened), self._official)
        return with_pictures(question, draft, self.benchmark, opened)

    def __iter__(self) -> Iterator[Question]:
        return (self[index] for index in range(len(self)))

    def outlines(self) -> Iterator[Question]:
        """The questions with blank pictures of one pixel, for statistics: nothing is decoded."""
        return (entry.question for entry in self._entries)

    @property
    def excluded_counts(self) -> Counter[str]:
        """How many sound rows were left out, by the reason."""
        return Counter(row.what for row in self.excluded)

    @property
    def malformed_counts(self) -> Counter[str]:
        """How many rows are malformed, by what is wrong."""
        return Counter(row.what for row in self.malformed)


class DatasetStream:
    """The questions of a split one after the other; how many there are is not known before the end.

    Each iteration starts at the first row. Nothing is kept but the account, so the data may be larger
    than the machine's disk.

    Attributes:
        account: what became of the rows of the newest iteration so far.
        max_images: the most images that a row of the data set has, by its authors' account.
        max_pixels: the most pixels of a picture; rows with larger ones are excluded.
    """

    max_pixels = MAX_STREAM_PIXELS

    def __init__(self, parts: Sequence[Opened], reader: RowReader):
        self.benchmark = reader.benchmark
        self.max_images = reader.benchmark.max_images
        self._parts = tuple(parts)
        self._arguments = (reader.benchmark, reader.read, reader.official, reader.strict, reader.decode)  # fmt: skip
        self.account = Account()

    def __iter__(self) -> Iterator[Question]:
        reader = RowReader(*self._arguments, max_pixels=self.max_pixels)
        self.account = reader.account
        for part in self._parts:
            for number, row in part.numbered():
                entry = reader.entry(row, number, part)
                if entry is None:
                    continue
                if len(entry.question.images) > self.max_images:
                    raise InputError(
                        "more images than the data set is said to have",
                        where=f"{self.benchmark.task}, {entry.question.key}",
                        expected=f"at most {self.max_images}", got=len(entry.question.images),
                    )  # fmt: skip
                draft = reader.read(as_row(row, part), reader.official)
                yield with_pictures(entry.question, draft, self.benchmark, part)
        if not reader.account.loaded:
            raise _nothing_left(self.benchmark, reader.account, self._parts)


def with_pictures(
    question: Question, draft: Draft, benchmark: Benchmark, source: Opened
) -> Question:
    """The question of a row with its pictures decoded."""
    where = f"{benchmark.task}, row {question.key}"
    images = tuple(
        load_picture(picture, source, f"{where}, picture {number}")
        for number, picture in enumerate(draft.pictures, start=1)
    )
    return replace(question, images=images)


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
            opened = open_local(local, config, split, streaming)
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


def _nothing_left(benchmark: Benchmark, account: Account, parts: Sequence[Opened]) -> InputError:
    first = next(iter([*account.malformed, *account.excluded]), None)
    got = "no rows" if first is None else (
        f"{len(account.malformed)} malformed and {len(account.excluded)} excluded rows; "
        f"{first.place}: {first.reason}"
    )  # fmt: skip
    return InputError(f"no usable question of {benchmark.task}", where=parts[0].where if parts else "",
                      expected="at least one", got=got)  # fmt: skip
