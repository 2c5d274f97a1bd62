"""How often the answer is right: over orders, in the worst and in the best of them."""

from __future__ import annotations

import numpy as np

from evals.metric import metric, of_several_orders
from evals.reply_counts import ReplyCounts


@metric("Accuracy, canonical order", "higher", "mean_r correct(identity, r)",
        "the usual way to score a benchmark", ("vanilla accuracy (VLMEvalKit)",),
        unparsable="is wrong")  # fmt: skip
def accuracy_canonical(counts: ReplyCounts) -> np.ndarray:
    """The share of correct replies to the canonical order."""
    return counts.mean(counts.correct, counts.canonical_order)


@metric("Accuracy, mean order", "higher", "mean_o mean_r correct(o, r)",
        "expectation over the orders asked",
        ("macro accuracy (Facet-Probe)", "Accuracy (PA-GRPO)", "vanilla_all (VLMEvalKit)"),
        unparsable="is wrong")  # fmt: skip
def accuracy_mean(counts: ReplyCounts) -> np.ndarray:
    """The share of correct replies, averaged over repeats and then over orders."""
    share, question = counts.per_order(counts.correct)
    total = np.bincount(question, weights=share, minlength=len(counts.questions))
    return total / counts.orders


@metric("Accuracy, worst order", "higher", "min_o correct(o)",
        "MMBench, CircularEval (arXiv 2307.06281), over image orders instead of option shifts",
        ("CircularEval (VLMEvalKit)", "all orders correct", "worst-case accuracy (Zong et al.)"),
        unparsable="is wrong")  # fmt: skip
def accuracy_worst(counts: ReplyCounts) -> np.ndarray:
    """1 if the question is answered right in every order. Depends on the number of orders."""
    return counts.extreme_correct(np.minimum)


@metric("All replies correct", "higher", "min_{o,r} correct(o, r)",
        "CircularEval made strict over repeats", ("NLVR2 consistency", "group accuracy (NaturalBench)"),
        unparsable="is wrong")  # fmt: skip
def all_orders_correct(counts: ReplyCounts) -> np.ndarray:
    """1 if every reply is right, in every order and every repeat; ``accuracy_worst`` if asked once."""
    return (counts.count(counts.correct) == counts.count(np.ones_like(counts.correct))).astype(
        float
    )


@metric("Accuracy, best order", "higher", "max_o correct(o)",
        "Facet-Probe (arXiv 2606.26079)", ("best-order accuracy", "any order correct"),
        unparsable="is wrong")  # fmt: skip
def accuracy_best(counts: ReplyCounts) -> np.ndarray:
    """1 if the question is answered right in at least one order. Depends on the number of orders."""
    return counts.extreme_correct(np.maximum)


@metric("Accuracy, spread", "lower", "max_o correct(o) − min_o correct(o)",
        "sensitivity gap of Pezeshkpour and Hruschka (arXiv 2308.11483), question by question",
        ("sensitivity gap", "accuracy swing (Facet-Probe)"),
        unparsable="is wrong")  # fmt: skip
def accuracy_spread(counts: ReplyCounts) -> np.ndarray:
    """1 if the order decides whether the question is answered right: best minus worst order.

    Peers subtract the accuracies of whole data sets in their best and worst order, which cannot be
    done where every question has orders of its own; this one is at least as large.
    """
    spread = accuracy_best.function(counts) - accuracy_worst.function(counts)
    return of_several_orders(counts, spread)
