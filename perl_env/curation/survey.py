"""What the rules want to know of a question, taken down once: numbers, sizes, texts, picture hashes."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from perl_env.answer_text import content_key
from perl_env.curation.likeness import picture_hashes
from perl_env.curation.sources import Sources
from perl_env.curation.workspace import Journal, fingerprint
from perl_env.grading import gold_slot
from perl_env.question import LETTERS, Question

Progress = Callable[[str, int, int], None]

#: Lines that may be lost to a kill, and are taken down again.
_SYNC_EVERY = 64
FORMAT = 1


@dataclass(frozen=True)
class Facts:
    """What is known of one question.

    Attributes:
        key: of the question.
        index: its index in its sources.
        kind: its sub-task.
        order_class: what its source says of it.
        n_options: how many options it has.
        gold: where the gold stands: "image 2", "option B" or "open".
        sizes: width and height of each picture.
        text: text and options in one spelling, options sorted, as a digest.
        words: how many words the text has.
        characters: of text and options.
        answer: what the gold says, in one spelling.
        phashes: of each picture, 64 bits.
        colours: mean colours of each picture.
        pixels: a digest of all pictures, exact.
    """

    key: str
    index: int
    kind: str
    order_class: str
    n_options: int
    gold: str
    sizes: tuple[tuple[int, int], ...]
    text: str
    words: int
    characters: int
    answer: str
    phashes: tuple[int, ...]
    colours: tuple[str, ...]
    pixels: str


def survey(
    sources: Sources, path: Path, progress: Progress | None = None, stage: str = "survey"
) -> list[Facts]:
    """The facts of all questions; those in the file already are not taken again."""
    journal = Journal(path, fingerprint(FORMAT, sources.state()))
    try:
        facts = [_from_line(line) for line in journal.lines]
        for index in range(len(facts), len(sources)):
            one = take_facts(sources[index], index)
            journal.add(dataclasses.asdict(one), sync=index % _SYNC_EVERY == 0)
            facts.append(one)
            if progress:
                progress(stage, index + 1, len(sources))
        return facts
    finally:
        journal.close()


def _from_line(line: dict[str, Any]) -> Facts:
    sizes = tuple((width, height) for width, height in line["sizes"])
    lists = {name: tuple(line[name]) for name in ("phashes", "colours")}
    return Facts(**line | lists | {"sizes": sizes})


def take_facts(question: Question, index: int) -> Facts:
    """The facts of one question."""
    pictures = [picture_hashes(image) for image in question.images]
    gold = question.answer
    if question.options and gold in LETTERS[: len(question.options)]:
        gold = question.options[LETTERS.index(gold)]
    return Facts(
        key=question.key, index=index, kind=question.kind, order_class=str(question.order_class),
        n_options=len(question.options), gold=gold_place(question),
        sizes=tuple((image.shape[1], image.shape[0]) for image in question.images),
        text=fingerprint(content_key(question.text), sorted(map(content_key, question.options))),
        words=len(question.text.split()),
        characters=len(question.text) + sum(map(len, question.options)),
        answer=content_key(gold), phashes=tuple(phash for phash, _ in pictures),
        colours=tuple(colour for _, colour in pictures), pixels=pixels_digest(question),
    )  # fmt: skip


def gold_place(question: Question) -> str:
    """Where the gold stands: among the images, among the options, or nowhere."""
    slot = gold_slot(question)
    if slot is not None:
        return f"image {slot + 1}"
    if question.options and question.answer in LETTERS:
        return f"option {question.answer}"
    return "open"


def pixels_digest(question: Question) -> str:
    """A digest of all pictures in their order, exact to the pixel."""
    digest = hashlib.blake2b(digest_size=12)
    for image in question.images:
        digest.update(repr(image.shape).encode())
        digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()
