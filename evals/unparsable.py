"""Replies that say nothing that can be read."""

from __future__ import annotations

import numpy as np

from evals.metric import metric
from evals.reply_counts import ReplyCounts


@metric("Unparsable replies", "lower", "mean_{o,r} [no answer could be read]", "own",
        unparsable="is counted")  # fmt: skip
def unparsable_rate(counts: ReplyCounts) -> np.ndarray:
    """The share of replies from which no answer could be read."""
    return counts.mean(~counts.parsable)
