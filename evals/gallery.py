"""Questions whose answer changed with the order, made ready to be shown side by side."""

from __future__ import annotations

import itertools
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from evals.table import Row, is_canonical_order, parse_order
from perl_env.permutation import permute
from perl_env.prompts import option_lines
from perl_env.question import LETTERS, Question

_LONGEST_REPLY = 1500


#: What a flip is between: a right and a wrong answer, two wrong ones, or one that cannot be read.
Outcome = Literal["right-wrong", "wrong-wrong", "unreadable"]


@dataclass(frozen=True)
class Flip:
    """A question with two orders whose answers differ.

    Attributes:
        question: its key.
        orders: the two orders, that with the right answer first where there is one.
        outcome: what the flip is between.
        steady: whether all repeats of each of the two orders agree.
    """

    question: str
    orders: tuple[str, str]
    outcome: Outcome
    steady: bool


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture of a panel: its number there, its letter in both panels, and its pixels."""

    number: int
    letter: str
    image: np.ndarray
    gold: bool
    chosen: bool


@dataclass(frozen=True)
class Option:
    """One answer option as it stood in the prompt."""

    line: str
    gold: bool
    chosen: bool


@dataclass(frozen=True, eq=False)
class Panel:
    """One question in one order, with the first reply to it."""

    order: str
    text: str
    gold: str
    pictures: tuple[Picture, ...]
    options: tuple[Option, ...]
    reply: str
    answer: str
    canonical: str
    correct: bool

    @property
    def is_canonical(self) -> bool:
        """Whether this is the canonical order."""
        return is_canonical_order(self.order)


@dataclass(frozen=True, eq=False)
class Card:
    """A flipped question in two orders."""

    key: str
    task: str
    kind: str
    order_class: str
    outcome: Outcome
    steady: bool
    panels: tuple[Panel, Panel]


def find_flips(table: pd.DataFrame) -> list[Flip]:
    """The questions with two orders whose answers differ, the most telling first.

    A pair tells more if one answer is right and the other wrong, if both could be parsed, if the
    repeats of each order agree (so that it is the order, not noise), and if one order is the
    canonical one. Kinds take turns, so that one kind does not fill the gallery.
    """
    flips: dict[str, list[tuple[int, Flip]]] = {}
    for (key, kind), orders in _answers_by_question(table).items():
        found = _most_telling_pair(key, orders)
        if found:
            flips.setdefault(kind, []).append(found)
    for of_kind in flips.values():
        of_kind.sort(key=lambda flip: -flip[0])
    turns = itertools.chain.from_iterable(itertools.zip_longest(*flips.values()))
    return [flip[1] for flip in turns if flip is not None]


@dataclass(frozen=True)
class FlipCounts:
    """The questions that the flip rate counts, by what can be seen of them.

    Attributes:
        readable: with two orders of which at least one answer can be read.
        unreadable: no order of which has a readable answer: replies that cannot be read agree with
            nothing, so that the flip rate counts them, but there is nothing to show side by side.
    """

    readable: frozenset[str]
    unreadable: frozenset[str]


def flipped_questions(table: pd.DataFrame) -> FlipCounts:
    """The questions that ``flip_rate`` counts; ``find_flips`` finds a pair for the readable ones."""
    if "repeat" in table:
        table = table.sort_values("repeat", kind="stable")
    firsts = table.drop_duplicates(["question", "order"])
    answers = firsts.groupby("question")["canonical"]
    orders, readable, distinct = answers.size(), answers.count(), answers.nunique()
    flipped = (orders > 1) & ((readable < orders) | (distinct > 1))
    seen = flipped & (readable > 0)
    return FlipCounts(
        frozenset(flipped.index[seen]), frozenset(flipped.index[flipped & (readable == 0)])
    )


#: By order, what its repeats were answered (``None`` if unparsable), and whether the first was right.
_Answers = dict[str, tuple[list[str | None], bool]]


def _answers_by_question(table: pd.DataFrame) -> dict[tuple[str, str], _Answers]:
    """The answers to each (question, kind); plain dicts, since a table may hold 100,000s of rows."""
    if "repeat" in table:
        table = table.sort_values("repeat", kind="stable")
    kinds = table["kind"] if "kind" in table else itertools.repeat("")
    answers: dict[tuple[str, str], _Answers] = {}
    columns = (table["question"], kinds, table["order"], table["canonical"], table["correct"])
    for key, kind, order, canonical, correct in zip(*columns, strict=False):
        repeats, _ = answers.setdefault((key, kind), {}).setdefault(order, ([], bool(correct)))
        repeats.append(None if pd.isna(canonical) else canonical)
    return answers


def _most_telling_pair(key: str, orders: _Answers) -> tuple[int, Flip] | None:
    best: tuple[int, Flip] | None = None
    for one, other in itertools.combinations(orders, 2):
        (answers, right), (others, other_right) = orders[one], orders[other]
        if answers[0] == others[0]:  # alike, or both unparsable: nothing to see
            continue
        readable = None not in (answers[0], others[0])
        steady = readable and len(set(answers)) == len(set(others)) == 1
        canonical = is_canonical_order(one) or is_canonical_order(other)
        score = 8 * (right != other_right) + 4 * readable + 2 * steady + canonical
        if best is None or score > best[0]:
            pair = (one, other) if right >= other_right else (other, one)
            best = score, Flip(key, pair, _outcome(right, other_right, readable), steady)
    return best


def _outcome(right: bool, other_right: bool, readable: bool) -> Outcome:
    if not readable:
        return "unreadable"
    return "right-wrong" if right != other_right else "wrong-wrong"


RowOf = Callable[[str, str], Row]


def row_finder(table: pd.DataFrame, keys: Sequence[str]) -> RowOf:
    """Finds the row of a question's first reply in an order, of these questions."""
    table = table[table["question"].isin(list(keys))]
    if "repeat" in table:
        table = table.sort_values("repeat", kind="stable")
    rows = table.drop_duplicates(["question", "order"]).to_dict("records")
    found = {(row["question"], row["order"]): {str(k): v for k, v in row.items()} for row in rows}
    return lambda question, order: found[question, order]


def make_card(flip: Flip, question: Question, row_of: RowOf) -> Card:
    """The card of a flipped question."""
    rows = [row_of(flip.question, order) for order in flip.orders]
    one, other = (
        _panel(question, order, row) for order, row in zip(flip.orders, rows, strict=True)
    )
    return Card(
        flip.question, str(rows[0].get("task", "")), question.kind, str(question.order_class),
        flip.outcome, flip.steady, (one, other),
    )  # fmt: skip


def _panel(question: Question, order: str, row: Row) -> Panel:
    asked = permute(question, parse_order(order))
    parsed = row.get("parsed")
    answer = "" if pd.isna(parsed) else str(parsed)
    return Panel(
        order=order,
        text=asked.text,
        gold=asked.answer,
        pictures=tuple(
            Picture(
                number=slot + 1,
                letter=string.ascii_lowercase[source % 26],
                image=question.images[source],
                gold=row.get("gold_slot") == slot,
                chosen=row.get("chosen_slot") == slot,
            )
            for slot, source in enumerate(asked.order)
        ),
        options=tuple(
            Option(line, gold=letter == asked.answer, chosen=letter == answer.upper())
            for letter, line in zip(LETTERS, option_lines(asked), strict=False)
        ),
        reply=_shortened(str(row.get("reply", ""))),
        answer=answer,
        canonical="" if pd.isna(row["canonical"]) else str(row["canonical"]),
        correct=bool(row["correct"]),
    )


def _shortened(reply: str) -> str:
    if len(reply) <= _LONGEST_REPLY:
        return reply
    return f"{reply[:_LONGEST_REPLY]}… ({len(reply) - _LONGEST_REPLY:,} characters more)"
