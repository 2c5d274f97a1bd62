"""Every metric once more, question by question in plain Python, straight from its definition."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from statistics import fmean

import pandas as pd

NAN = float("nan")


def slow_metrics(table: pd.DataFrame) -> pd.DataFrame:
    """One row a question, one column a metric."""
    rows = {question: _question(rows) for question, rows in table.groupby("question", sort=False)}
    return pd.DataFrame.from_dict(rows, orient="index")


def _question(rows: pd.DataFrame) -> dict[str, float]:
    choices = rows["n_choices"].iloc[0] if "n_choices" in rows else NAN
    by_order: dict[str, list[tuple[str | None, bool]]] = {}
    for _, row in rows.sort_values("repeat").iterrows():
        answer = row["canonical"] if isinstance(row["canonical"], str) else None
        by_order.setdefault(row["order"], []).append((answer, bool(row["correct"])))
    first = [replies[0] for replies in by_order.values()]
    canonical = by_order.get("0-1-2", [])
    noise = _disagreement(
        [pair for replies in by_order.values() for pair in itertools.combinations(replies, 2)]
    )
    cross = _disagreement(
        [
            pair
            for one, other in itertools.combinations(by_order.values(), 2)
            for pair in itertools.product(one, other)
        ]
    )
    return {
        "accuracy_canonical": fmean(c for _, c in canonical) if canonical else NAN,
        "accuracy_mean": fmean(fmean(c for _, c in replies) for replies in by_order.values()),
        "accuracy_worst": float(all(c for _, c in first)),
        "accuracy_best": float(any(c for _, c in first)),
        **_agreement(first, choices),
        "noise_floor": noise,
        "cross_order_disagreement": cross,
        "order_effect": cross - noise,
        "unparsable_rate": fmean(a is None for replies in by_order.values() for a, _ in replies),
    }


def _agreement(first: list[tuple[str | None, bool]], choices: float) -> dict[str, float]:
    names = ("flip_rate", "consistency", "consistent_accuracy", "normalized_entropy")
    k = len(first)
    if k < 2:
        return dict.fromkeys(names, NAN)
    answers = [object() if a is None else a for a, _ in first]  # no two unparsable ones are equal
    votes = Counter(answers)
    parsed = {answer: n for answer, n in votes.items() if isinstance(answer, str)}
    top = max(parsed.values(), default=0)
    winners = [answer for answer, n in parsed.items() if n == top]
    right = {a for a, correct in first if correct}
    possible = (k if math.isnan(choices) else max(choices, len(parsed))) + len(votes) - len(parsed)
    entropy = sum(-n / k * math.log(n / k) for n in votes.values())
    return {
        "flip_rate": float(len(votes) > 1),
        "consistency": top / k,
        "consistent_accuracy": float(len(winners) == 1 and winners[0] in right),
        "normalized_entropy": min(entropy / math.log(max(2, min(possible, k))), 1.0),
    }


def _disagreement(pairs: list) -> float:
    if not pairs:
        return NAN
    return fmean(one is None or one != other for (one, _), (other, _) in pairs)
