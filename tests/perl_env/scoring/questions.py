"""Questions of our own, one of each shape that a benchmark has, as its loader would make them."""

from __future__ import annotations

import numpy as np

from perl_env.question import Question


def pictures(n: int) -> tuple[np.ndarray, ...]:
    return tuple(np.full((2, 2, 3), 20 * i + 1, np.uint8) for i in range(n))


def choice(scoring: str, *options: str, answer: str = "A", images: int = 2, **more) -> Question:
    return Question(
        pictures(images), "What is seen?", answer, options=options, scoring=scoring, **more
    )


def open_question(scoring: str, answer: str, images: int = 2, **more) -> Question:
    return Question(pictures(images), "What is seen?", answer, scoring=scoring, **more)


def facts(**pairs: str) -> tuple[tuple[str, str], ...]:
    return tuple(pairs.items())


ANIMALS = ("a cat", "A dog", "two birds", "none of these")
