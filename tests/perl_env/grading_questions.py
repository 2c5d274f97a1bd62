"""The questions and replies that the tests of grading share."""

import numpy as np

from perl_env.question import Question


def pictures(n):
    return tuple(np.full((2, 2, 3), 20 * i + 1, np.uint8) for i in range(n))


def choice(*options, answer="A", images=2, **more):
    return Question(pictures(images), "What is seen?", answer, options=options, **more)


def open_question(answer, images=2, **more):
    return Question(pictures(images), "What is seen?", answer, **more)


def boxed(answer):
    return rf"<think>I look.</think>\boxed{{{answer}}}"


ANIMALS = choice("a cat", "A dog", "two birds", "none of these", answer="B")
NAMES = choice("Image 1", "Image 2", "Image 3", answer="B", images=3, order_class="slot-naming")
PICTURES = choice("A", "B", "C", answer="B", images=4, order_class="image-options")
