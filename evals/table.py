"""The table of replies, one row a reply, from which every metric is computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from perl_env.encodable import encodable
from perl_env.errors import InputError
from perl_env.order_class import EQUIVARIANT_CLASSES, INVARIANT_CLASSES, OrderClass
from perl_env.question import Order

#: Column by column what a row says.
COLUMNS: dict[str, str] = {
    "question": "key of the question, unique within the table",
    "question_digest": "fingerprint of what was asked, whatever its key; empty where it is not known",
    "task": "the task that the question is from; may be empty",
    "kind": "the question's sub-task; may be empty",
    "order_class": "what a permutation does to the question",
    "order": "the order of the images as text: 2-0-1",
    "repeat": "number of the repeat of this order, from 0",
    "gold_slot": "0-based slot, in this order, of the picture that the gold denotes; NaN if none",
    "chosen_slot": "0-based slot, in this order, of the picture that the reply names; NaN if none",
    "gold_letter": "letter of the right option, in this order; None without options",
    "chosen_letter": "letter of the option that the reply names; None if none",
    "n_images": "number of images",
    "n_choices": "number of possible answers, where they can be counted; NaN for open answers",
    "reply": "the reply as it came, or what the endpoint said when it refused the request",
    "finish_reason": "stop, length where the reply was cut, content_filter where its endpoint cut it, refused where there is none",
    "reply_tokens": "number of tokens of the reply; NaN where the engine cannot tell",
    "parsed": "the answer read from the reply; None where there is none to read",
    "canonical": "that answer in terms of the canonical order; None for an unparsable reply",
    "correct": "whether the answer is right",
    "well_formed": "whether the reply has the form that was asked for",
    "scoring": "the rule by which the reply was graded: strict, or a benchmark's published one",
    "steps": "number of steps of a multi-step answer; NaN for all other questions",
    "steps_right": "how many of them are right",
}
#: The columns without which no metric can be computed.
REQUIRED = ("question", "order", "canonical", "correct")

#: One reply as plain data, under the names of the columns.
Row = dict[str, Any]

_INTEGERS = ("repeat", "n_images")
_NUMBERS = ("gold_slot", "chosen_slot", "n_choices", "reply_tokens", "steps", "steps_right")
_FLAGS = ("correct", "well_formed")
_TEXT_OR_NONE = ("gold_letter", "chosen_letter", "parsed", "canonical")


def order_text(order: Order) -> str:
    """An order as it stands in the table.

    >>> order_text((2, 0, 1))
    '2-0-1'
    """
    return "-".join(map(str, order))


def parse_order(text: str) -> Order:
    """The order that a table's text stands for.

    >>> parse_order("2-0-1")
    (2, 0, 1)
    """
    return tuple(int(slot) for slot in text.split("-"))


def is_canonical_order(text: str) -> bool:
    """Whether a table's order moves nothing."""
    return text == "-".join(map(str, range(text.count("-") + 1)))


def class_group(order_class: str) -> str:
    """The group of an order class: what its answers should do when the images move.

    "invariant" (stay the same), "equivariant" (move with the picture) or "fixed" (never permuted).

    >>> class_group("referential"), class_group("slot-naming"), class_group("layout")
    ('invariant', 'equivariant', 'fixed')
    """
    if OrderClass(order_class) in INVARIANT_CLASSES:
        return "invariant"
    return "equivariant" if OrderClass(order_class) in EQUIVARIANT_CLASSES else "fixed"


def build_table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The table of these rows, with the columns of ``COLUMNS`` in their order and fixed types.

    Unparsable replies keep ``None`` as their ``canonical`` and ``parsed``. Rows may lack columns that
    were not written yet when their run was made, and may hold text that cannot be encoded.
    """
    rows = list(rows)
    columns: dict[str, Any] = {}
    for name in COLUMNS:
        values = [_encodable(row.get(name)) for row in rows]
        if name in _INTEGERS:
            columns[name] = np.array(values, dtype=np.int64)
        elif name in _NUMBERS:
            columns[name] = np.array(
                [np.nan if value is None else value for value in values], dtype=np.float64
            )
        elif name in _FLAGS:
            columns[name] = np.array(values, dtype=bool)
        elif name in _TEXT_OR_NONE:
            columns[name] = pd.Series(values, dtype=object)
        else:
            columns[name] = pd.Series(
                ["" if value is None else value for value in values], dtype=str
            )
    return pd.DataFrame(columns)


def _encodable(value: Any) -> Any:
    return encodable(value) if isinstance(value, str) else value


def check_table(table: pd.DataFrame) -> None:
    """Make sure that metrics can be computed of ``table``.

    Raises:
        InputError: a column is missing, or a question was answered twice in one order and repeat.
    """
    missing = [name for name in REQUIRED if name not in table]
    if missing:
        raise InputError("table lacks columns", where=", ".join(missing),
                         expected=", ".join(REQUIRED), got=", ".join(map(str, table.columns)))  # fmt: skip
    key = ["question", "order", *(["repeat"] if "repeat" in table else [])]
    twice = table.duplicated(key)
    if twice.any():
        row = table.loc[twice, key].iloc[0].to_dict()
        raise InputError("two replies in one place", where=f"table, {row}",
                         expected="one reply for each question, order and repeat",
                         got=int(twice.sum()))  # fmt: skip
