"""A question as one picture, for people: the images with their numbers, the text, the options."""

from __future__ import annotations

import textwrap

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from perl_env.prompts import option_lines
from perl_env.question import Question

_MARGIN = 16
_TILE = 168  # pixels: the longer side of a picture on the sheet
_FONT_SIZE = 18
_COLUMNS = 6
_INK, _PAPER, _FRAME = (20, 24, 31), (255, 255, 255), (150, 158, 170)


def contact_sheet(question: Question) -> np.ndarray:
    """The question as it is asked now: a uint8 array (H, W, 3)."""
    font = ImageFont.load_default(_FONT_SIZE)
    columns = min(len(question.images), _COLUMNS)
    rows = -(-len(question.images) // columns)
    width = max(columns, 3) * (_TILE + _MARGIN) + _MARGIN
    lines = _wrapped([question.text, *option_lines(question)], width - 2 * _MARGIN, font)
    line_height = _FONT_SIZE + 8
    row_height = _TILE + line_height + _MARGIN
    height = _MARGIN + rows * row_height + len(lines) * line_height + _MARGIN
    sheet = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(sheet)
    for slot, pixels in enumerate(question.images):
        x = _MARGIN + slot % columns * (_TILE + _MARGIN)
        y = _MARGIN + slot // columns * row_height
        pen.text((x + _TILE // 2, y), f"Image {slot + 1}", fill=_INK, font=font, anchor="ma")
        _paste(sheet, pen, pixels, x, y + line_height)
    y = _MARGIN + rows * row_height
    for line in lines:
        pen.text((_MARGIN, y), line, fill=_INK, font=font)
        y += line_height
    return np.asarray(sheet)


def _paste(
    sheet: Image.Image, pen: ImageDraw.ImageDraw, pixels: np.ndarray, x: int, y: int
) -> None:
    """One picture, scaled to its tile with its proportions kept, in a frame."""
    picture = fit(pixels, _TILE, _TILE)
    left, top = x + (_TILE - picture.width) // 2, y + (_TILE - picture.height) // 2
    sheet.paste(picture, (left, top))
    pen.rectangle((left - 1, top - 1, left + picture.width, top + picture.height), outline=_FRAME)


def fit(pixels: np.ndarray, width: int, height: int) -> Image.Image:
    """A picture scaled so that it just fits into a box."""
    scale = min(width / pixels.shape[1], height / pixels.shape[0])
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return Image.fromarray(np.array(pixels)).resize(size, Image.Resampling.LANCZOS)


def _wrapped(paragraphs: list[str], width: int, font) -> list[str]:
    """Lines that fit into ``width`` pixels."""
    letters = max(10, int(width / font.getlength("abcdefghij") * 10))
    return [
        line
        for paragraph in paragraphs
        for part in paragraph.splitlines()
        for line in (textwrap.wrap(part, letters) or [""])
    ]
