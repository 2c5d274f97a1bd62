"""The report's plots as inline SVG: a few kilobytes, and coloured by the page's style sheet.

Drawn by hand, because a plot then follows light and dark mode and needs no script.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from evals.statistics import Estimate
from evals.summary import Summary

WIDTH = 380
COLOURS = 6  # the style sheet defines run-0 … run-5
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 10, 10, 34


@dataclass(frozen=True)
class Series:
    """One run's points: x (slot, counted from one) to estimate."""

    name: str
    points: Mapping[int, Estimate]


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


def _group(parts: Sequence[Markup], **attributes: object) -> Markup:
    return element("g", Markup("").join(parts), **attributes)


def _svg(parts: Sequence[Markup], height: float, label: str) -> Markup:
    return element("svg", Markup("").join(parts), viewBox=f"0 0 {WIDTH} {height:.0f}", role="img",
                   aria_label=label, class_="chart")  # fmt: skip


def colour_class(index: int) -> str:
    """The style-sheet class of a run's colour."""
    return f"run-{index % COLOURS}"


def slot_chart(
    series: Sequence[Series], label: str, reference: Mapping[int, float] | None = None
) -> Markup:
    """Shares by slot, one line a run with its intervals; ``reference`` is drawn dashed."""
    slots = sorted({slot for one in series for slot in one.points} | set(reference or {}))
    if not slots:
        return Markup("")
    height, top_value = 230, _axis_end(series, reference or {})
    span = max(len(slots) - 1, 1)

    def x(slot: float) -> float:
        inner = WIDTH - _LEFT - _RIGHT - 40
        return _LEFT + 20 + (inner * (slot - slots[0]) / span if len(slots) > 1 else inner / 2)

    def y(share: float) -> float:
        return height - _BOTTOM - (height - _BOTTOM - _TOP) * share / top_value

    parts = [_share_axis(y, top_value, WIDTH - _RIGHT)]
    parts += [
        element("text", slot, x=x(slot), y=height - 17.0, class_="tick middle") for slot in slots
    ]
    parts.append(
        element(
            "text", "slot (image number)", x=WIDTH / 2 + 15, y=height - 3.0, class_="axis middle"
        )
    )
    if reference:
        steps = " ".join(
            f"{x(slot):.1f},{y(share):.1f}" for slot, share in sorted(reference.items())
        )
        parts.append(element("polyline", points=steps, class_="reference"))
    for i, one in enumerate(series):
        parts.append(_line(one, i, len(series), x, y))
    return _svg(parts, height, label)


def _axis_end(series: Sequence[Series], reference: Mapping[int, float]) -> float:
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
    return _group(parts)


def _line(series: Series, index: int, n: int, x, y) -> Markup:
    """Points with intervals, moved sideways a little so that runs do not hide each other."""
    shift = (index - (n - 1) / 2) * 5
    points = [
        (x(slot) + shift, e) for slot, e in sorted(series.points.items()) if not math.isnan(e.value)
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
    return _group(parts, class_=colour_class(index))


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
    return _svg(parts, bottom + 34, label)


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
    return _group(parts, class_=colour_class(index))


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
