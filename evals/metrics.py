"""Order-robustness metrics: pure functions of the table of replies.

A metric is called with a table and returns a float, the mean over questions:

>>> import pandas as pd
>>> table = pd.DataFrame({
...     "question": ["a", "a", "b", "b"],
...     "order": ["0-1", "1-0", "0-1", "1-0"],
...     "canonical": ["Image 1", "Image 2", "red", "red"],
...     "correct": [True, False, True, True],
... })
>>> flip_rate(table), accuracy_mean(table)
(0.5, 0.75)

``metric.per_question(table)`` gives the values by question that are averaged, and
``per_question(table)`` those of every metric side by side. Questions are the units that are sampled,
so every interval and test is made of these vectors (see ``evals.statistics``).

Conventions, the same in every metric:

* Answers are compared as *canonical* answers, mapped back to content. An unparsable reply is wrong
  and agrees with nothing, not even with another unparsable reply.
* Agreement across orders is computed from one reply an order, the first repeat, as peers do who ask
  once. Further repeats make accuracies more precise and give the noise floor.
* A question for which a metric is undefined (asked in fewer than two orders, never repeated) is NaN
  there and left out of the mean; ``evals.statistics.Estimate.questions`` counts those that remain.
"""

from __future__ import annotations

import pandas as pd

from evals.accuracy import (
    accuracy_best,
    accuracy_canonical,
    accuracy_mean,
    accuracy_spread,
    accuracy_worst,
    all_orders_correct,
)
from evals.agreement import (
    consistency,
    consistent_accuracy,
    flip_rate,
    majority_vote,
    normalized_entropy,
    pairwise_agreement,
)
from evals.equivariance import moves_with_picture, sticks_to_slot
from evals.metric import METRICS, Metric
from evals.order_effects import (
    consistency_effect,
    cross_order_disagreement,
    entropy_effect,
    flip_rate_effect,
    noise_floor,
    order_effect,
)
from evals.reply_counts import ReplyCounts
from evals.unparsable import unparsable_rate

__all__ = [
    "METRICS",
    "Metric",
    "accuracy_best",
    "accuracy_canonical",
    "accuracy_mean",
    "accuracy_spread",
    "accuracy_worst",
    "all_orders_correct",
    "consistency",
    "consistency_effect",
    "consistent_accuracy",
    "cross_order_disagreement",
    "entropy_effect",
    "flip_rate",
    "flip_rate_effect",
    "majority_vote",
    "moves_with_picture",
    "noise_floor",
    "normalized_entropy",
    "order_effect",
    "pairwise_agreement",
    "per_question",
    "sticks_to_slot",
    "unparsable_rate",
    "values_of",
]


def per_question(table: pd.DataFrame) -> pd.DataFrame:
    """One row a question, one column a metric; NaN where the metric is undefined."""
    return values_of(ReplyCounts.of(table))


def values_of(counts: ReplyCounts) -> pd.DataFrame:
    """As ``per_question``, of replies that are counted already."""
    columns = {name: metric.function(counts) for name, metric in METRICS.items()}
    return pd.DataFrame(columns, index=counts.questions)
