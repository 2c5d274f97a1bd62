"""What the order adds to disagreement beyond the noise between replies to one order."""

from __future__ import annotations

import numpy as np

from evals.metric import metric, once_per_table
from evals.reply_blocks import Choice, choices_across_orders, choices_within_orders
from evals.reply_counts import ReplyCounts


@metric("Noise floor", "lower", "share of pairs {(o, r), (o, r′)}, r ≠ r′, that disagree",
        "same-order control of Facet-Probe (arXiv 2606.26079)",
        ("decoder noise (Facet-Probe)", "1 − repetition stability (Judging the Judges)"),
        unparsable="agrees with nothing")  # fmt: skip
def noise_floor(counts: ReplyCounts) -> np.ndarray:
    """How often two replies to the *same* order disagree; undefined without repeats."""
    return counts.disagreement(counts.all_pairs[1], counts.agreeing_pairs[1])


@metric("Cross-order disagreement", "lower", "share of pairs {(o, r), (o′, r′)}, o ≠ o′, that disagree",
        "Facet-Probe (arXiv 2606.26079)", ("cross-order disagreement (Facet-Probe)", "1 − consistency rate (SCORE, over text options)"),
        unparsable="agrees with nothing")  # fmt: skip
def cross_order_disagreement(counts: ReplyCounts) -> np.ndarray:
    """How often two replies to *different* orders disagree; noise and order effect together."""
    pairs, same_pairs = counts.all_pairs
    agreeing, same_agreeing = counts.agreeing_pairs
    return counts.disagreement(pairs - same_pairs, agreeing - same_agreeing)


@metric("Order effect", "lower", "cross-order disagreement − noise floor",
        "Facet-Probe (arXiv 2606.26079)", ("δ_ordering (Facet-Probe)",), bounds=(-1.0, 1.0),
        unparsable="agrees with nothing, on both sides")  # fmt: skip
def order_effect(counts: ReplyCounts) -> np.ndarray:
    """What the order adds to disagreement beyond the model's own noise.

    0 is expected of a model whose answers do not depend on the order, however noisy it is; since it
    is a difference of two measured shares, it can come out a little below 0.
    """
    return cross_order_disagreement.function(counts) - noise_floor.function(counts)


# The same for the other measures of agreement. They depend on how many replies are compared, so m
# replies to m orders are set against m replies to one order, m = min(orders, repeats): the mean over
# all choices of m replies. With two repeats m is 2, and all three say what the order effect says.


@metric("Order effect on flips", "lower",
        "P(m replies to m orders differ) − P(m replies to one order differ), m = min(K, R)",
        "flip rate of Facet-Probe (arXiv 2606.26079) above its same-order control", bounds=(-1.0, 1.0),
        unparsable="is a flip, on both sides")  # fmt: skip
def flip_rate_effect(counts: ReplyCounts) -> np.ndarray:
    """What the order adds to the flip rate of m replies; undefined without repeats."""
    return _effects(counts)[0]


@metric("Order effect on consistency", "lower",
        "E[modal share of m replies to one order] − E[modal share of m replies to m orders]",
        "Con of PA-GRPO (arXiv 2603.21016) below its same-order control", bounds=(-1.0, 1.0),
        unparsable="has no vote, on both sides")  # fmt: skip
def consistency_effect(counts: ReplyCounts) -> np.ndarray:
    """What the order takes from the consistency of m replies; undefined without repeats."""
    return -_effects(counts)[1]


@metric("Order effect on entropy", "lower",
        "E[H of m replies to m orders] − E[H of m replies to one order], H normalised to [0, 1]",
        "OSI of Facet-Probe (arXiv 2606.26079) above its same-order control", bounds=(-1.0, 1.0),
        unparsable="is an answer of its own, on both sides")  # fmt: skip
def entropy_effect(counts: ReplyCounts) -> np.ndarray:
    """What the order adds to the normalised entropy of m replies; undefined without repeats."""
    return _effects(counts)[2]


@once_per_table
def _effects(counts: ReplyCounts) -> np.ndarray:
    """float64 [3, Q]: flips, modal share and entropy, across orders less within orders."""
    effects = np.full((3, len(counts.questions)), np.nan)
    for block in counts.blocks:
        _, k, r = block.rows.shape
        if min(k, r) > 1:
            possible = counts.possible_answers[block.questions]
            across, within = (
                _mean_over(choices, counts, block.rows, possible)
                for choices in (choices_across_orders(k, r), choices_within_orders(k, r))
            )
            effects[:, block.questions] = across - within
    return effects


def _mean_over(
    choices: tuple[Choice, ...], counts: ReplyCounts, rows: np.ndarray, possible: np.ndarray
) -> np.ndarray:
    """float64 [3, Q]: flips, modal share and entropy of m replies, averaged over the choices."""
    m = len(choices[0])
    largest = np.log(np.maximum(np.minimum(possible, m), 2))
    log_shares = np.log(np.arange(1, m + 1) / m)
    total = np.zeros((3, len(rows)))
    for choice in choices:
        picked = np.stack([rows[:, order, repeat] for order, repeat in choice], axis=1)
        answers, parsable = counts.answer[picked], counts.parsable[picked]
        votes = (answers[:, :, None] == answers[:, None, :]).sum(2)
        total[0] += votes[:, 0] < m
        total[1] += (votes * parsable).max(1) / m
        total[2] -= log_shares[votes - 1].mean(1) / largest
    return total / len(choices)
