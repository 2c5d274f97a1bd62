"""The gallery as data: what the report's script shows of the flipped questions, within a size limit.

Pictures are small, and stand in the data once however often they are shown: in both orders, in every
run, in every question that has them.
"""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from PIL import Image

from evals.gallery import (
    Card,
    FlipCounts,
    Panel,
    find_flips,
    flipped_questions,
    make_card,
    row_finder,
)
from perl_env.question import Question

LONGEST_SIDE = 192
#: A picture whose lossless PNG is larger than this becomes a WebP.
_LARGEST_PNG = 3_000
_WEBP_QUALITY = 70
#: With more colours a picture is a photograph, of which no PNG is tried.
_MOST_COLOURS = 4096
#: What the data may take in the file: 20 MiB, pictures included.
SIZE_LIMIT = 20 * 2**20


@dataclass(frozen=True)
class Gallery:
    """The flipped questions of several runs.

    Attributes:
        data: plain data for the report's script: ``pictures``, ``runs`` and ``cards``.
        flips: of each run, how many questions flipped whose pictures are at hand.
        shown: of each run, how many of them are in the data.
        counts: of each run, what its flip rate counts.
    """

    data: Mapping[str, Any]
    flips: tuple[int, ...]
    shown: tuple[int, ...]
    counts: tuple[FlipCounts, ...]


class Pictures:
    """Data URIs, each kept once.

    Attributes:
        uris: the data URIs, in the order of their numbers.
    """

    def __init__(self) -> None:
        self.uris: list[str] = []
        self._numbers: dict[bytes, int] = {}

    def number(self, image: np.ndarray) -> int:
        """The number of a picture, which is encoded when it is first seen."""
        image = np.ascontiguousarray(image)
        key = hashlib.sha256(
            repr((image.shape, str(image.dtype))).encode() + image.tobytes()
        ).digest()
        if key not in self._numbers:
            self._numbers[key] = len(self.uris)
            self.uris.append(data_uri(image))
        return self._numbers[key]


def make_gallery(
    runs: Sequence[tuple[str, pd.DataFrame, Mapping[str, Question]]],
    limit: int,
    size_limit: int = SIZE_LIMIT,
) -> Gallery:
    """The flipped questions of runs, the most telling first; runs take turns until the room is used up.

    Args:
        runs: of each its name, its table and its questions by key; those missing there are not shown.
        limit: how many of each run.
        size_limit: bytes that pictures and texts may take.
    """
    pictures = Pictures()
    flips = [
        find_flips(table[table["question"].isin(questions.keys())]) for _, table, questions in runs
    ]
    cards: list[dict[str, Any]] = []
    shown = [0] * len(runs)
    size = 0
    for index, card in _in_turns([
        _cards(table, questions, found[:limit])
        for (_, table, questions), found in zip(runs, flips, strict=True)
    ]):  # fmt: skip
        before = len(pictures.uris)
        entry = _card_data(index, card, pictures)
        size += len(embedded_json(entry)) + sum(map(len, pictures.uris[before:]))
        if size > size_limit:
            del pictures.uris[before:]
            break
        cards.append(entry)
        shown[index] += 1
    data = {"pictures": pictures.uris, "runs": [name for name, *_ in runs], "cards": cards}
    counts = tuple(flipped_questions(table) for _, table, _ in runs)
    return Gallery(data, tuple(map(len, flips)), tuple(shown), counts)


def embedded_json(data: Any) -> Markup:
    r"""JSON that may stand inside a ``script`` element, whatever text is in it.

    Beyond ASCII everything is escaped, line separators and lone surrogates too, and so is what could
    end the element or begin another one.

    >>> print(embedded_json("</script>&"))
    "\u003c/script\u003e\u0026"
    """
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


def data_uri(image: np.ndarray, longest_side: int = LONGEST_SIDE) -> str:
    """A picture as a data URI, made smaller where its longest side is longer.

    A PNG where that is small, as of drawings; else a WebP.
    """
    picture = Image.fromarray(np.ascontiguousarray(image))
    picture.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
    content = _encoded(picture, "PNG") if picture.getcolors(_MOST_COLOURS) else b""
    kind = "png"
    if not 0 < len(content) <= _LARGEST_PNG:
        kind, content = "webp", _encoded(picture, "WEBP", quality=_WEBP_QUALITY)
    return f"data:image/{kind};base64," + base64.b64encode(content).decode("ascii")


def _encoded(picture: Image.Image, kind: str, **settings: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **settings)
    return file.getvalue()


def _cards(
    table: pd.DataFrame, questions: Mapping[str, Question], flips: Sequence[Any]
) -> Iterator[Card]:
    row_of = row_finder(table, [flip.question for flip in flips])
    for flip in flips:
        yield make_card(flip, questions[flip.question], row_of)


def _in_turns(cards: Sequence[Iterator[Card]]) -> Iterator[tuple[int, Card]]:
    for turn in itertools.zip_longest(*cards):
        yield from ((index, card) for index, card in enumerate(turn) if card is not None)


def _card_data(run: int, card: Card, pictures: Pictures) -> dict[str, Any]:
    return {
        "run": run, "key": card.key, "task": card.task, "kind": card.kind,
        "orderClass": card.order_class, "outcome": card.outcome, "steady": card.steady,
        "panels": [_panel_data(panel, pictures) for panel in card.panels],
    }  # fmt: skip


def _panel_data(panel: Panel, pictures: Pictures) -> dict[str, Any]:
    return {
        "order": panel.order, "isCanonical": panel.is_canonical, "text": panel.text, "gold": panel.gold,
        "pictures": [
            {"picture": pictures.number(picture.image), "letter": picture.letter,
             "gold": picture.gold, "chosen": picture.chosen}
            for picture in panel.pictures
        ],
        "options": [
            {"line": option.line, "gold": option.gold, "chosen": option.chosen} for option in panel.options
        ],
        "reply": panel.reply, "answer": panel.answer, "canonical": panel.canonical, "correct": panel.correct,
    }  # fmt: skip
