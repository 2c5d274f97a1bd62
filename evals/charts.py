"""The report's plots as inline SVG: a few kilobytes, and coloured by the page's style sheet.

Drawn by hand, because a plot then follows light and dark mode and needs no script.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup, escape

from evals.chart_style import colour_class
from evals.metrics import METRICS
from evals.statistics import Estimate
from evals.summary import Summary

WIDTH = 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 10, 10, 34


@dataclass(frozen=True)
class Series:
    """One run's points: x (slot, counted from one, or option letter) to estimate."""

    name: str
    points: Mapping[int | str, Estimate]


def element(tag: str, content: object = "", **attributes: object) -> Markup:
    """An SVG element; attribute names are given with ``_`` for ``-``, and ``class_`` for ``class``."""
    pairs = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_number(value))}"'
        for name, value in attributes.items()
    )
    inner = content if isinstance(content, Markup) else escape(content)
    return Markup(f"<{tag}{pairs}>{inner}</{tag}>")


def _number(value: object) -> object:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else value


def group(parts: Sequence[Markup], **attributes: object) -> Markup:
    """SVG elements as one group."""
    return element("g", Markup("").join(parts), **attributes)


def drawing(parts: Sequence[Markup], height: float, label: str) -> Markup:
    """A plot of these elements, ``WIDTH`` wide; ``label`` is what a screen reader says."""
    return element("svg", Markup("").join(parts), viewBox=f"0 0 {WIDTH} {height:.0f}", role="img",
                   aria_label=label, class_="chart")  # fmt: skip


def slot_chart(
    series: Sequence[Series],
    label: str,
    reference: Mapping[int | str, float] | None = None,
    axis: str = "slot (image number)",
) -> Markup:
    """Shares by slot or letter, one line a run with its intervals; ``reference`` is drawn dashed."""
    reference = reference or {}
    places = sorted({place for one in series for place in one.points} | set(reference), key=_rank)
    if not places:
        return Markup("")
    height, top_value = 230, _axis_end(series, reference)
    span = max(len(places) - 1, 1)

    def x(place: int | str) -> float:
        inner = WIDTH - _LEFT - _RIGHT - 40
        return _LEFT + 20 + (inner * places.index(place) / span if len(places) > 1 else inner / 2)

    def y(share: float) -> float:
        return height - _BOTTOM - (height - _BOTTOM - _TOP) * share / top_value

    parts = [_share_axis(y, top_value, WIDTH - _RIGHT)]
    parts += [
        element("text", place, x=x(place), y=height - 17.0, class_="tick middle")
        for place in places
    ]
    parts.append(element("text", axis, x=WIDTH / 2 + 15, y=height - 3.0, class_="axis middle"))
    if reference:
        steps = " ".join(
            f"{x(place):.1f},{y(reference[place]):.1f}" for place in sorted(reference, key=_rank)
        )
        parts.append(element("polyline", points=steps, class_="reference"))
    for i, one in enumerate(series):
        parts.append(_line(one, i, len(series), x, y))
    return drawing(parts, height, label)


def _rank(place: int | str) -> tuple[bool, int, str]:
    return isinstance(place, str), 0 if isinstance(place, str) else place, str(place)


def _axis_end(series: Sequence[Series], reference: Mapping[int | str, float]) -> float:
    """The end of the share axis: the least multiple of 20 % that holds everything."""
    highs = [
        e.high if not math.isnan(e.high) else e.value for one in series for e in one.points.values()
    ]
    largest = max([*highs, *reference.values(), 0.01])
    return min(1.0, math.ceil(largest * 5 - 1e-9) / 5)


def _share_axis(y, top_value: float, right: float) -> Markup:
    parts = []
    for step in range(5):
        share = top_value * step / 4
        parts.append(element("line", x1=_LEFT, x2=right, y1=y(share), y2=y(share), class_="grid"))
        parts.append(
            element("text", f"{100 * share:.0f} %", x=_LEFT - 5, y=y(share) + 4, class_="tick end")
        )
    return group(parts)


def _line(series: Series, index: int, n: int, x, y) -> Markup:
    """Points with intervals, moved sideways a little so that runs do not hide each other."""
    shift = (index - (n - 1) / 2) * 5
    points = [
        (x(place) + shift, series.points[place])
        for place in sorted(series.points, key=_rank)
        if not math.isnan(series.points[place].value)
    ]
    path = " ".join(f"{px:.1f},{y(e.value):.1f}" for px, e in points)
    parts = [element("polyline", points=path, class_="curve")]
    for px, e in points:
        if not math.isnan(e.low):
            parts.append(
                element(
                    "line",
                    x1=px,
                    x2=px,
                    y1=y(max(e.low, 0)),
                    y2=y(min(e.high, 1)),
                    class_="whisker",
                )
            )
        parts.append(_marker(px, y(e.value), index, f"{series.name}: {100 * e.value:.1f} %"))
    return group(parts, class_=colour_class(index))


def _marker(x: float, y: float, index: int, title: str) -> Markup:
    """A marker whose shape differs between neighbouring runs, for readers who see no colours."""
    tip = element("title", title)
    if index % 3 == 0:
        return element("circle", tip, cx=x, cy=y, r=3.6, class_="marker")
    if index % 3 == 1:
        return element("rect", tip, x=x - 3.4, y=y - 3.4, width=6.8, height=6.8, class_="marker")
    corners = f"{x:.1f},{y - 4.6:.1f} {x + 4.4:.1f},{y + 3.4:.1f} {x - 4.4:.1f},{y + 3.4:.1f}"
    return element("polygon", tip, points=corners, class_="marker")


def disagreement_chart(runs: Sequence[tuple[str, Summary]], label: str) -> Markup:
    """For each run how much replies to different orders disagree: noise, and what the order adds."""
    shown = [(i, name, m) for i, (name, m) in enumerate(runs)
             if not math.isnan(m["cross_order_disagreement"].value)]  # fmt: skip
    if not shown:
        return Markup("")
    row, top = 46, 4
    ends = [max(_whisker(m)[1], m["cross_order_disagreement"].value) for _, _, m in shown]
    largest = min(1.0, math.ceil(max([*ends, 0.05]) * 10 - 1e-9) / 10)
    bottom = top + row * len(shown)

    def x(share: float) -> float:
        return 12 + (WIDTH - 30) * min(max(share, 0.0), largest) / largest

    parts = []
    for step in range(5):
        share = largest * step / 4
        text = f"{100 * share:.1f}".removesuffix(".0") + " %"
        parts.append(element("line", x1=x(share), x2=x(share), y1=top, y2=bottom, class_="grid"))
        parts.append(element("text", text, x=x(share), y=bottom + 14.0, class_="tick middle"))
    for place, (i, name, metrics) in enumerate(shown):
        parts.append(_disagreement_bar(name, metrics, i, top + row * place, x))
    parts.append(
        element(
            "text",
            "pairs of replies that disagree",
            x=WIDTH / 2,
            y=bottom + 30.0,
            class_="axis middle",
        )
    )
    return drawing(parts, bottom + 34, label)


def _disagreement_bar(name: str, metrics: Summary, index: int, top: float, x) -> Markup:
    cross, noise = (metrics[key].value for key in ("cross_order_disagreement", "noise_floor"))
    floor = 0.0 if math.isnan(noise) else noise
    low, high = _whisker(metrics)
    bar = top + 20
    short = name if len(name) <= 34 else name[:33] + "…"
    parts = [
        element("text", short, x=x(0), y=top + 14.0, class_="name"),
        element("rect", element("title", f"noise floor {100 * floor:.1f} %"),
                x=x(0), y=bar, width=x(floor) - x(0), height=14, class_="noise"),
        element("rect", element("title", f"across orders {100 * cross:.1f} %"), x=x(min(floor, cross)),
                y=bar, width=abs(x(cross) - x(floor)), height=14,
                class_=_kind_of_bar(cross, noise)),
    ]  # fmt: skip
    if not math.isnan(low):
        parts.append(element("line", x1=x(low), x2=x(high), y1=bar + 7, y2=bar + 7, class_="error"))
        parts += [
            element("line", x1=x(end), x2=x(end), y1=bar + 3, y2=bar + 11, class_="error")
            for end in (low, high)
        ]
    return group(parts, class_=colour_class(index))


def _kind_of_bar(cross: float, noise: float) -> str:
    if math.isnan(noise):
        return "unknown"
    return "effect" if cross >= noise else "deficit"


def _whisker(metrics: Summary) -> tuple[float, float]:
    """The interval of the order effect, laid on top of the noise floor."""
    floor, effect = metrics["noise_floor"].value, metrics["order_effect"]
    if math.isnan(effect.low):
        cross = metrics["cross_order_disagreement"]
        return cross.low, cross.high
    return floor + effect.low, floor + effect.high


#: The metrics of the plot of differences.
_COMPARED = ("accuracy_mean", "consistent_accuracy", "flip_rate", "order_effect")


def difference_chart(differences: pd.DataFrame, label: str) -> Markup:
    """Paired differences of the main metrics with their intervals, a row a metric and run.

    Args:
        differences: see ``evals.report_tables.differences_frame``.
        label: what a screen reader says.
    """
    if not len(differences):
        return Markup("")
    shown = differences[differences["metric"].isin(_COMPARED) & differences["difference"].notna()]
    if not len(shown):
        return Markup("")
    reach = max(abs(shown[["low", "high"]]).max().max(), 0.01)
    reach = math.ceil(reach * 20 - 1e-9) / 20
    left, right, row, head = 12, WIDTH - 22, 15, 24

    def x(value: float) -> float:
        return left + (right - left) * (value + reach) / (2 * reach)

    parts, top = [], 4.0
    for metric in _COMPARED:
        rows = shown[shown["metric"] == metric]
        if len(rows):
            parts.append(element("text", METRICS[metric].title, x=left, y=top + 14, class_="name"))
            parts += [
                _difference(found, top + head + row * place, x)
                for place, (_, found) in enumerate(rows.iterrows())
            ]
            top += head + row * len(rows) + 4
    return drawing([*_difference_axis(reach, top, x), *parts], top + 34, label)


def _difference_axis(reach: float, bottom: float, x) -> list[Markup]:
    parts = []
    for step in range(-2, 3):
        value = reach * step / 2
        text = f"{100 * value:+.1f}".removesuffix(".0").replace("-", "−") if step else "0"
        parts.append(
            element(
                "line", x1=x(value), x2=x(value), y1=4, y2=bottom, class_="grid" if step else "zero"
            )
        )
        parts.append(element("text", text, x=x(value), y=bottom + 14, class_="tick middle"))
    parts.append(
        element("text", "difference in points", x=x(0), y=bottom + 30, class_="axis middle")
    )
    return parts


def _difference(found: pd.Series, y: float, x) -> Markup:
    index = int(found["index"])
    title = f"{found['run']}: {100 * found['difference']:+.1f} points".replace("-", "−")
    ends = (x(found["low"]), x(found["high"]))
    parts = [
        element("line", x1=ends[0], x2=ends[1], y1=y, y2=y, class_="whisker"),
        *(
            element("line", x1=end, x2=end, y1=y - 3.5, y2=y + 3.5, class_="whisker")
            for end in ends
        ),
        _marker(x(found["difference"]), y, index, title),
    ]
    return group(parts, class_=colour_class(index))
