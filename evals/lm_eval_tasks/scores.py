"""The metrics of one document, computed by ``evals.metrics`` from its table of replies."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from agents.engines.base import Reply
from evals import metrics
from evals.lm_eval_tasks.documents import Asked
from evals.reply_counts import ReplyCounts
from evals.rows import make_row
from evals.table import Row, build_table

#: lm-eval's name of a metric → the metric.
METRICS = {
    "acc_canonical": metrics.accuracy_canonical,
    "acc_mean": metrics.accuracy_mean,
    "acc_worst": metrics.accuracy_worst,
    "acc_best": metrics.accuracy_best,
    "consistent_accuracy": metrics.consistent_accuracy,
    "consistency": metrics.consistency,
    "flip_rate": metrics.flip_rate,
    "noise_floor": metrics.noise_floor,
    "order_effect": metrics.order_effect,
    "unparsable_rate": metrics.unparsable_rate,
}
#: The share of documents that could not be asked soundly and have no other metric.
EXCLUDED = "excluded"


def reply_rows(asked: Asked, replies: Sequence[str], repeats: int, task: str) -> list[Row]:
    """The rows of our own table of a document's replies, order by order, the repeats of each together.

    lm-eval does not tell how a reply ended, nor its tokens.
    """
    places = [(question, repeat) for question in asked.in_orders for repeat in range(repeats)]
    return [
        make_row(asked.key, question, repeat, _reply(text), task) | {"finish_reason": ""}
        for (question, repeat), text in zip(places, replies, strict=True)
    ]


def document_metrics(
    asked: Asked, replies: Sequence[str], repeats: int, task: str
) -> dict[str, float]:
    """The metrics of one document that are defined for it.

    lm-eval averages a metric over the documents that have it, with the plain standard error of a mean:
    since a document is a question with all its orders, that is the error clustered by question.
    """
    if asked.excluded:
        return {EXCLUDED: 1.0}
    counts = ReplyCounts.of(build_table(reply_rows(asked, replies, repeats, task)))
    values = {name: float(metric.function(counts)[0]) for name, metric in METRICS.items()}
    return {EXCLUDED: 0.0} | {name: v for name, v in values.items() if not math.isnan(v)}


def _reply(text: str) -> Reply:
    return Reply(text, np.zeros(0, np.int64), np.zeros(0, np.float32), "stop")
