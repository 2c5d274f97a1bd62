"""Questions of a published data set, by index or one after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from perl_env.errors import InputError
from perl_env.question import Question
from perl_env.tasks.benchmark import Benchmark, Draft
from perl_env.tasks.dataset_files import Opened
from perl_env.tasks.dataset_pictures import load_picture
from perl_env.tasks.dataset_reader import Account, Entry, RowReader, as_row

#: Pixels that a stream's picture may have: what an observation space has to say without a look.
MAX_STREAM_PIXELS = 2**24


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


def _nothing_left(benchmark: Benchmark, account: Account, parts: Sequence[Opened]) -> InputError:
    first = next(iter([*account.malformed, *account.excluded]), None)
    got = "no rows" if first is None else (
        f"{len(account.malformed)} malformed and {len(account.excluded)} excluded rows; "
        f"{first.place}: {first.reason}"
    )  # fmt: skip
    return InputError(f"no usable question of {benchmark.task}", where=parts[0].where if parts else "",
                      expected="at least one", got=got)  # fmt: skip
