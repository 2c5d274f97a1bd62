"""Small tables of replies for the tests of metrics and reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from hypothesis import strategies as st

Replies = Mapping[str, Mapping[str, Sequence[str | None]]]


def make_table(replies: Replies, gold: Mapping[str, str], **columns: object) -> pd.DataFrame:
    """A table of canonical answers given as question → order → one answer a repeat."""
    rows = [
        {"question": question, "order": order, "repeat": repeat, "canonical": answer,
         "correct": answer is not None and answer == gold[question]}
        for question, orders in replies.items()
        for order, answers in orders.items()
        for repeat, answer in enumerate(answers)
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    table["canonical"] = pd.Series([row["canonical"] for row in rows], dtype=object)
    return table.assign(**columns)


ORDERS_OF_3 = ("0-1-2", "0-2-1", "1-0-2", "1-2-0", "2-0-1", "2-1-0")


@st.composite
def reply_tables(draw) -> pd.DataFrame:
    """Tables of a few questions, each with its own number of orders and of repeats."""
    answer = st.sampled_from(["a", "b", "c", "none of them", None])
    replies = {}
    for question in draw(st.lists(st.sampled_from("pqrs"), min_size=1, max_size=4, unique=True)):
        orders = draw(st.lists(st.sampled_from(ORDERS_OF_3), min_size=1, max_size=6, unique=True))
        replies[question] = {
            order: draw(st.lists(answer, min_size=1, max_size=3)) for order in orders
        }
    table = make_table(replies, dict.fromkeys("pqrs", "a"))
    if draw(st.booleans()):
        table["n_choices"] = float(draw(st.integers(3, 8)))
    if draw(st.booleans()):
        table = with_slots(table)
    return table.sample(frac=1, random_state=draw(st.integers(0, 99)))


def with_slots(table: pd.DataFrame) -> pd.DataFrame:
    """The slots of a table whose answers a, b, c are the canonical pictures 0, 1, 2; the gold is a."""
    pictures = [[int(part) for part in order.split("-")] for order in table["order"]]
    named = [None if a is None else "abc".find(a) for a in table["canonical"]]
    return table.assign(
        gold_slot=[float(shown.index(0)) for shown in pictures],
        chosen_slot=[
            float("nan") if picture in (None, -1) else float(shown.index(picture))
            for shown, picture in zip(pictures, named, strict=True)
        ],
        n_images=[len(shown) for shown in pictures],
    )
