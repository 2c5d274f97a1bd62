"""Micro batches: nothing is lost, nothing is too large, and what fits into one is not split."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agents.collate import Row, split_rows
from agents.processing import EncodedPrompt

#: Questions, each of some orders: tokens of the prompt, and of each reply to it.
QUESTIONS = st.lists(
    st.lists(
        st.tuples(st.integers(1, 30), st.lists(st.integers(1, 20), min_size=1, max_size=4)),
        min_size=1, max_size=3,
    ),
    min_size=0, max_size=5,
)  # fmt: skip


def _rows(questions):
    rows = []
    for number, orders in enumerate(questions):
        for length, replies in orders:
            ids = np.zeros(length, np.int64)
            prompt = EncodedPrompt(ids, ids, ())
            for reply in replies:
                ids, logprobs = np.zeros(reply, np.int64), np.zeros(reply, np.float32)
                rows.append(Row(prompt, ids, logprobs, 0.0, 0.0, number))
    return rows


def _cost(rows):
    prompts = {id(row.prompt): len(row.prompt) for row in rows}
    return sum(prompts.values()) + sum(len(row.token_ids) for row in rows)


def _parts_with(parts, wanted):
    return sum(any(wanted(row) for row in part) for part in parts)


@given(QUESTIONS, st.integers(1, 120))
def test_shared_prompts(questions, budget):
    rows = _rows(questions)
    parts = split_rows(rows, budget)
    assert [id(row) for row in itertools.chain(*parts)] == [id(row) for row in rows]
    for part in parts:
        assert _cost(part) <= budget or len(part) == 1
    for number in range(len(questions)):
        of_question = [row for row in rows if row.question == number]
        if _cost(of_question) <= budget:
            assert _parts_with(parts, lambda row, n=number: row.question == n) == 1
    for prompt in {id(row.prompt): row.prompt for row in rows}.values():
        if _cost([row for row in rows if row.prompt is prompt]) <= budget:
            assert _parts_with(parts, lambda row, p=prompt: row.prompt is p) == 1
    for before, after in itertools.pairwise(parts):  # none could have been begun later
        assert _cost(before + after) > budget


@given(QUESTIONS, st.integers(1, 120))
def test_prompts_that_every_reply_repeats(questions, budget):
    rows = _rows(questions)
    parts = split_rows(rows, budget, shared=False)
    assert [id(row) for row in itertools.chain(*parts)] == [id(row) for row in rows]
    for part in parts:
        cost = sum(len(row.prompt) + len(row.token_ids) for row in part)
        assert cost <= budget or len(part) == 1


def test_worked_out_by_hand():
    # The first question needs 10 + 3 + 3 + 10 + 4 = 30 tokens, the second 20 + 5 + 5.
    rows = _rows([[(10, [3, 3]), (10, [4])], [(20, [5, 5])]])
    sizes = {
        budget: [len(part) for part in split_rows(rows, budget)] for budget in (60, 59, 29, 15)
    }
    assert sizes == {60: [5], 59: [3, 2], 29: [2, 1, 1, 1], 15: [1, 1, 1, 1, 1]}
