"""Asking a model many things, none of them twice.

What a model answered is in a journal before anything is done with it, under a digest of what it was
asked. A process that is killed loses the answers on their way, and no others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from perl_env.curation.survey import Progress
from perl_env.curation.workspace import Journal, fingerprint
from perl_env.encodable import encodable


@dataclass(frozen=True)
class Sampling:
    """How answers are drawn."""

    temperature: float
    max_new_tokens: int


@dataclass(frozen=True)
class Ask:
    """One prompt, pictures first, and how many answers it wants.

    Attributes:
        images: uint8 arrays (H, W, 3).
        text: what stands below them.
        seed: of the answers' random stream.
        count: how many answers.
    """

    images: tuple[np.ndarray, ...]
    text: str
    seed: int
    count: int


class Model(Protocol):
    """Who is asked.

    Attributes:
        name: what tells it from other models; its answers are kept under this name.
    """

    name: str

    def stream(
        self, asks: Iterable[Ask], sampling: Sampling
    ) -> Iterator[tuple[int, Sequence[str]]]:
        """The number of an ask with some of its answers, as they come, until each has its count.

        ``asks`` may be gone through in another thread.
        """


@dataclass(frozen=True)
class Wanted:
    """Answers that a stage wants.

    Attributes:
        about: what is asked, as plain data from which it follows: its digest names the answers.
        count: how many answers.
        make: the pictures and the text; called only where answers are missing.
    """

    about: Any
    count: int
    make: Callable[[], tuple[tuple[np.ndarray, ...], str]]


class Answers:
    """The answers there are, and the way to those that are missing.

    Args:
        path: the journal.
    """

    def __init__(self, path: Path):
        self._journal = Journal(path)
        self._known: dict[str, list[str]] = {}
        for line in self._journal.lines:
            self._known.setdefault(line["id"], []).extend(line["answers"])

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    def of(
        self,
        model: Model,
        sampling: Sampling,
        wanted: Sequence[Wanted],
        progress: Progress | None = None,
        stage: str = "",
    ) -> list[list[str]]:
        """The answers to each; those that are missing are asked for.

        Raises:
            Exception: whatever the model raises; the answers that came before it are kept.
        """
        names = [fingerprint(model.name, sampling, one.about) for one in wanted]
        counts: dict[str, int] = {}
        makers: dict[str, Callable] = {}
        for name, one in zip(names, wanted, strict=True):
            counts[name] = max(one.count, counts.get(name, 0))
            makers[name] = one.make
        missing = [name for name, n in counts.items() if len(self._known.get(name, ())) < n]
        had = {name: len(self._known.get(name, ())) for name in missing}

        def asks() -> Iterator[Ask]:
            for name in missing:
                images, text = makers[name]()
                seed = int(fingerprint(name, had[name]), 16) >> 1
                yield Ask(images, text, seed, counts[name] - had[name])

        done = len(counts) - len(missing)
        if missing:
            for number, answers in model.stream(asks(), sampling):
                name = missing[number]
                self._journal.add({"id": name, "answers": list(answers)})
                self._known.setdefault(name, []).extend(answers)
                done += len(self._known[name]) >= counts[name]
                if progress:
                    progress(stage, done, len(counts))
        return [self._known[name][: one.count] for name, one in zip(names, wanted, strict=True)]


def ask_until_valid(
    answers: Answers,
    model: Model,
    sampling: Sampling,
    wanted: Mapping[str, Wanted],
    read: Callable[[str, str], Any],
    attempts: int,
    progress: Progress | None,
    stage: str,
) -> dict[str, Any]:
    """What ``read(key, answer)`` makes of each question's first answer that it can use.

    Where it raises ``ValueError`` the model is asked again, so often. Questions without a usable answer
    come with that error.
    """
    found: dict[str, Any] = {}
    for attempt in range(1, attempts + 1):
        missing = [key for key in wanted if isinstance(found.get(key, ValueError()), ValueError)]
        again = [Wanted(wanted[key].about, attempt, wanted[key].make) for key in missing]
        for key, texts in zip(missing, answers.of(model, sampling, again, progress, stage), strict=True):  # fmt: skip
            try:
                found[key] = read(key, texts[-1])
            except ValueError as error:
                found[key] = error
    return found


#: One that was cut off before its end holds drafts, too.
_THOUGHTS = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)


def json_in(answer: str) -> dict[str, Any]:
    r"""The last JSON object in an answer, thoughts left out; all of its text can be encoded.

    Raises:
        ValueError: there is none.

    >>> json_in('<think>{"a": 0}</think>Here it is: ```json\n{"a": [1, 2]}\n```')
    {'a': [1, 2]}
    >>> json_in('<think>First {"a": 0}, but')
    Traceback (most recent call last):
    ValueError: no JSON object in the answer
    """
    text = _THOUGHTS.sub("", answer)
    decoder, at, found = json.JSONDecoder(), 0, None
    while (at := text.find("{", at)) >= 0:
        try:
            value, at = decoder.raw_decode(text, at)
            found = json.loads(encodable(json.dumps(value, ensure_ascii=False)))
        except (ValueError, RecursionError):
            at += 1
    if not isinstance(found, dict):
        raise ValueError("no JSON object in the answer")
    return found
