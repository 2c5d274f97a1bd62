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
    answer = st.sampled_from(["a", "b", "c", None])
    replies = {}
    for question in draw(st.lists(st.sampled_from("pqrs"), min_size=1, max_size=4, unique=True)):
        orders = draw(st.lists(st.sampled_from(ORDERS_OF_3), min_size=1, max_size=6, unique=True))
        replies[question] = {
            order: draw(st.lists(answer, min_size=1, max_size=3)) for order in orders
        }
    table = make_table(replies, dict.fromkeys("pqrs", "a"))
    if draw(st.booleans()):
        table["n_choices"] = float(draw(st.integers(3, 8)))
    return table.sample(frac=1, random_state=draw(st.integers(0, 99)))
