"""What a metric is, and the register of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Literal, TypeVar
from weakref import WeakKeyDictionary

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
        unparsable: what an unparsable reply does.
        function: computes the values [Q] from the counts.
    """

    name: str
    title: str
    better: Literal["higher", "lower", ""]
    formula: str
    source: str
    peers: tuple[str, ...]
    bounds: tuple[float, float]
    unparsable: str
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


def metric(
    title: str,
    better: Literal["higher", "lower", ""],
    formula: str,
    source: str,
    peers: tuple[str, ...] = (),
    bounds: tuple[float, float] = (0.0, 1.0),
    *,
    unparsable: str,
) -> Callable[[PerQuestion], Metric]:
    """Make a function of ``ReplyCounts`` a metric, and enter it in ``METRICS``."""

    def enter(function: PerQuestion) -> Metric:
        name = function.__name__
        METRICS[name] = Metric(
            name, title, better, formula, source, peers, bounds, unparsable, function
        )
        return METRICS[name]

    return enter


Value = TypeVar("Value")


def once_per_table(function: Callable[[ReplyCounts], Value]) -> Callable[[ReplyCounts], Value]:
    """Remember what several metrics share for as long as the counts of their table live."""
    found: WeakKeyDictionary[ReplyCounts, Value] = WeakKeyDictionary()

    @wraps(function)
    def remembered(counts: ReplyCounts) -> Value:
        if counts not in found:
            found[counts] = function(counts)
        return found[counts]

    return remembered


def mean(values: np.ndarray) -> float:
    """The mean of the values that are not NaN; NaN if none."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")


def of_several_orders(counts: ReplyCounts, values: np.ndarray) -> np.ndarray:
    """``values``, NaN for questions that were asked in one order only."""
    return np.where(counts.orders > 1, values, np.nan)
