"""A user's own questions: a folder with ``questions.jsonl`` and pictures (see docs/folder.md)."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from perl_env.errors import InputError, shorten
from perl_env.grading import STRICT, grade
from perl_env.order_algebra import identity
from perl_env.permutation import movable_slots, permute
from perl_env.pictures import PictureCache, picture_size, read_picture
from perl_env.question import Order, Question
from perl_env.tasks.folder_rows import Row, parse_row

QUESTIONS_FILE = "questions.jsonl"
_STAND_IN = np.zeros((1, 1, 3), np.uint8)  # for pictures that have not been decoded
_MAX_TRIED_ORDERS = 16


@dataclass(frozen=True)
class Excluded:
    """A row that is not among the questions.

    Attributes:
        line: its line in ``questions.jsonl``, counted from one.
        reason: what is wrong: what, where, expected, got.
        what: the first part of the reason alone, by which exclusions are counted.
    """

    line: int
    reason: str
    what: str

    @property
    def place(self) -> str:
        """Where the row is, for a list."""
        return f"line {self.line}"


@dataclass(frozen=True)
class _Entry:
    """A row that is a question: all but the pixels."""

    question: Question
    paths: tuple[Path, ...]


class FolderQuestions:
    """The questions of one split of a folder; pictures are decoded when they are asked for.

    At load every row is checked, its pictures included (each is decoded once and dropped), so that
    nothing can go wrong later in the middle of an epoch. A row that cannot be used is left out,
    counted and listed in ``excluded``.

    Args:
        path: the folder.
        split: take the rows of this split, and those that name none.
        strict: raise at the first row that cannot be used.

    Attributes:
        excluded: the rows left out, each with its line and reason.
        max_images: the largest number of images in a question.
        max_pixels: the largest number of pixels in a picture.

    Raises:
        InputError: no such folder or file, no usable question in it, or ``strict`` and an unusable
            row (``where`` is then file:line).
    """

    def __init__(self, path: str | Path, split: str = "test", strict: bool = False):
        self.path, self.split = Path(path), split
        self._cache = PictureCache()
        loader = _Loader(self.path, split, strict)
        self._entries = loader.load()
        self.excluded: tuple[Excluded, ...] = tuple(loader.excluded)
        if not self._entries:
            raise _nothing_left(loader)
        self.max_images = max(len(entry.paths) for entry in self._entries)
        used = {picture for entry in self._entries for picture in entry.paths}
        self.max_pixels = max(loader.pixels[picture] for picture in used)

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> Question:
        entry = self._entries[index]
        return replace(entry.question, images=tuple(self._cache.read(path) for path in entry.paths))

    def __iter__(self) -> Iterator[Question]:
        return (self[index] for index in range(len(self)))

    @property
    def excluded_counts(self) -> Counter[str]:
        """How many rows were left out, by what was wrong."""
        return Counter(excluded.what for excluded in self.excluded)


class _Loader:
    """One pass over a folder: rows, then pictures."""

    def __init__(self, path: Path, split: str, strict: bool):
        self.split, self.strict = split, strict
        self.file = path / QUESTIONS_FILE
        if not path.is_dir():
            raise InputError("no such folder", where=str(path), expected=f"a folder with {QUESTIONS_FILE}",
                             got="a file" if path.exists() else "nothing")  # fmt: skip
        if not self.file.is_file():
            raise InputError("folder without questions", where=str(path), expected=QUESTIONS_FILE,
                             got=", ".join(sorted(os.listdir(path))[:5]) or "an empty folder")  # fmt: skip
        self.root = path.resolve()
        self.excluded: list[Excluded] = []
        self.pixels: dict[Path, int] = {}
        self.other_splits: set[str] = set()

    def load(self) -> list[_Entry]:
        """All usable rows of the split, in file order."""
        found: list[tuple[int, _Entry]] = []
        keys: dict[str, int] = {}
        for line, text in self._lines():
            try:
                row = parse_row(text, self._where(line))
                if row.split not in (None, self.split):
                    self.other_splits.add(str(row.split))
                    continue
                found.append((line, self._entry(row, line, keys)))
                keys[found[-1][1].question.key] = line
            except InputError as error:
                self._exclude(line, error)
        damaged = self._damaged_pictures(entry for _, entry in found)
        for line, entry in found:
            if problem := next((damaged[path] for path in entry.paths if path in damaged), None):
                self._exclude(line, problem)
        self.excluded.sort(key=lambda excluded: excluded.line)
        return [entry for _, entry in found if not damaged.keys() & set(entry.paths)]

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        with open(self.file, "rb") as file:
            for line, text in enumerate(file, start=1):
                text = text.removeprefix(b"\xef\xbb\xbf") if line == 1 else text
                if text.strip():
                    yield line, text

    def _where(self, line: int) -> str:
        return f"{self.file}:{line}"

    def _exclude(self, line: int, error: InputError) -> None:
        where = error.where or ""
        if not where.startswith(str(self.file)):
            where = f"{self._where(line)}, {where}" if where else self._where(line)
        located = type(error)(error.what, where=where, expected=error.expected, got=error.got)
        if self.strict:
            raise located from error
        inside = where.removeprefix(self._where(line)).lstrip(", ")
        plain = InputError(error.what, where=inside, expected=error.expected, got=error.got)
        self.excluded.append(Excluded(line, str(plain), error.what))

    def _entry(self, row: Row, line: int, keys: dict[str, int]) -> _Entry:
        where = self._where(line)
        question = row.question(
            (_STAND_IN,) * len(row.images), default_key=f"line-{line}", where=where
        )
        if question.key in keys:
            raise InputError("key is used twice", where=f"{where}, key", expected="one key a question",
                             got=f"{question.key!r}, as in line {keys[question.key]}")  # fmt: skip
        check_gradable(question, where)
        check_permutable(question)
        return _Entry(question, tuple(self._picture(name, where) for name in row.images))

    def _picture(self, name: str, where: str) -> Path:
        """The file of a picture: inside the folder, with a sound header."""
        where = f"{where}, images, {name!r}"
        path = inside(self.root, name, where)
        if path not in self.pixels:
            width, height = picture_size(path, where)
            self.pixels[path] = width * height
        return path

    def _damaged_pictures(self, entries: Iterable[_Entry]) -> dict[Path, InputError]:
        """The pictures that do not decode to the end. Decoding releases the interpreter's lock."""
        paths = list(dict.fromkeys(path for entry in entries for path in entry.paths))
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            errors = pool.map(self._decoding_error, paths)
            return {path: error for path, error in zip(paths, errors, strict=True) if error}

    def _decoding_error(self, path: Path) -> InputError | None:
        try:
            read_picture(path, f"images, {str(path.relative_to(self.root))!r}")
        except InputError as error:
            return error
        return None


def inside(root: Path, name: str, where: str) -> Path:
    """The path of ``name`` in the folder ``root`` (resolved), symbolic links followed.

    Raises:
        InputError: the path is absolute or leaves the folder.
    """
    try:
        path = (root / name).resolve()
        leaves = Path(name).is_absolute() or not path.is_relative_to(root)
    except (ValueError, OSError, RuntimeError) as error:  # a null byte, a loop of links
        raise InputError(
            "path cannot be used", where=where, expected="a relative path", got=error
        ) from error
    if leaves:
        raise InputError("path leaves the folder", where=where,
                         expected="a relative path to a file inside the folder", got=repr(name))  # fmt: skip
    return path


def check_gradable(question: Question, where: str, error: type[InputError] = InputError) -> None:
    """Check that the gold itself, given as the answer, is graded as correct.

    Raises:
        InputError: it is not; nobody could answer the question.
    """
    if not grade(question, rf"\boxed{{{question.answer}}}").correct:
        raise error("gold answer cannot be graded", where=f"{where}, answer",
                         expected=f"an answer fit for order class {question.order_class}",
                         got=repr(question.answer))  # fmt: skip


def check_permutable(question: Question) -> None:
    """Try a question in some other orders: reversed, rotated, and with pairs of images swapped.

    Raises:
        UnsoundRewriteError: one of them cannot be said safely.
    """
    for order in itertools.islice(_trial_orders(question), _MAX_TRIED_ORDERS):
        permute(question, order)


def _trial_orders(question: Question) -> Iterator[Order]:
    slots, n = movable_slots(question), len(question.images)

    def moved(targets: Iterable[int], sources: Iterable[int]) -> Order:
        order = list(identity(n))
        for target, source in zip(targets, sources, strict=True):
            order[target] = source
        return tuple(order)

    if len(slots) > 1:
        yield moved(slots, reversed(slots))
        yield moved(slots, (*slots[1:], slots[0]))
        for a, b in itertools.combinations(slots, 2):
            yield moved((a, b), (b, a))


def _nothing_left(loader: _Loader) -> InputError:
    if loader.excluded:
        first = loader.excluded[0]
        got = f"{len(loader.excluded)} rows left out; line {first.line}: {first.reason}"
    elif loader.other_splits:
        got = f"rows of the splits {', '.join(sorted(loader.other_splits))}"
    else:
        got = "no rows"
    return InputError(f"no usable question in split {loader.split!r}", where=str(loader.file),
                      expected="at least one", got=shorten(got, 300))  # fmt: skip


def write_folder(questions: Iterable[Question], path: str | Path, split: str | None = None) -> Path:
    """Write questions as a folder that ``FolderQuestions`` reads back as equal questions.

    Each picture is written once, as PNG, however many questions show it. A permuted question is
    written as it stands and has that order as its canonical one when it is read.

    Args:
        questions: what to write; consumed one by one.
        path: the folder; made if need be.
        split: the split that the rows name; none by default.

    Returns:
        The path of ``questions.jsonl``, which is written last.

    Raises:
        InputError: the folder already has a ``questions.jsonl``.
    """
    folder = Path(path)
    target = folder / QUESTIONS_FILE
    if target.exists():
        raise InputError("folder already has questions", where=str(target),
                         expected="a new or empty folder", got="an existing file")  # fmt: skip
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(".jsonl.part")
    with open(unfinished, "w", encoding="utf-8") as file:
        for question in questions:
            names = [_write_picture(folder, image) for image in question.images]
            file.write(json.dumps(as_row(question, names, split), ensure_ascii=False) + "\n")
    os.replace(unfinished, target)
    return target


def _write_picture(folder: Path, image: np.ndarray) -> str:
    digest = hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()[:24]
    name = f"pictures/{digest}.png"
    if not (folder / name).exists():
        Image.fromarray(image).save(folder / name, format="PNG")
    return name


def as_row(question: Question, names: list[str], split: str | None) -> dict[str, object]:
    """The columns that are not as a missing one says, by their names in docs/folder.md."""
    row: dict[str, object] = {
        "images": names,
        "question": question.text,
        "answer": question.answer,
        "order_class": str(question.order_class),
        "pinned": list(question.pinned or ()),
    }
    optional = {
        "options": list(question.options),
        "option_slots": list(question.option_slots),
        "index_list": question.index_list,
        "index_base": question.index_base if question.index_base != 1 else None,
        "kind": question.kind,
        "key": question.key,
        "split": split,
        "scoring": question.scoring if question.scoring != STRICT else None,
        "facts": _as_object(question),
    }
    row |= {name: value for name, value in optional.items() if value not in (None, "", [], {})}
    if question.instruction is not None:  # "" says that there is none
        row["instruction"] = question.instruction
    return row


def _as_object(question: Question) -> dict[str, str]:
    """The question's facts by name.

    Raises:
        InputError: two have one name: only one of them could be read back.
    """
    facts = dict(question.facts)
    if len(facts) < len(question.facts):
        raise InputError("two facts have one name", where=f"question {question.key!r}, facts",
                         expected="each name once", got=[name for name, _ in question.facts])  # fmt: skip
    return facts
