"""How plots look: the colours of both themes, one style sheet, and a plot as a file of its own.

In the report a plot takes its colours from the page, so that it follows light and dark mode. As a file
it carries them: the style sheet with the light colours written in.
"""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from markupsafe import Markup, escape

LIGHT: Mapping[str, str] = MappingProxyType(
    {
        "page": "#f6f7f9", "card": "#ffffff", "text": "#1b1f24", "soft": "#5b6470", "line": "#d9dde3",
        "noise": "#b4bac3", "good": "#15803d", "bad": "#b91c1c", "code": "#f0f2f5",
        "c0": "#2563eb", "c1": "#c2410c", "c2": "#15803d", "c3": "#7e22ce", "c4": "#be185d", "c5": "#0f766e",
    }
)  # fmt: skip
DARK: Mapping[str, str] = MappingProxyType(
    {
        "page": "#14171b", "card": "#1d2126", "text": "#e7eaee", "soft": "#9aa4b1", "line": "#353b44",
        "noise": "#5c6571", "good": "#6fd08c", "bad": "#ff8a80", "code": "#272c33",
        "c0": "#7aa2ff", "c1": "#ff9e64", "c2": "#7ddc93", "c3": "#c99cff", "c4": "#ff8fc0", "c5": "#5fd6c9",
    }
)  # fmt: skip
COLOURS = 6  # c0 … c5

CHART_CSS = """\
.chart { font-size: 11.5px; }
.chart text { fill: var(--soft); }
.chart .name { fill: var(--text); font-size: 12.5px; }
.chart .middle { text-anchor: middle; }
.chart .end { text-anchor: end; }
.chart .grid { stroke: var(--line); stroke-width: 1; }
.chart .zero { stroke: var(--soft); stroke-width: 1; }
.chart .curve { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
.chart .pale { stroke-width: 1; opacity: .35; }
.chart .reference { fill: none; stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 5 4; }
.chart .whisker { stroke: currentColor; stroke-width: 1.3; opacity: .75; }
.chart .marker, .chart .effect { fill: currentColor; }
.chart .noise { fill: var(--noise); }
.chart .deficit, .chart .unknown { fill: currentColor; fill-opacity: .25; stroke: currentColor; stroke-dasharray: 3 2; }
.chart .error { stroke: var(--text); stroke-width: 1.5; }
""" + "".join(f".chart .run-{i} {{ color: var(--c{i}); }}\n" for i in range(COLOURS))

_SPARE_FONT = "Aileron"
_FONTS = (
    f'"DejaVu Sans", "Liberation Sans", "Noto Sans", Arial, Helvetica, {_SPARE_FONT}, sans-serif'
)
_SVG = "http://www.w3.org/2000/svg"
_MARGIN, _LINE = 12, 18
_ZOOM = 3.0


def colour_class(index: int) -> str:
    """The style-sheet class of a run's colour."""
    return f"run-{index % COLOURS}"


def page_variables(colours: Mapping[str, str]) -> str:
    """The colours as CSS variables.

    >>> page_variables({"text": "#000"})
    '--text: #000;'
    """
    return " ".join(f"--{name}: {value};" for name, value in colours.items())


def standalone_svg(svg: Markup, title: str, legend: Sequence[tuple[str, str]] = ()) -> str:
    """A plot of the report as an SVG file: with its title, its legend, and light colours.

    Args:
        svg: what ``evals.charts`` drew.
        title: stands above the plot.
        legend: the runs' names with their colours' classes; none where the plot names them.
    """
    found = re.match(r'<svg viewBox="0 0 ([\d.]+) ([\d.]+)"[^>]*>(.*)</svg>$', svg, re.DOTALL)
    if found is None:
        raise ValueError(f"not a plot of ours: {svg[:80]}")
    width, height, inner = float(found[1]), float(found[2]), found[3]
    top = _MARGIN + _LINE * (1 + len(legend)) + 6
    heads = [f'<text class="name" x="{_MARGIN}" y="{_MARGIN + 10}">{escape(_xml(title))}</text>']
    for i, (name, colour) in enumerate(legend):
        y = _MARGIN + 10 + _LINE * (i + 1)
        heads.append(
            f'<g class="{colour}"><rect class="effect" x="{_MARGIN}" y="{y - 9}" width="10" '
            f'height="10"/></g><text x="{_MARGIN + 16}" y="{y}">{escape(_xml(name))}</text>'
        )
    size = (width + 2 * _MARGIN, height + top + _MARGIN)
    return (
        f'<svg xmlns="{_SVG}" class="chart" viewBox="0 0 {size[0]:.0f} {size[1]:.0f}" '
        f'width="{size[0]:.0f}" height="{size[1]:.0f}"><style>.chart {{ font-family: {_FONTS}; }}\n'
        f'{_with_colours(CHART_CSS)}</style><rect width="100%" height="100%" fill="{LIGHT["card"]}"/>'
        f'{"".join(heads)}<g transform="translate({_MARGIN} {top})">{_xml(inner)}</g></svg>\n'
    )


def png_of(svg: str) -> bytes:
    """An SVG file as a PNG, three pixels to the unit, also on a machine without fonts."""
    import resvg_py

    with tempfile.TemporaryDirectory(prefix="perl-env-font-") as folder:
        return bytes(
            resvg_py.svg_to_bytes(
                svg_string=svg, zoom=_ZOOM, font_files=[_spare_font(Path(folder))],
                font_family=_SPARE_FONT, sans_serif_family=_SPARE_FONT,
            )
        )  # fmt: skip


def _spare_font(folder: Path) -> str:
    """The font that Pillow carries, as a file."""
    from PIL import ImageFont

    carried = ImageFont.load_default(12)
    assert isinstance(carried, ImageFont.FreeTypeFont)
    assert isinstance(carried.path, io.BytesIO)
    path = folder / f"{_SPARE_FONT}.ttf"
    path.write_bytes(carried.path.getvalue())
    return str(path)


def _with_colours(css: str) -> str:
    return re.sub(r"var\(--([\w-]+)\)", lambda found: LIGHT[found[1]], css)


def _xml(text: str) -> str:
    """Text without what XML forbids even as a reference: control characters, lone surrogates."""
    return re.sub(
        "[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", "\N{REPLACEMENT CHARACTER}", text
    )
