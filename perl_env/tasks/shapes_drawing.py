"""The pictures of perl/Shapes-v0: coloured shapes on a light ground."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

SIDE = 56  # pixels; a whole number of 28-pixel tokens
_SCALE = 2  # drawn larger, then reduced, for smooth edges

COLOURS = {
    "red": (214, 39, 40),
    "green": (44, 150, 44),
    "blue": (31, 90, 200),
    "yellow": (235, 200, 20),
    "purple": (140, 60, 180),
    "orange": (255, 127, 14),
}
SIZES = {"tiny": 6, "small": 10, "medium": 15, "large": 22}  # radius in pixels
GROUNDS = ((255, 255, 255), (240, 240, 235), (228, 234, 242))


def _polygon(points: int, rotation: float = 0.0, inner: float = 1.0) -> list[tuple[float, float]]:
    """Corners of a regular polygon (or star, with ``inner`` < 1) of radius one."""
    corners = points if inner == 1.0 else 2 * points
    return [
        (
            math.sin(2 * math.pi * i / corners + rotation)
            * (inner if i % 2 and inner != 1.0 else 1),
            -math.cos(2 * math.pi * i / corners + rotation)
            * (inner if i % 2 and inner != 1.0 else 1),
        )
        for i in range(corners)
    ]


_ARM = 0.34
SHAPES: dict[str, list[tuple[float, float]]] = {
    "circle": [],
    "square": _polygon(4, math.pi / 4),
    "triangle": _polygon(3),
    "star": _polygon(5, inner=0.42),
    "cross": [
        (-_ARM, -1), (_ARM, -1), (_ARM, -_ARM), (1, -_ARM), (1, _ARM), (_ARM, _ARM),
        (_ARM, 1), (-_ARM, 1), (-_ARM, _ARM), (-1, _ARM), (-1, -_ARM), (-_ARM, -_ARM),
    ],
    "diamond": [(0, -1), (0.62, 0), (0, 1), (-0.62, 0)],
}  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """What a picture shows.

    Attributes:
        shape: one of ``SHAPES``.
        colour: one of ``COLOURS``.
        size: one of ``SIZES``; with more than one shape, "small" whatever it says.
        count: how many shapes, 1 to 4.
        shift: where the single shape stands, in pixels off the centre (x, y).
        ground: index of the background colour.
    """

    shape: str
    colour: str
    size: str = "medium"
    count: int = 1
    shift: tuple[int, int] = (0, 0)
    ground: int = 0

    @property
    def name(self) -> str:
        """Colour and shape: "red circle"."""
        return f"{self.colour} {self.shape}"


_QUARTERS = ((-13, -13), (13, 13), (13, -13), (-13, 13))


@lru_cache(maxsize=8192)
def draw(scene: Scene) -> np.ndarray:
    """The picture of a scene: read-only uint8 (56, 56, 3)."""
    return render(scene)


def render(scene: Scene) -> np.ndarray:
    """The picture of a scene, drawn anew."""
    side = SIDE * _SCALE
    image = Image.new("RGB", (side, side), GROUNDS[scene.ground])
    pen = ImageDraw.Draw(image)
    dx, dy = scene.shift
    if scene.count == 1:
        places, radius = [(dx, dy)], SIZES[scene.size]
    else:
        places = [(x + dx // 2, y + dy // 2) for x, y in _QUARTERS[: scene.count]]
        radius = SIZES["small"]
    for x, y in places:
        _draw_shape(pen, scene, (SIDE / 2 + x) * _SCALE, (SIDE / 2 + y) * _SCALE, radius * _SCALE)
    pixels = np.asarray(image.reduce(_SCALE))
    pixels.flags.writeable = False
    return pixels


def _draw_shape(pen: ImageDraw.ImageDraw, scene: Scene, x: float, y: float, radius: float) -> None:
    fill = COLOURS[scene.colour]
    corners = SHAPES[scene.shape]
    if not corners:
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)
    else:
        pen.polygon([(x + radius * cx, y + radius * cy) for cx, cy in corners], fill=fill)
