"""Where questions come from: a source that is indexed like a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

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
