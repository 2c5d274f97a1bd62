"""The columns that a data set has to have, and their check against those that it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from perl_env.errors import InputError


class Kind(StrEnum):
    """What a column holds. Any value may be null: whether it may be missing, the row says."""

    TEXT = "text"
    TEXTS = "list of texts"
    WHOLE = "whole number"
    NUMBER = "number"
    FLAG = "true or false"
    PICTURE = "picture"
    PICTURES = "list of pictures"
    RECORD = "record"
    RECORDS = "list of records"


@dataclass(frozen=True)
class Column:
    """A column that a loader reads.

    Attributes:
        name: as the data set's authors spell it.
        kind: what it holds.
        fields: of a record, the fields that are read, all of them texts.
    """

    name: str
    kind: Kind = Kind.TEXT
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        of = f" with {', '.join(self.fields)}" if self.fields else ""
        return f"{self.name} ({self.kind}{of})"


def texts(*names: str) -> tuple[Column, ...]:
    """Columns of text."""
    return tuple(Column(name) for name in names)


def pictures(*names: str) -> tuple[Column, ...]:
    """Columns of one picture each."""
    return tuple(Column(name, Kind.PICTURE) for name in names)


def with_columns(rows: Any, columns: Sequence[Column], where: str) -> Any:
    """``rows`` with their columns checked, and pictures as the bytes and path that they are stored as.

    A file that was written without the library's own description of its columns holds pictures as
    records of bytes and path; these are taken for what they are.

    Args:
        rows: a ``datasets.Dataset`` or ``IterableDataset``.
        columns: what is read of each row; further columns do not matter.
        where: names the data in an error message.

    Raises:
        InputError: columns are missing or of another type; all of them are named.
    """
    from datasets import Image, List

    features = rows.features
    if features is None:  # a stream of a file that says nothing about its columns
        rows = rows._resolve_features()
        features = rows.features
    wrong = [column for column in columns if not _fits(features.get(column.name), column)]
    if wrong:
        found = [
            f"{column.name} is {describe(features[column.name])}" if column.name in features else f"no {column.name}"
            for column in wrong
        ]  # fmt: skip
        raise InputError(
            "columns are missing or of another type", where=where,
            expected="; ".join(map(str, wrong)),
            got=f"{', '.join(found)}; columns: {', '.join(features)}",
        )  # fmt: skip
    for column in columns:
        if column.kind is Kind.PICTURE:
            rows = rows.cast_column(column.name, Image(decode=False))
        elif column.kind is Kind.PICTURES:
            rows = rows.cast_column(column.name, List(Image(decode=False)))
    return rows


def _fits(feature: Any, column: Column) -> bool:
    from datasets import Image

    if feature is None:
        return False
    dtype = str(getattr(feature, "dtype", ""))
    if dtype == "null":  # no row has a value
        return True
    inner = _items_of(feature)
    match column.kind:
        case Kind.TEXT:
            return dtype in ("string", "large_string", "string_view")
        case Kind.WHOLE:
            return dtype.startswith(("int", "uint"))
        case Kind.NUMBER:
            return dtype.startswith(("int", "uint", "float", "double"))
        case Kind.FLAG:
            return dtype == "bool"
        case Kind.PICTURE:
            return isinstance(feature, Image) or _is_stored_picture(feature)
        case Kind.RECORD:
            return isinstance(feature, dict) and all(
                _fits(feature.get(name), Column(name)) for name in column.fields
            )
        case Kind.TEXTS:
            return _fits(inner, Column(column.name, Kind.TEXT))
        case Kind.PICTURES:
            return _fits(inner, Column(column.name, Kind.PICTURE))
        case Kind.RECORDS:
            return _fits(inner, Column(column.name, Kind.RECORD, column.fields))


def _items_of(feature: Any) -> Any:
    """What a list holds; ``None`` for what is no list."""
    return getattr(feature, "feature", None)


def _is_stored_picture(feature: Any) -> bool:
    return (
        isinstance(feature, dict)
        and {"bytes", "path"} == set(feature)
        and str(getattr(feature["bytes"], "dtype", "")) in ("binary", "large_binary", "null")
    )


def describe(feature: Any) -> str:
    """The type of a column, in a few words."""
    if (inner := _items_of(feature)) is not None:
        return f"list of {describe(inner)}"
    if isinstance(feature, dict):
        return f"record of {', '.join(feature)}"
    if type(feature).__name__ == "Image":
        return "picture"
    return str(getattr(feature, "dtype", type(feature).__name__))
