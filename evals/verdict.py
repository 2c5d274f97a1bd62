"""A run's result in one sentence."""

from __future__ import annotations

import math

from evals.statistics import Estimate
from evals.summary import Summary

#: An order effect whose interval ends below this is called robust.
NEGLIGIBLE = 0.02
#: From this share on the verdict says that replies were unparsable.
_MANY_UNPARSABLE = 0.05


def percent(value: float, digits: int = 1) -> str:
    """A share in percent, or a dash where it is undefined.

    >>> percent(0.1234), percent(float("nan"))
    ('12.3 %', '–')
    """
    return "–" if math.isnan(value) else f"{100 * value:.{digits}f} %"


def points(value: float) -> str:
    """A difference of shares in points, with its sign.

    >>> points(0.071), points(-0.02)
    ('+7.1', '−2.0')
    """
    return "–" if math.isnan(value) else f"{100 * value:+.1f}".replace("-", "−")


def judge(metrics: Summary) -> str:
    """The verdict in two words: what the intervals allow to be said, no more."""
    effect = metrics["order_effect"]
    if math.isnan(metrics["flip_rate"].value):
        return "order not tested"
    if math.isnan(effect.value):
        return "noise not measured"
    if effect.low > 0:
        return "order-sensitive"
    return "order-robust" if effect.high <= NEGLIGIBLE else "no order effect shown"


def verdict(name: str, metrics: Summary) -> str:
    """The verdict on a run in one sentence."""
    judgement = judge(metrics)
    accuracy = metrics["accuracy_mean"]
    sentence = f"{name} answers {percent(accuracy.value)} right ({_span(accuracy)})"
    if judgement == "order not tested":
        sentence += (
            "; no question was asked in more than one order, so nothing is known of the order"
        )
    else:
        sentence += f", averaged over orders, and {_agreement(metrics)}"
        sentence += {
            "noise not measured": "; how much of that is mere noise is not known, since each order was asked once",
            "order-sensitive": f"; {_disagreement(metrics)}, so the order itself adds {_effect(metrics)}",
            "order-robust": f"; {_disagreement(metrics)}, so the order adds next to nothing: {_effect(metrics)}",
            "no order effect shown": f"; {_disagreement(metrics)}, a difference of {_effect(metrics)}, "
            "which is too uncertain to call an order effect",
        }[judgement]
    unparsable = metrics["unparsable_rate"].value
    if unparsable >= _MANY_UNPARSABLE:
        sentence += f"; {percent(unparsable)} of its replies could not be read"
    return sentence + "."


def _agreement(metrics: Summary) -> str:
    return f"changes its answer with the order in {percent(metrics['flip_rate'].value)} of the questions"


def _disagreement(metrics: Summary) -> str:
    return (
        f"two replies differ in {percent(metrics['cross_order_disagreement'].value)} of cases across "
        f"orders and in {percent(metrics['noise_floor'].value)} within one order"
    )


def _effect(metrics: Summary) -> str:
    effect = metrics["order_effect"]
    return f"{points(effect.value)} points (95 % interval {points(effect.low)} to {points(effect.high)})"


def _span(estimate: Estimate) -> str:
    return f"95 % interval {100 * estimate.low:.1f} to {percent(estimate.high)}"
