"""Questions as a ``datasets`` folder, pictures embedded: written in one piece, read row by row.

The columns are those of ``questions.jsonl`` (docs/folder.md), with pictures instead of their paths and the
facts as a JSON text; columns beyond these are left alone.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from perl_env.errors import InputError, shorten
from perl_env.pictures import MAX_PIXELS
from perl_env.question import Question, as_array
from perl_env.questions import QuestionSource
from perl_env.tasks.folder import (
    Excluded,
    FolderQuestions,
    as_row,
    check_gradable,
    check_permutable,
)
from perl_env.tasks.folder_rows import parse_row

#: What ``save_to_disk`` writes for a data set, and for one with several splits.
_MARKS = ("dataset_info.json", "dataset_dict.json")
_FORMATS = ("PNG", "JPEG", "WEBP")
_STAND_IN = np.zeros((1, 1, 3), np.uint8)
_TEXTS = ("question", "answer", "order_class", "index_list", "kind", "key", "split", "scoring", "facts", "instruction")  # fmt: skip
_SLOTS = ("pinned", "option_slots")


def folder_questions(path: str | Path, split: str = "test", strict: bool = False) -> QuestionSource:
    """The questions of a user's folder: a ``datasets`` folder, or ``questions.jsonl`` and pictures."""
    if is_dataset_folder(path):
        return DatasetFolderQuestions(path, split, strict)
    return FolderQuestions(path, split, strict)


def is_dataset_folder(path: str | Path) -> bool:
    """Whether ``save_to_disk`` wrote this folder."""
    return any((Path(path) / mark).is_file() for mark in _MARKS)


def features():
    """The columns of a data set of questions, as ``datasets`` takes them."""
    from datasets import Features, Image, List, Value

    return Features(
        {
            "images": List(Image()),
            **{name: Value("string") for name in _TEXTS},
            "options": List(Value("string")),
            **{name: List(Value("int32")) for name in _SLOTS},
            "index_base": Value("int32"),
        }
    )


def as_columns(question: Question, split: str | None) -> dict[str, Any]:
    """A question as a row of a data set; what is not said is null."""
    row = as_row(question, [], split)
    row |= {"images": [{"bytes": _png(image), "path": None} for image in question.images]}
    row["facts"] = json.dumps(row["facts"], ensure_ascii=False) if "facts" in row else None
    return {name: row.get(name) for name in features()}


def _png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, format="PNG")
    return file.getvalue()


@dataclass(frozen=True)
class _Entry:
    """A row that is a question: all but the pixels."""

    question: Question
    row: int


class DatasetFolderQuestions:
    """The questions of one split of a ``datasets`` folder; pictures are decoded when they are asked for.

    At load every row is checked, its pictures included. A row that cannot be used is left out, counted and listed in ``excluded``.

    Args:
        path: the folder that ``save_to_disk`` wrote.
        split: take the rows of this split, and those that name none.
        strict: raise at the first row that cannot be used.

    Attributes:
        excluded: the rows left out; ``line`` is the row, counted from one.
        max_images: the largest number of images in a question.
        max_pixels: the largest number of pixels in a picture.

    Raises:
        InputError: no usable question, a column is missing or of another type, or ``strict`` and an
            unusable row.
    """

    def __init__(self, path: str | Path, split: str = "test", strict: bool = False):
        self.path, self.split = Path(path), split
        self._data = _opened(self.path, split)
        excluded: list[Excluded] = []
        self._entries: list[_Entry] = []
        self.max_images = self.max_pixels = 1
        for number in range(len(self._data)):
            row = self._row(number)
            if row.get("split") not in (None, split):
                continue
            try:
                self._entries.append(self._entry(number, row))
            except InputError as error:
                if strict:
                    raise
                excluded.append(Excluded(number + 1, str(error), error.what))
        self.excluded = tuple(excluded)
        if not self._entries:
            got = f"{len(excluded)} rows left out, the first: {excluded[0].reason}" if excluded else "none"  # fmt: skip
            raise InputError(f"no usable question in split {split!r}", where=str(path),
                             expected="at least one", got=shorten(got, 300))  # fmt: skip

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> Question:
        entry = self._entries[index]
        where = f"{self.path}, row {entry.row + 1}"
        images = self._row(entry.row)["images"]
        return replace(entry.question, images=tuple(_decoded(image, where) for image in images))

    def __iter__(self) -> Iterator[Question]:
        return (self[index] for index in range(len(self)))

    @property
    def excluded_counts(self) -> Counter[str]:
        """How many rows were left out, by what was wrong."""
        return Counter(excluded.what for excluded in self.excluded)

    def _row(self, number: int) -> dict[str, Any]:
        """A row as it lies there, pictures encoded."""
        return self._data[number].to_pylist()[0]

    def _entry(self, number: int, row: Mapping[str, Any]) -> _Entry:
        where = f"{self.path}, row {number + 1}"
        # Decoded once and dropped, so that nothing can go wrong later in the middle of an epoch.
        pictures = [_decoded(image, where).shape[:2] for image in row["images"] or ()]
        columns = {name: row.get(name) for name in (*_TEXTS, *_SLOTS, "options", "index_base")}
        columns["images"] = [str(slot) for slot in range(len(pictures))]
        columns["options"] = columns["options"] or None
        columns["facts"] = json.loads(columns["facts"]) if columns["facts"] else None
        parsed = parse_row(json.dumps(columns).encode(), where)
        question = parsed.question((_STAND_IN,) * len(pictures), f"row-{number + 1}", where)
        check_gradable(question, where)
        check_permutable(question)
        self.max_images = max(self.max_images, len(pictures))
        self.max_pixels = max(self.max_pixels, *(height * width for height, width in pictures))
        return _Entry(question, number)


def _opened(path: Path, split: str):
    """The data set, its rows as Arrow tables."""
    import datasets

    try:
        found = datasets.load_from_disk(str(path))
    except (OSError, ValueError) as error:
        raise InputError("data set cannot be read", where=str(path), expected="what save_to_disk writes",
                         got=error) from error  # fmt: skip
    if isinstance(found, datasets.DatasetDict):
        if split not in found:
            raise InputError("no such split", where=str(path), expected=f"one of {', '.join(found)}",
                             got=split)  # fmt: skip
        found = found[split]
    for name in ("images", "question", "answer"):
        if name not in found.features:
            raise InputError("missing column", where=str(path), expected=repr(name),
                             got=f"only {', '.join(found.features)}")  # fmt: skip
    if not isinstance(getattr(found.features["images"], "feature", None), datasets.Image):
        raise InputError("column of another type", where=f"{path}, images", expected="a list of pictures",
                         got=found.features["images"])  # fmt: skip
    return found.with_format("arrow")


def _opened_picture(image: Mapping[str, Any] | None, where: str) -> Image.Image:
    """The picture with its header read and its size checked, nothing decoded."""
    data = (image or {}).get("bytes")
    if not data:
        raise InputError("picture is not embedded", where=f"{where}, images", expected="its bytes",
                         got="null" if image is None else image.get("path"))  # fmt: skip
    try:
        picture = Image.open(io.BytesIO(data), formats=_FORMATS)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise InputError("not a picture", where=f"{where}, images", expected=f"one of {', '.join(_FORMATS)}",
                         got=error) from error  # fmt: skip
    if picture.width * picture.height > MAX_PIXELS:
        raise InputError("picture is too large", where=f"{where}, images",
                         expected=f"at most {MAX_PIXELS:,} pixels", got=picture.size)  # fmt: skip
    return picture


def _decoded(image: Mapping[str, Any], where: str) -> np.ndarray:
    try:
        return as_array(_opened_picture(image, where))
    except (OSError, SyntaxError) as error:
        raise InputError("picture is truncated or damaged", where=f"{where}, images",
                         expected="complete picture data", got=error) from error  # fmt: skip
