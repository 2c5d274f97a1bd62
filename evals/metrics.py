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

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from evals.reply_counts import ReplyCounts

PerQuestion = Callable[[ReplyCounts], np.ndarray]


@dataclass(frozen=True)
class Metric:
    """A number that is the mean over questions of one value a question.

    Attributes:
        name: the name of the metric in results.
        title: its name in reports.
        better: which direction is good; "" where neither is as such.
        formula: of one question's value.
        source: where the metric comes from.
        peers: what others call it.
        bounds: the range of one question's value.
        function: computes the values [Q] from the counts.
    """

    name: str
    title: str
    better: Literal["higher", "lower", ""]
    formula: str
    source: str
    peers: tuple[str, ...]
    bounds: tuple[float, float]
    function: PerQuestion = field(repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "__doc__", self.function.__doc__)

    def __call__(self, table: pd.DataFrame) -> float:
        """The mean over questions; NaN where the metric is undefined for all of them."""
        return mean(self.function(ReplyCounts.of(table)))

    def per_question(self, table: pd.DataFrame) -> pd.Series:
        """The value of each question, by its key; NaN where undefined."""
        counts = ReplyCounts.of(table)
        return pd.Series(self.function(counts), index=counts.questions, name=self.name)


#: Every metric by its name, in the order in which reports show them.
METRICS: dict[str, Metric] = {}


def _metric(
    title: str,
    better: Literal["higher", "lower", ""],
    formula: str,
    source: str,
    peers: tuple[str, ...] = (),
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Callable[[PerQuestion], Metric]:
    """Make a function of ``ReplyCounts`` a metric, and enter it in ``METRICS``."""

    def enter(function: PerQuestion) -> Metric:
        name = function.__name__
        METRICS[name] = Metric(name, title, better, formula, source, peers, bounds, function)
        return METRICS[name]

    return enter


def mean(values: np.ndarray) -> float:
    """The mean of the values that are not NaN; NaN if none."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")


def per_question(table: pd.DataFrame) -> pd.DataFrame:
    """One row a question, one column a metric; NaN where the metric is undefined."""
    counts = ReplyCounts.of(table)
    columns = {name: metric.function(counts) for name, metric in METRICS.items()}
    return pd.DataFrame(columns, index=counts.questions)


# Accuracy


@_metric("Accuracy, canonical order", "higher", "mean_r correct(identity, r)",
         "the usual way to score a benchmark", ("vanilla accuracy (VLMEvalKit)",))  # fmt: skip
def accuracy_canonical(counts: ReplyCounts) -> np.ndarray:
    """The share of correct replies to the canonical order."""
    return counts.mean(counts.correct, counts.canonical_order)


@_metric("Accuracy, mean order", "higher", "mean_o mean_r correct(o, r)",
         "expectation over the orders asked",
         ("macro accuracy (Facet-Probe)", "Accuracy (PA-GRPO)", "vanilla_all (VLMEvalKit)"))  # fmt: skip
def accuracy_mean(counts: ReplyCounts) -> np.ndarray:
    """The share of correct replies, averaged over repeats and then over orders."""
    share, question = counts.per_order(counts.correct)
    total = np.bincount(question, weights=share, minlength=len(counts.questions))
    return total / counts.orders


@_metric("Accuracy, worst order", "higher", "min_o correct(o)",
         "MMBench, CircularEval (arXiv 2307.06281), over image orders instead of option shifts",
         ("CircularEval (VLMEvalKit)", "all orders correct", "worst-case accuracy (Zong et al.)"))  # fmt: skip
def accuracy_worst(counts: ReplyCounts) -> np.ndarray:
    """1 if the question is answered right in every order. Depends on the number of orders."""
    return counts.extreme_correct(np.minimum)


@_metric("Accuracy, best order", "higher", "max_o correct(o)",
         "Facet-Probe (arXiv 2606.26079)", ("best-order accuracy", "any order correct"))  # fmt: skip
def accuracy_best(counts: ReplyCounts) -> np.ndarray:
    """1 if the question is answered right in at least one order. Depends on the number of orders."""
    return counts.extreme_correct(np.maximum)


# Agreement across orders


@_metric("Flip rate", "lower", "1 if |{canonical(o)}| > 1 else 0",
         "Facet-Probe (arXiv 2606.26079)", ("flip rate (Facet-Probe)",))  # fmt: skip
def flip_rate(counts: ReplyCounts) -> np.ndarray:
    """1 if the orders got more than one distinct answer; grows with the number of orders.

    Facet-Probe leaves unparsable replies out, and so calls a question stable whose other replies
    agree; here an unparsable reply is a flip.
    """
    distinct = np.bincount(counts.answers["question"], minlength=len(counts.questions))
    return _of_several_orders(counts, (distinct > 1).astype(float))


@_metric("Consistency", "higher", "max_a |{o: canonical(o) = a}| / K",
         "PA-GRPO (arXiv 2603.21016)",
         ("Con (PA-GRPO)", "modal fraction (Facet-Probe)"))  # fmt: skip
def consistency(counts: ReplyCounts) -> np.ndarray:
    """The share of the K orders that got the most frequent answer; 0 if no reply could be parsed."""
    return _of_several_orders(counts, _modal_votes(counts) / counts.orders)


@_metric("Consistent accuracy", "higher", "1 if the most frequent answer is unique and right else 0",
         "PA-GRPO (arXiv 2603.21016)", ("CA (PA-GRPO)", "majority vote over orders, ties fail"))  # fmt: skip
def consistent_accuracy(counts: ReplyCounts) -> np.ndarray:
    """1 if one answer is more frequent than every other, and right. A tie fails.

    Unparsable replies have no vote, but a single right answer among unparsable ones still wins, as
    it would in a majority vote.
    """
    answers = counts.answers
    top = (answers["votes"] == _modal_votes(counts)[answers["question"]]) & answers["parsable"]
    n_top = np.bincount(answers["question"][top], minlength=len(counts.questions))
    right = np.bincount(answers["question"][top & answers["correct"]], minlength=len(n_top))
    return _of_several_orders(counts, ((n_top == 1) & (right == 1)).astype(float))


@_metric("Answer entropy", "lower", "−Σ_a p_a log p_a / log C, C = min(K, possible answers)",
         "Facet-Probe (arXiv 2606.26079), ordering sensitivity index", ("OSI (Facet-Probe)",))  # fmt: skip
def normalized_entropy(counts: ReplyCounts) -> np.ndarray:
    """Entropy of the answers over K orders, as a share of the largest that is possible.

    Each unparsable reply is an answer of its own and adds one to the possible answers. Where these
    cannot be counted (open questions), C is K; Facet-Probe takes the number of *observed* answers
    there, by which two answers, however unequal in number, weigh more than in a question of many.
    """
    answers, n = counts.answers, len(counts.questions)
    parsable = answers["parsable"].to_numpy()
    question = answers["question"].to_numpy()
    distinct = np.bincount(question[parsable], minlength=n)
    possible = np.where(np.isnan(counts.n_choices), counts.orders, counts.n_choices)
    possible = np.maximum(possible, distinct) + np.bincount(question[~parsable], minlength=n)
    largest = np.log(np.maximum(np.minimum(possible, counts.orders), 2))
    share = answers["votes"].to_numpy() / counts.orders[question]
    entropy = np.bincount(question, weights=-share * np.log(share), minlength=n)
    return _of_several_orders(counts, np.clip(entropy / largest, 0.0, 1.0))


# Order against noise


@_metric("Noise floor", "lower", "share of pairs {(o, r), (o, r′)}, r ≠ r′, that disagree",
         "same-order control of Facet-Probe (arXiv 2606.26079)",
         ("decoder noise (Facet-Probe)", "1 − repetition stability (Judging the Judges)"))  # fmt: skip
def noise_floor(counts: ReplyCounts) -> np.ndarray:
    """How often two replies to the *same* order disagree; undefined without repeats."""
    return counts.disagreement(counts.all_pairs[1], counts.agreeing_pairs[1])


@_metric("Cross-order disagreement", "lower", "share of pairs {(o, r), (o′, r′)}, o ≠ o′, that disagree",
         "Facet-Probe (arXiv 2606.26079)", ("cross-order disagreement (Facet-Probe)", "1 − consistency rate (SCORE, over text options)"))  # fmt: skip
def cross_order_disagreement(counts: ReplyCounts) -> np.ndarray:
    """How often two replies to *different* orders disagree; noise and order effect together."""
    pairs, same_pairs = counts.all_pairs
    agreeing, same_agreeing = counts.agreeing_pairs
    return counts.disagreement(pairs - same_pairs, agreeing - same_agreeing)


@_metric("Order effect", "lower", "cross-order disagreement − noise floor",
         "Facet-Probe (arXiv 2606.26079)", ("δ_ordering (Facet-Probe)",), bounds=(-1.0, 1.0))  # fmt: skip
def order_effect(counts: ReplyCounts) -> np.ndarray:
    """What the order adds to disagreement beyond the model's own noise.

    0 is expected of a model whose answers do not depend on the order, however noisy it is; since it
    is a difference of two measured shares, it can come out a little below 0.
    """
    return cross_order_disagreement.function(counts) - noise_floor.function(counts)


# Unusable replies


@_metric("Unparsable replies", "lower", "mean_{o,r} [no answer could be read]", "own")
def unparsable_rate(counts: ReplyCounts) -> np.ndarray:
    """The share of replies from which no answer could be read."""
    return counts.mean(~counts.parsable)


def _of_several_orders(counts: ReplyCounts, values: np.ndarray) -> np.ndarray:
    """``values``, NaN for questions that were asked in one order only."""
    return np.where(counts.orders > 1, values, np.nan)


def _modal_votes(counts: ReplyCounts) -> np.ndarray:
    """float64 [Q]: how many orders got the most frequent parsable answer."""
    votes = np.zeros(len(counts.questions))
    answers = counts.answers[counts.answers["parsable"]]
    np.maximum.at(votes, answers["question"].to_numpy(), answers["votes"].to_numpy())
    return votes
