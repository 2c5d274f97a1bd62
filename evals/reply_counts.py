"""A table of replies as integer codes and counts by question: what the metrics are computed from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from evals.reply_blocks import ReplyBlock, reply_blocks
from evals.table import check_table, is_canonical_order, parse_order


@dataclass(frozen=True, eq=False)
class ReplyCounts:
    """N replies to Q questions.

    Two replies *agree* if both could be parsed and have the same canonical answer. An unparsable
    reply agrees with nothing, not even with another unparsable one: each counts as an answer of its
    own, so that a model does not look consistent by saying nothing.

    Attributes:
        questions: the Q keys, in order of appearance.
        question: int64 [N], index into ``questions``.
        order: int64 [N], code of the reply's (question, order).
        answer: int64 [N], code of the reply's (question, canonical answer).
        parsable: bool [N].
        correct: bool [N].
        canonical_order: bool [N], whether the reply is to the canonical order.
        first: bool [N], whether it is the first repeat of its order.
        repeat: int64 [N], number of the repeat.
        position: int64 [N, I], where each of the canonical order's pictures stands; -1 beyond the last.
        gold_slot: float64 [N], slot of the picture that the gold denotes; NaN if none.
        chosen_slot: float64 [N], slot of the picture that the reply names; NaN if none.
        n_choices: float64 [Q], number of possible answers; NaN where they cannot be counted.
    """

    questions: pd.Index
    question: np.ndarray
    order: np.ndarray
    answer: np.ndarray
    parsable: np.ndarray
    correct: np.ndarray
    canonical_order: np.ndarray
    first: np.ndarray
    repeat: np.ndarray
    position: np.ndarray
    gold_slot: np.ndarray
    chosen_slot: np.ndarray
    n_choices: np.ndarray

    @classmethod
    def of(cls, table: pd.DataFrame) -> ReplyCounts:
        """The counts of a table; only the columns of ``table.REQUIRED`` have to be there.

        Raises:
            InputError: the table lacks a column, or holds two replies in one place.
        """
        check_table(table)
        question, questions = pd.factorize(table["question"])
        order_name, found = pd.factorize(table["order"])
        order_names = [str(name) for name in found]  # pandas reads "0", one image, as a number
        parsable = table["canonical"].notna().to_numpy()
        answer = pd.factorize(table["canonical"])[0].astype(np.int64)
        unparsable = np.flatnonzero(~parsable)
        answer[unparsable] = len(table) + np.arange(len(unparsable))
        order = _pair_codes(question, order_name)
        repeat = table["repeat"].to_numpy() if "repeat" in table else np.zeros(len(table), np.int64)
        return cls(
            questions=pd.Index(questions, name="question"),
            question=question.astype(np.int64),
            order=order,
            answer=_pair_codes(question, answer),
            parsable=parsable,
            correct=table["correct"].to_numpy(dtype=bool),
            canonical_order=np.array(
                [is_canonical_order(name) for name in order_names], dtype=bool
            )[order_name],
            first=_is_first(order, repeat),
            repeat=repeat,
            position=_positions(order_names)[order_name],
            gold_slot=_column(table, "gold_slot"),
            chosen_slot=_column(table, "chosen_slot"),
            n_choices=_first_values(table, question, len(questions), "n_choices"),
        )

    def count(self, where: np.ndarray) -> np.ndarray:
        """float64 [Q]: how many replies of each question are marked in ``where`` [N]."""
        return np.bincount(self.question[where], minlength=len(self.questions)).astype(np.float64)

    def mean(self, values: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
        """float64 [Q]: the mean of ``values`` [N] over each question's marked replies; NaN if none."""
        where = np.ones(len(self.question), dtype=bool) if where is None else where
        total = np.bincount(
            self.question[where], weights=values[where].astype(float), minlength=len(self.questions)
        )
        return _divide(total, self.count(where))

    def per_order(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The mean of ``values`` [N] in each (question, order), and the question of each."""
        n = np.bincount(self.order)
        question = np.empty(len(n), dtype=np.int64)
        question[self.order] = self.question
        return np.bincount(self.order, weights=values.astype(float)) / n, question

    def extreme_correct(self, function: np.ufunc) -> np.ndarray:
        """float64 [Q]: ``function`` (minimum, maximum) over whether each first reply is correct."""
        result = np.full(len(self.questions), 0.0 if function is np.maximum else 1.0)
        function.at(result, self.question[self.first], self.correct[self.first].astype(float))
        return result

    @cached_property
    def orders(self) -> np.ndarray:
        """float64 [Q]: the number of orders in which each question was asked."""
        return self.count(self.first)

    @cached_property
    def answers(self) -> pd.DataFrame:
        """One row for each distinct first-repeat answer: question, votes, parsable, correct."""
        first = self.first
        _, where, votes = np.unique(self.answer[first], return_index=True, return_counts=True)
        return pd.DataFrame(
            {
                "question": self.question[first][where],
                "votes": votes.astype(float),
                "parsable": self.parsable[first][where],
                "correct": self.correct[first][where],
            }
        )

    @cached_property
    def possible_answers(self) -> np.ndarray:
        """float64 [Q]: how many answers there could be, each unparsable reply being one; inf if open."""
        n = len(self.questions)
        _, where = np.unique(self.answer, return_index=True)
        distinct = np.bincount(self.question[where][self.parsable[where]], minlength=n)
        possible = np.where(np.isnan(self.n_choices), np.inf, np.maximum(self.n_choices, distinct))
        return possible + self.count(~self.parsable)

    @cached_property
    def blocks(self) -> list[ReplyBlock]:
        """The replies as arrays question × order × repeat."""
        return reply_blocks(self.question, self.order, self.repeat)

    @cached_property
    def first_blocks(self) -> list[ReplyBlock]:
        """The same of the first reply to each order."""
        where = np.flatnonzero(self.first)
        found = reply_blocks(self.question[where], self.order[where], self.repeat[where])
        return [ReplyBlock(block.questions, where[block.rows]) for block in found]

    @cached_property
    def agreeing_pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """float64 [Q] twice: pairs of replies that agree, in any two orders and in the same order."""
        everywhere = self._pairs_within(self.answer)
        return everywhere, self._pairs_within(_pair_codes(self.order, self.answer))

    @cached_property
    def all_pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """float64 [Q] twice: all pairs of replies, in any two orders and in the same order."""
        return self._pairs_within(self.question), self._pairs_within(self.order)

    def disagreement(self, pairs: np.ndarray, agreeing: np.ndarray) -> np.ndarray:
        """float64 [Q]: the share of ``pairs`` that do not agree; NaN where there is no pair."""
        return _divide(pairs - agreeing, pairs)

    def _pairs_within(self, group: np.ndarray) -> np.ndarray:
        """float64 [Q]: the number of pairs of replies within one group, groups lying in questions."""
        _, where, n = np.unique(group, return_index=True, return_counts=True)
        return np.bincount(
            self.question[where], weights=n * (n - 1) / 2, minlength=len(self.questions)
        )


def _pair_codes(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Dense int64 codes of pairs of codes."""
    width = int(second.max(initial=0)) + 1
    codes, _ = pd.factorize(first.astype(np.int64) * width + second)
    return codes.astype(np.int64)


def _is_first(order: np.ndarray, repeat: np.ndarray) -> np.ndarray:
    """Whether, bool [N], a reply has the smallest repeat number of its (question, order)."""
    if not len(order):
        return np.zeros(0, dtype=bool)
    smallest = np.full(int(order.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(smallest, order, repeat)
    return repeat == smallest[order]


def _positions(order_names: Iterable[str]) -> np.ndarray:
    """int64 [orders, I]: for each order the slot in which each canonical picture stands, or -1."""
    orders = [parse_order(name) for name in order_names]
    positions = np.full((len(orders), max(map(len, orders), default=0)), -1)
    for row, order in zip(positions, orders, strict=True):
        row[list(order)] = np.arange(len(order))
    return positions


def _column(table: pd.DataFrame, name: str) -> np.ndarray:
    """float64 [N]: an optional column."""
    return table[name].to_numpy(dtype=float) if name in table else np.full(len(table), np.nan)


def _first_values(table: pd.DataFrame, question: np.ndarray, n: int, column: str) -> np.ndarray:
    """float64 [Q]: each question's value in an optional column."""
    values = np.full(n, np.nan)
    if column in table:
        values[question] = table[column].to_numpy(dtype=float)
    return values


def _divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """The quotient, NaN where the denominator is 0."""
    quotient = np.full(len(numerator), np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator > 0)
    return quotient
