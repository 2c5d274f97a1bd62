"""What a run's table says: every metric with its interval, overall and in parts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from agents.engines.base import REFUSED
from evals.attainable import attainable_bounds, usual_orders
from evals.bias import estimate_slot_bias
from evals.letters import estimate_letter_bias, letter_choices
from evals.metrics import values_of
from evals.reply_counts import ReplyCounts
from evals.slots import gold_slot_terms, slot_choices
from evals.statistics import RESAMPLES, Estimate, estimate_means, estimate_ratios
from evals.table import class_group
from perl_env.errors import InputError

#: By what the metrics are broken down.
BREAKDOWNS = ("class_group", "order_class", "kind", "task")

Estimates = Mapping[str, Estimate]


@dataclass(frozen=True)
class Summary(Mapping[str, Estimate]):
    """The metrics of a run; ``summary["flip_rate"]`` is an ``Estimate``.

    Attributes:
        overall: every metric over all questions.
        parts: by breakdown (``class_group``, ``order_class``, ``kind``, ``task``) and its value.
        gold_slots: accuracy by slot of the gold.
        choices: by slot, how often it was chosen and how often it held the gold.
        bias: preferences for slots and letters, see ``evals.bias`` and ``evals.letters``.
        letters: by letter, how often it was chosen and how often it was the gold.
        refused: how many of the replies are none, since an endpoint refused the request.
        questions: number of questions.
        replies: number of replies.
    """

    overall: Estimates
    parts: Mapping[str, Mapping[str, Estimates]]
    gold_slots: Mapping[int, Estimate]
    choices: pd.DataFrame
    questions: int
    replies: int
    bias: Estimates = field(default_factory=dict)
    letters: pd.DataFrame = field(default_factory=pd.DataFrame)
    refused: int = 0

    def __getitem__(self, name: str) -> Estimate:
        return self.overall[name]

    def __iter__(self):
        return iter(self.overall)

    def __len__(self) -> int:
        return len(self.overall)

    def as_json(self) -> dict[str, Any]:
        """Plain data for ``results.json``; what is undefined is null."""
        data = {
            "questions": self.questions,
            "replies": self.replies,
            "refused": self.refused,
            "metrics": _plain(self.overall),
            "by": {name: {part: _plain(found) for part, found in parts.items()}
                   for name, parts in self.parts.items()},
            "accuracy_by_gold_slot": _plain(self.gold_slots),
            "bias": _plain(self.bias),
            "letter_choices": self.letters.to_dict("index"),
            "slot_choices": {str(slot): row for slot, row in self.choices.to_dict("index").items()},
        }  # fmt: skip
        return _without_nan(data)


def summarize(table: pd.DataFrame, resamples: int = RESAMPLES, seed: int = 0) -> Summary:
    """Every metric of a table with its 95 % interval, clustered by question.

    Raises:
        InputError: the table is empty or lacks a column.
    """
    if not len(table):
        raise InputError("no replies to measure", where="table", expected="at least one row", got=0)
    counts = ReplyCounts.of(table)
    values, bounds, orders = values_of(counts), attainable_bounds(counts), usual_orders(counts)
    overall = estimate_means(values, bounds, resamples, seed, orders=orders)
    return Summary(
        overall=overall,
        parts={
            name: {
                str(part): overall
                if len(keys) == len(values)
                else estimate_means(values.loc[keys], bounds, resamples, seed, orders=orders)
                for part, keys in _parts(table, name).items()
            }
            for name in BREAKDOWNS
        },
        gold_slots=_gold_slots(table, resamples, seed),
        choices=slot_choices(table) if "chosen_slot" in table else pd.DataFrame(),
        questions=len(values),
        replies=len(table),
        bias=estimate_slot_bias(table, resamples, seed, orders=orders)
        | estimate_letter_bias(table, resamples, seed),
        letters=letter_choices(table),
        refused=int((table["finish_reason"] == REFUSED).sum()) if "finish_reason" in table else 0,
    )


def _parts(table: pd.DataFrame, name: str) -> dict[Any, list[str]]:
    """The keys of the questions in each part; none where there is but an unnamed part."""
    source = "order_class" if name == "class_group" else name
    if source not in table:
        return {}
    first = table.drop_duplicates("question").set_index("question")[source]
    if name == "class_group":
        first = first.map(class_group)
    return {
        part: list(keys)
        for part, keys in first.groupby(first, sort=True).groups.items()
        if part != ""
    }


def _gold_slots(table: pd.DataFrame, resamples: int, seed: int) -> dict[int, Estimate]:
    if "gold_slot" not in table or table["gold_slot"].isna().all():
        return {}
    correct, n = gold_slot_terms(table)
    found = estimate_ratios(correct, n, resamples=resamples, seed=seed)
    return {int(str(slot)): estimate for slot, estimate in found.items()}


def _plain(estimates: Mapping[Any, Estimate]) -> dict[str, dict[str, Any]]:
    return {str(name): asdict(estimate) for name, estimate in estimates.items()}


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value
