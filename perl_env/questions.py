"""Where questions come from: a source that is indexed like a list, or a stream of unknown length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from perl_env.argument_checks import check_whole
from perl_env.errors import InputError
from perl_env.question import Question


@runtime_checkable
class QuestionSource(Protocol):
    """Questions by index, in canonical order; the same index always gives the same question.

    Attributes:
        max_images: the largest number of images in a question.
        max_pixels: the largest number of pixels in a picture.
    """

    max_images: int
    max_pixels: int

    def __len__(self) -> int:
        """The number of questions."""

    def __getitem__(self, index: int) -> Question:
        """The question at ``index``; raises IndexError beyond the last."""


@runtime_checkable
class QuestionStream(Protocol):
    """Questions one after the other, in canonical order; how many is not known.

    Attributes:
        max_images: no question has more images.
        max_pixels: no picture has more pixels.
    """

    max_images: int
    max_pixels: int

    def __iter__(self) -> Iterator[Question]:
        """The questions from the first on; every call starts anew and gives the same ones."""


class ShuffledStream:
    """A stream's questions without end, shuffled as far as a buffer allows.

    Each question is drawn from the next ``size`` of the stream. After the last one, the stream starts
    anew. Pickles without its place: a copy starts at the first question.

    Args:
        stream: where the questions come from.
        size: how many questions are held, pictures included.
    """

    def __init__(self, stream: QuestionStream, size: int):
        self.stream, self.size = stream, check_whole(size, "shuffle_buffer", 1)
        self.restart()

    def restart(self) -> None:
        """Go back to the stream's first question."""
        self._coming: Iterator[Question] | None = None
        self._held: list[Question] = []

    def draw(self, rng: np.random.Generator) -> Question:
        """The next question.

        Raises:
            InputError: the stream has none.
        """
        while len(self._held) < self.size and (question := self._next()) is not None:
            self._held.append(question)
        if not self._held:  # the end: from the start again
            self.restart()
            if (question := self._next()) is None:
                raise InputError("no questions", where="source", expected="at least one", got=0)
            self._held.append(question)
            return self.draw(rng)
        chosen = int(rng.integers(len(self._held)))
        self._held[chosen], self._held[-1] = self._held[-1], self._held[chosen]
        return self._held.pop()

    def _next(self) -> Question | None:
        if self._coming is None:
            self._coming = iter(self.stream)
        return next(self._coming, None)

    def __getstate__(self) -> dict[str, object]:
        return {"stream": self.stream, "size": self.size}

    def __setstate__(self, state: dict) -> None:
        self.__init__(**state)  # type: ignore[misc]


class QuestionList:
    """A source over questions that are held in memory."""

    def __init__(self, questions: Sequence[Question]):
        self._questions = list(questions)
        self.max_images = max((len(q.images) for q in self._questions), default=1)
        self.max_pixels = max(
            (image.shape[0] * image.shape[1] for q in self._questions for image in q.images),
            default=1,
        )

    def __len__(self) -> int:
        return len(self._questions)

    def __getitem__(self, index: int) -> Question:
        return self._questions[index]
