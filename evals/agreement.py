"""How alike the answers to different orders of one question are."""

from __future__ import annotations

import numpy as np

from evals.metric import metric, of_several_orders
from evals.reply_counts import ReplyCounts


@metric("Flip rate", "lower", "1 if |{canonical(o)}| > 1 else 0",
        "Facet-Probe (arXiv 2606.26079)", ("flip rate (Facet-Probe)",),
        unparsable="is a flip")  # fmt: skip
def flip_rate(counts: ReplyCounts) -> np.ndarray:
    """1 if the orders got more than one distinct answer; grows with the number of orders.

    Facet-Probe leaves unparsable replies out, and so calls a question stable whose other replies
    agree; here an unparsable reply is a flip.
    """
    distinct = np.bincount(counts.answers["question"], minlength=len(counts.questions))
    return of_several_orders(counts, (distinct > 1).astype(float))


@metric("Consistency", "higher", "max_a |{o: canonical(o) = a}| / K",
        "PA-GRPO (arXiv 2603.21016)",
        ("Con (PA-GRPO)", "modal fraction (Facet-Probe)"),
        unparsable="has no vote, its order counts")  # fmt: skip
def consistency(counts: ReplyCounts) -> np.ndarray:
    """The share of the K orders that got the most frequent answer; 0 if no reply could be parsed."""
    return of_several_orders(counts, _modal_votes(counts) / counts.orders)


@metric("Consistent accuracy", "higher", "1 if the most frequent answer is unique and right else 0",
        "PA-GRPO (arXiv 2603.21016)", ("CA (PA-GRPO)",),
        unparsable="has no vote")  # fmt: skip
def consistent_accuracy(counts: ReplyCounts) -> np.ndarray:
    """1 if one answer is more frequent than every other, and right. A tie fails.

    Unparsable replies have no vote, but a single right answer among unparsable ones still wins, as
    it would in a majority vote.
    """
    n_top, right = _winners(counts)
    return of_several_orders(counts, ((n_top == 1) & (right == 1)).astype(float))


@metric("Majority vote", "higher", "[gold ∈ W] / |W|, W = the most frequent answers",
        "self-consistency over orders instead of samples (arXiv 2203.11171)",
        ("accuracy of the vote over orders",),
        unparsable="has no vote")  # fmt: skip
def majority_vote(counts: ReplyCounts) -> np.ndarray:
    """How often a vote over the orders is right, ties being broken at random (its expectation).

    ``consistent_accuracy`` is the same vote with lost ties. Unparsable replies have no vote; without
    any vote the question is answered wrong.
    """
    n_top, right = _winners(counts)
    return of_several_orders(counts, right / np.maximum(n_top, 1))


@metric("Pairwise agreement", "higher", "share of pairs {o, o′} with canonical(o) = canonical(o′)",
        "SCORE (arXiv 2503.00137), over text options there",
        ("consistency rate (SCORE)", "position consistency (Judging the Judges)"),
        unparsable="agrees with nothing")  # fmt: skip
def pairwise_agreement(counts: ReplyCounts) -> np.ndarray:
    """How often two orders get the same answer. Unlike the flip rate it does not grow with K."""
    answers, n = counts.answers, len(counts.questions)
    votes = np.where(answers["parsable"], answers["votes"], 0.0)
    agreeing = np.bincount(answers["question"], weights=votes * (votes - 1) / 2, minlength=n)
    pairs = counts.orders * (counts.orders - 1) / 2
    return of_several_orders(counts, agreeing / np.maximum(pairs, 1))


@metric("Answer entropy", "lower", "−Σ_a p_a log p_a / log C, C = min(K, possible answers)",
        "Facet-Probe (arXiv 2606.26079), ordering sensitivity index", ("OSI (Facet-Probe)",),
        unparsable="is an answer of its own")  # fmt: skip
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
    return of_several_orders(counts, np.clip(entropy / largest, 0.0, 1.0))


def _modal_votes(counts: ReplyCounts) -> np.ndarray:
    """float64 [Q]: how many orders got the most frequent parsable answer."""
    votes = np.zeros(len(counts.questions))
    answers = counts.answers[counts.answers["parsable"]]
    np.maximum.at(votes, answers["question"].to_numpy(), answers["votes"].to_numpy())
    return votes


def _winners(counts: ReplyCounts) -> tuple[np.ndarray, np.ndarray]:
    """int64 [Q] twice: how many answers are the most frequent ones, and how many of these right."""
    answers, n = counts.answers, len(counts.questions)
    top = (answers["votes"] == _modal_votes(counts)[answers["question"]]) & answers["parsable"]
    n_top = np.bincount(answers["question"][top], minlength=n)
    return n_top, np.bincount(answers["question"][top & answers["correct"]], minlength=n)
