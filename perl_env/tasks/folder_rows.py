"""One row of a folder's ``questions.jsonl``: its columns, their types, and the question it makes."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from perl_env.errors import InputError, nearest
from perl_env.grading import STRICT
from perl_env.order_class import OrderClass
from perl_env.placeholders import number_placeholders
from perl_env.question import LETTERS, Question
from perl_env.scoring import find_rule

#: What ``order_class`` may be in a folder: a row that contradicts itself is no question.
ORDER_CLASSES = tuple(str(c) for c in OrderClass if c is not OrderClass.MALFORMED)


@dataclass(frozen=True)
class Row:
    """A row with its columns checked, one by one; see docs/folder.md for their meaning."""

    images: tuple[str, ...]
    text: str
    answer: str
    order_class: OrderClass
    options: tuple[str, ...] = ()
    pinned: tuple[int, ...] | None = None
    option_slots: tuple[int, ...] = ()
    index_list: Literal["rank", "sequence"] | None = None
    index_base: int = 1
    kind: str = ""
    key: str = ""
    split: str | None = None
    scoring: str = STRICT
    facts: tuple[tuple[str, str], ...] = ()
    instruction: str | None = None

    def question(self, pictures: Sequence[np.ndarray], default_key: str, where: str) -> Question:
        """The question that the row makes with these pictures.

        Raises:
            InputError: the columns contradict each other.
        """
        text, *options = number_placeholders((self.text, *self.options), len(self.images), where)
        return Question(
            images=tuple(pictures), text=text, options=tuple(options), answer=self._gold(where),
            order_class=self.order_class, pinned=self.pinned, option_slots=self.option_slots,
            index_list=self.index_list, index_base=self.index_base, kind=self.kind,
            key=self.key or default_key, scoring=self.scoring, facts=self.facts,
            instruction=self.instruction,
        )  # fmt: skip

    def _gold(self, where: str) -> str:
        """The gold; with options a letter, also where the row gives it as "(B)" or as text."""
        if not self.options:
            return self.answer
        letter = self.answer.strip().strip("().")
        if len(letter) == 1 and letter in LETTERS[: len(self.options)]:
            return letter
        if self.options.count(self.answer) == 1:
            return LETTERS[self.options.index(self.answer)]
        raise InputError("gold answer is no option", where=f"{where}, answer",
                         expected=f"one of {', '.join(LETTERS[: len(self.options)])}, or an option's text",
                         got=repr(self.answer))  # fmt: skip


def parse_row(line: bytes, where: str) -> Row:
    """The row in one line of JSON.

    Raises:
        InputError: broken JSON, an unknown or missing column, or a value of the wrong type.
    """
    columns = _as_object(line, where)
    for name in columns:
        if name not in _COLUMNS:
            expected = nearest(name, _COLUMNS)
            raise InputError("unknown column", where=where, expected=expected, got=repr(name))
    for name in ("images", "question", "answer"):
        if columns.get(name) is None:
            raise InputError("missing column", where=where, expected=repr(name),
                             got=f"only {', '.join(columns) or 'an empty object'}")  # fmt: skip
    # A null says the same as a missing column.
    values = {
        name: _COLUMNS[name](value, f"{where}, {name}")
        for name, value in columns.items()
        if value is not None
    }
    values["text"] = values.pop("question")
    if "order_class" not in values:
        values["order_class"] = _only_class_of_one_image(len(values["images"]), where)
    return Row(**values)


def _as_object(line: bytes, where: str) -> dict[str, Any]:
    try:
        columns = json.loads(line.decode("utf-8"), object_pairs_hook=_once_each(where))
    except UnicodeDecodeError as error:
        raise InputError(
            "line is no UTF-8 text", where=where, expected="UTF-8", got=error
        ) from error
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(
            "broken JSON", where=where, expected="one JSON object a line", got=error
        ) from error
    if not isinstance(columns, dict):
        raise InputError("row is no object", where=where, expected="a JSON object",
                         got=type(columns).__name__)  # fmt: skip
    return columns


def _once_each(where: str) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    """Makes JSON objects whose keys differ: of a key that is there twice JSON keeps the last silently."""

    def as_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        columns = dict(pairs)
        if len(columns) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise InputError("key named twice", where=where, expected="each key once", got=repr(twice))  # fmt: skip
        return columns

    return as_dict


def _only_class_of_one_image(n: int, where: str) -> OrderClass:
    """The class of a row that names none: what an order does to a question is never guessed."""
    if n == 1:
        return OrderClass.SINGLE
    raise InputError("missing column", where=where,
                     expected=f"'order_class', one of {', '.join(ORDER_CLASSES)}",
                     got=f"none, with {n} images")  # fmt: skip


def _any_text(value: object, where: str, expected: str = "a text") -> str:
    if not isinstance(value, str):
        raise InputError("wrong type", where=where, expected=expected, got=repr(value))
    if any("\ud800" <= character <= "\udfff" for character in value):  # JSON can say half a pair
        raise InputError(
            "text is no Unicode", where=where, expected="whole characters", got=repr(value)
        )
    return value


def _text(value: object, where: str) -> str:
    expected = "a text that is not empty"
    text = _any_text(value, where, expected)
    if not text.strip():
        raise InputError("text is empty", where=where, expected=expected, got=repr(value))
    return text


def _answer(value: object, where: str) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return str(value)
    return _text(value, where)


def _texts(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise InputError("wrong type", where=where, expected="a list of texts", got=repr(value))
    return tuple(_text(item, where) for item in value)


def _paths(value: object, where: str) -> tuple[str, ...]:
    paths = _texts(value, where)
    if not paths:
        raise InputError(
            "no images", where=where, expected="at least one path", got="an empty list"
        )
    return paths


def _slots(value: object, where: str) -> tuple[int, ...]:
    if not isinstance(value, list) or any(type(item) is not int for item in value):
        raise InputError(
            "wrong type", where=where, expected="a list of whole numbers", got=repr(value)
        )
    if len(set(value)) != len(value):
        raise InputError("slot named twice", where=where, expected="each slot once", got=value)
    return tuple(value)


def _number(value: object, where: str) -> int:
    if type(value) is not int or value < 0:
        raise InputError(
            "wrong type", where=where, expected="a whole number, 0 or 1", got=repr(value)
        )
    return value


def _order_class(value: object, where: str) -> OrderClass:
    if isinstance(value, str) and value in ORDER_CLASSES:
        return OrderClass(value)
    if value == OrderClass.MALFORMED:
        raise InputError(
            "row is marked as malformed", where=where, expected="a sound row", got=repr(value)
        )
    near = difflib.get_close_matches(str(value), ORDER_CLASSES, n=1)
    raise InputError("unknown order class", where=where,
                     expected=(f"{near[0]!r} (the nearest), " if near else "") + f"one of {', '.join(ORDER_CLASSES)}",
                     got=repr(value))  # fmt: skip


def _index_list(value: object, where: str) -> str:
    if value not in ("rank", "sequence"):
        raise InputError("unknown meaning of index lists", where=where,
                         expected="'rank' or 'sequence'", got=repr(value))  # fmt: skip
    return str(value)


def _scoring(value: object, where: str) -> str:
    name = _text(value, where)
    if name != STRICT:
        try:
            find_rule(name)
        except InputError as error:
            raise InputError(
                error.what, where=where, expected=error.expected, got=error.got
            ) from None
    return name


def _facts(value: object, where: str) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise InputError("wrong type", where=where, expected="an object of texts", got=repr(value))
    return tuple(
        (_any_text(name, where), _any_text(fact, f"{where}, {name!r}"))
        for name, fact in value.items()
    )


_COLUMNS: dict[str, Callable[[object, str], Any]] = {
    "images": _paths,
    "question": _text,
    "answer": _answer,
    "order_class": _order_class,
    "options": _texts,
    "pinned": _slots,
    "option_slots": _slots,
    "index_list": _index_list,
    "index_base": _number,
    "kind": _any_text,
    "key": _any_text,
    "split": _text,
    "scoring": _scoring,
    "facts": _facts,
    "instruction": _any_text,
}
