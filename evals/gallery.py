"""Questions whose answer changed with the order, made ready to be shown side by side."""

from __future__ import annotations

import base64
import io
import itertools
import string
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image

from evals.table import Row, is_canonical_order, parse_order
from perl_env.permutation import permute
from perl_env.prompts import option_lines
from perl_env.question import LETTERS, Question

LONGEST_SIDE = 192
_LONGEST_REPLY = 1500


@dataclass(frozen=True)
class Picture:
    """One picture of a panel: its number there, its letter in both panels, and its data URI."""

    number: int
    letter: str
    uri: str
    gold: bool
    chosen: bool


@dataclass(frozen=True)
class Option:
    """One answer option as it stood in the prompt."""

    line: str
    gold: bool
    chosen: bool


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Card:
    """A flipped question in two orders."""

    key: str
    kind: str
    order_class: str
    panels: tuple[Panel, Panel]


def find_flips(table: pd.DataFrame, limit: int) -> list[tuple[str, str, str]]:
    """At most ``limit`` questions with two orders whose answers differ, the most telling first.

    A pair tells more if one answer is right and the other wrong, if both could be parsed, if the
    repeats of each order agree (so that it is the order, not noise), and if one order is the
    canonical one. Kinds take turns, so that one kind does not fill the gallery.

    Returns:
        (question, order, order), the order with the right answer first where there is one.
    """
    flips: dict[str, list[tuple[int, str, str, str]]] = {}
    for (key, kind), orders in _answers_by_question(table).items():
        pair = _most_telling_pair(orders)
        if pair:
            flips.setdefault(kind, []).append((pair[0], key, *pair[1:]))
    for found in flips.values():
        found.sort(key=lambda flip: -flip[0])
    turns = itertools.chain.from_iterable(itertools.zip_longest(*flips.values()))
    return [flip[1:] for flip in turns if flip is not None][:limit]


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


def _most_telling_pair(orders: _Answers) -> tuple[int, str, str] | None:
    best: tuple[int, str, str] | None = None
    for one, other in itertools.combinations(orders, 2):
        (answers, right), (others, other_right) = orders[one], orders[other]
        if answers[0] == others[0]:  # alike, or both unparsable: nothing to see
            continue
        readable = None not in (answers[0], others[0])
        stable = len(set(answers)) == len(set(others)) == 1
        canonical = is_canonical_order(one) or is_canonical_order(other)
        score = 8 * (right != other_right) + 4 * readable + 2 * stable + canonical
        if best is None or score > best[0]:
            best = (score, one, other) if right >= other_right else (score, other, one)
    return best


def make_cards(table: pd.DataFrame, questions: Mapping[str, Question], limit: int) -> list[Card]:
    """Cards of the flipped questions whose pictures are at hand."""
    table = table[table["question"].isin(questions.keys())]
    flips = find_flips(table, limit)
    firsts = _first_replies(table[table["question"].isin([key for key, *_ in flips])])
    cards = []
    for key, *orders in flips:
        question = questions[key]
        thumbnails = tuple(data_uri(image) for image in question.images)
        one, other = (_panel(question, order, firsts[key, order], thumbnails) for order in orders)
        cards.append(Card(key, question.kind, str(question.order_class), (one, other)))
    return cards


def _first_replies(table: pd.DataFrame) -> dict[tuple[str, str], Row]:
    """The row of each question's first repeat of each order."""
    if "repeat" in table:
        table = table.sort_values("repeat", kind="stable")
    rows = table.drop_duplicates(["question", "order"]).to_dict("records")
    return {(row["question"], row["order"]): {str(k): v for k, v in row.items()} for row in rows}


def _panel(question: Question, order: str, row: Row, thumbnails: tuple[str, ...]) -> Panel:
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
                uri=thumbnails[source],
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


def data_uri(image: np.ndarray, longest_side: int = LONGEST_SIDE) -> str:
    """A picture as a PNG data URI, made smaller where its longest side is longer."""
    picture = Image.fromarray(np.ascontiguousarray(image))
    picture.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
