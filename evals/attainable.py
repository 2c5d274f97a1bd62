"""Between what values of one question a metric can lie, given how often and in how many orders it was asked."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

from evals.metric import METRICS
from evals.reply_counts import ReplyCounts

Bounds = dict[str, tuple[float, float]]
#: Orders, repeats and possible answers of a question.
_Design = tuple[int, int, int]


def attainable_bounds(counts: ReplyCounts) -> Bounds:
    """The range of each metric's value of one question, averaged over the questions' designs.

    Most metrics have their range whatever the design. An effect above the noise floor has not: it is
    largest where the order alone decides, and smallest where every order gets the same replies that
    differ among themselves. With two repeats the latter is −1/2, never −1; and six orders of three
    possible answers cannot all disagree. Those two questions are made up and measured.
    """
    bounds = {name: metric.bounds for name, metric in METRICS.items()}
    effects = [name for name, (low, _) in bounds.items() if low < 0]
    designs = _designs(counts)
    if not designs:
        return bounds
    made_up = ReplyCounts.of(pd.concat([_extremes(design) for design in designs]))
    weights = np.array(list(designs.values()), dtype=float)
    for name in effects:
        values = METRICS[name].function(made_up).reshape(len(designs), 2)
        low, high = np.average(values, axis=0, weights=weights)
        bounds[name] = float(low), float(high)
    return bounds


def usual_orders(counts: ReplyCounts) -> int:
    """In how many orders a question is asked, on average, rounded."""
    asked = sum(block.rows.shape[0] * block.rows.shape[1] for block in counts.blocks)
    return round(asked / max(sum(len(block.rows) for block in counts.blocks), 1))


def _designs(counts: ReplyCounts) -> Counter[_Design]:
    """How many questions have each design, those without repeats or other orders left out."""
    found: Counter[_Design] = Counter()
    for block in counts.blocks:
        _, orders, repeats = block.rows.shape
        if min(orders, repeats) > 1:
            most = orders * repeats
            choices = np.nan_to_num(counts.n_choices[block.questions], nan=most)
            for answers in np.clip(choices, 2, most).astype(int):
                found[orders, repeats, int(answers)] += 1
    return found


def _extremes(design: _Design) -> pd.DataFrame:
    """Two questions: in one every order gets the same replies, in the other each has a reply of its own."""
    orders, repeats, answers = design
    order, repeat = (axis.ravel() for axis in np.indices((orders, repeats)))
    slots = np.arange(orders)
    return pd.concat(
        pd.DataFrame(
            {
                "question": f"{design} {name}",
                # As many orders as were asked; which ones does not matter.
                "order": ["-".join(map(str, np.roll(slots, int(shift)))) for shift in order],
                "repeat": repeat,
                "canonical": [str(number % answers) for number in number_of],
                "correct": False,
            }
        )
        for name, number_of in (("lowest", repeat), ("highest", order))
    )
