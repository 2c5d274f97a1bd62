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
        "all_orders_correct": float(all(c for replies in by_order.values() for _, c in replies)),
        "accuracy_best": float(any(c for _, c in first)),
        "accuracy_spread": float(len({c for _, c in first}) > 1) if len(first) > 1 else NAN,
        **_agreement(first, choices),
        **_equivariance(rows),
        "noise_floor": noise,
        "cross_order_disagreement": cross,
        "order_effect": cross - noise,
        **_effects(list(by_order.values()), choices),
        "unparsable_rate": fmean(a is None for replies in by_order.values() for a, _ in replies),
    }


def _agreement(first: list[tuple[str | None, bool]], choices: float) -> dict[str, float]:
    names = (
        "flip_rate",
        "consistency",
        "consistent_accuracy",
        "majority_vote",
        "pairwise_agreement",
        "normalized_entropy",
    )
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
        "majority_vote": sum(answer in right for answer in winners) / len(winners or "-"),
        "pairwise_agreement": 1 - _disagreement(list(itertools.combinations(first, 2))),
        "normalized_entropy": min(entropy / math.log(max(2, min(possible, k))), 1.0),
    }


def _disagreement(pairs: list) -> float:
    if not pairs:
        return NAN
    return fmean(one is None or one != other for (one, _), (other, _) in pairs)


def _effects(orders: list[list[tuple[str | None, bool]]], choices: float) -> dict[str, float]:
    """Every choice of m replies to m orders against every choice of m replies to one order."""
    all_orders, least = orders, min(map(len, orders))
    orders = [replies[:least] for replies in orders]
    m = min(len(orders), len(orders[0]))
    names = ("flip_rate", "consistency", "normalized_entropy")
    if m < 2:
        return dict.fromkeys(("flip_rate_effect", "consistency_effect", "entropy_effect"), NAN)
    across = [
        picked
        for chosen in itertools.combinations(orders, m)
        for picked in itertools.product(*chosen)
    ]
    everything = [a for replies in all_orders for a, _ in replies]
    parsed = {a for a in everything if a is not None}
    possible = math.inf if math.isnan(choices) else max(choices, len(parsed))
    possible += everything.count(None)
    within = [picked for replies in orders for picked in itertools.combinations(replies, m)]
    flip, con, entropy = (
        fmean(_of_m(p, name, possible) for p in across)
        - fmean(_of_m(p, name, possible) for p in within)
        for name in names
    )
    return {"flip_rate_effect": flip, "consistency_effect": -con, "entropy_effect": entropy}


def _equivariance(rows: pd.DataFrame) -> dict[str, float]:
    """Ordered pairs of first replies: where the picture that the first names stands elsewhere."""
    names = ("moves_with_picture", "sticks_to_slot")
    if "gold_slot" not in rows or rows["gold_slot"].isna().all():
        return dict.fromkeys(names, NAN)
    replies = []
    for order, same in rows.sort_values("repeat").groupby("order"):
        slot = same["chosen_slot"].iloc[0]
        pictures = [int(part) for part in str(order).split("-")]
        replies.append((pictures, None if math.isnan(slot) else int(slot)))
    telling, moves, sticks = 0, 0, 0
    for (one, slot), (other, other_slot) in itertools.permutations(replies, 2):
        if slot is None or other_slot is None:
            telling += 1
        elif other.index(one[slot]) != slot:
            telling += 1
            moves += other[other_slot] == one[slot]
            sticks += other_slot == slot
    if not telling:
        return dict.fromkeys(names, NAN)
    return {"moves_with_picture": moves / telling, "sticks_to_slot": sticks / telling}


def _of_m(replies, name: str, possible: float) -> float:
    m = len(replies)
    votes = Counter(object() if a is None else a for a, _ in replies)
    if name == "flip_rate":
        return float(len(votes) > 1)
    if name == "consistency":
        return max((n for a, n in votes.items() if isinstance(a, str)), default=0) / m
    entropy = sum(-n / m * math.log(n / m) for n in votes.values())
    return entropy / math.log(max(2, min(possible, m)))
