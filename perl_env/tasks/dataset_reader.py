"""Making questions of a data set's rows, and keeping account of those that are none."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from perl_env.errors import InputError, UnsoundRewriteError
from perl_env.order_class import OrderClass
from perl_env.question import Question
from perl_env.tasks.benchmark import CONFIG, Benchmark, Draft, Reader, UnusableRowError
from perl_env.tasks.dataset_files import Opened
from perl_env.tasks.dataset_pictures import check_picture
from perl_env.tasks.folder import check_gradable, check_permutable
from perl_env.tasks.order_classes import order_class_of

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
        return self.row if self.row.startswith("row-") else f"row {self.row}"


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
