"""How far the values of one question can lie apart, for how it was asked."""

import itertools

import numpy as np
import pandas as pd
import pytest

from evals.attainable import attainable_bounds, usual_orders
from evals.metrics import METRICS, values_of
from evals.reply_counts import ReplyCounts

EFFECTS = ["order_effect", "flip_rate_effect", "consistency_effect", "entropy_effect"]


def table(answers: np.ndarray, n_choices: float) -> pd.DataFrame:
    """``answers`` [Q, K, R] as replies."""
    question, order, repeat = (axis.ravel() for axis in np.indices(answers.shape))
    orders = ["-".join(map(str, o)) for o in itertools.permutations(range(4))]
    return pd.DataFrame(
        {
            "question": question,
            "order": np.array(orders)[order],
            "repeat": repeat,
            "canonical": answers.ravel().astype(str),
            "correct": False,
            "n_choices": n_choices,
        }
    )


@pytest.mark.parametrize(("orders", "repeats", "answers"), [(2, 2, 2), (3, 2, 2), (3, 2, 3), (2, 3, 2)])  # fmt: skip
def test_no_question_lies_outside_and_some_reach_the_ends(orders, repeats, answers):
    """Every reply pattern there is."""
    cells = orders * repeats
    every = np.array(list(itertools.product(range(answers), repeat=cells)))
    counts = ReplyCounts.of(table(every.reshape(-1, orders, repeats), answers))
    values, bounds = values_of(counts), attainable_bounds(counts)
    for name in EFFECTS:
        low, high = bounds[name]
        assert values[name].min() == pytest.approx(low), name
        assert values[name].max() == pytest.approx(high), name


def test_by_hand():
    """Six orders, two repeats, three answers: 12 of 15 pairs of orders can disagree."""
    counts = ReplyCounts.of(table(np.zeros((5, 6, 2), dtype=int), 3))
    bounds = attainable_bounds(counts)
    assert bounds["order_effect"] == pytest.approx((-0.5, 0.8))
    assert bounds["consistency_effect"] == pytest.approx((-0.25, 0.4))
    assert bounds["flip_rate"] == METRICS["flip_rate"].bounds


def test_open_questions_and_questions_asked_once():
    counts = ReplyCounts.of(table(np.zeros((5, 6, 2), dtype=int), np.nan))
    assert attainable_bounds(counts)["order_effect"] == pytest.approx((-0.5, 1.0))
    once = ReplyCounts.of(table(np.zeros((5, 6, 1), dtype=int), 3))
    assert attainable_bounds(once) == {name: metric.bounds for name, metric in METRICS.items()}


def test_usual_orders_is_the_mean_over_questions():
    six, two = (table(np.zeros((n, k, 2), dtype=int), 3) for n, k in ((3, 6), (1, 2)))
    both = pd.concat([six, two.assign(question=two["question"] + 3)])
    assert usual_orders(ReplyCounts.of(six)) == 6
    assert usual_orders(ReplyCounts.of(both)) == 5
