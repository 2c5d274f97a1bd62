"""Questions rewritten a second, on one core: texts never seen before, and texts seen before.

python -m benchmarks.rewriting

A rewritten question is one call of ``permute`` that changes the order: text, options and gold of the
question are rewritten, its pictures put into their new places. The questions are of all permutable
classes, in the manner of the benchmarks, and no two have the same text; options recur as they do in
the benchmarks ("the second image"). What is remembered between questions are the parses of texts and
options (``parse_references``, 8,192 of them):

* *cold*: every question is new, and its text has to be parsed. The memory is emptied before each
  round, so that options are parsed once in a round and recur after that.
* *cold, nothing recurs*: the memory is emptied before each single question, options too.
* *in six orders*: every question is new, and rewritten into up to six orders, as evaluation does it by
  default; each order counts.
* *warm*: questions that were asked in another order before.

Figures are per second of processor time of this process, so that others who use the machine at the
same time do not count; the rounds' least and most are given too.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from benchmarks.results import publish
from perl_env import classify, permute
from perl_env.order_algebra import identity
from perl_env.permutation import random_order, sample_orders
from perl_env.question import Question
from perl_env.references import parse_references

QUESTIONS = 3_000
ROUNDS = 9
_PICTURES = tuple(np.full((4, 4, 3), i, np.uint8) for i in range(8))
_THINGS = [
    "dog",
    "cat",
    "horse",
    "tower",
    "bridge",
    "lamp",
    "table",
    "chair",
    "boat",
    "tree",
    "car",
    "bus",
    "sign",
    "clock",
    "cup",
    "book",
]
_COLOURS = ["red", "green", "blue", "yellow", "white", "black", "brown", "grey"]
_ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth"]


def _options(n: int, start: int = 0) -> tuple[str, ...]:
    return tuple(f"the {_ORDINALS[slot]} image" for slot in range(start, n))


def _make(index: int) -> Question:
    """A question in the manner of a benchmark; its text differs from all others by its things."""
    thing, colour = _THINGS[index % 16], _COLOURS[index // 16 % 8]
    what = f"{colour} {thing} {index}"
    makers: list[Callable[[], Question]] = [
        lambda: _question(2, f"A point is circled on the first image, on the {what}, labeled with REF. We change the camera position or lighting and shoot the second image. Which point on the second image corresponds to the point in the first image?", "A", ("Point A", "Point B", "Point C", "Point D"), "referential"),
        lambda: _question(3, f"Use the first image of a {what} as the reference image, and determine which one of the second or the third image shares the same style as the reference image?", "B", _options(3, 1), "slot-naming"),
        lambda: _question(4, f"Which image is most likely to be a real photograph of the {what}?", "C", _options(4), "slot-naming"),
        lambda: _question(2, f"Given these 2 images, <image> and <image>. Here is a statement describing them: The left image contains twice as many {what}s as the right image. Is it true or false?", "A", ("True", "False"), "referential"),
        lambda: _question(3, f"If image 1 is the reference image of the {what}, which image of the other two is more similar to the reference image?", "A", ("Image 2", "Image 3"), "slot-naming"),
        lambda: _question(6, f"Please predict the order of the following pictures of a {what}, and give each picture a sequential index. This index starts from 0.", "A", ("[3, 5, 1, 2, 0, 4]", "[0, 1, 2, 3, 4, 5]", "[5, 4, 3, 2, 1, 0]", "[1, 0, 3, 2, 5, 4]"), "index-list", index_list="rank", index_base=0),
        lambda: _question(4, f"In what order do the images show the {what}?", "1→3→2→4", (), "index-list", index_list="sequence"),
        lambda: _question(2, f"The graph of $f(x)$ for the {what} is as follows <image1> and $g(x)$ as follows <image2>. Compute $f(1)+g(2)$.", "3", (), "referential"),
        lambda: _question(5, f"Which picture shows the {what} of <image_1>?\nA. <image_2>\nB. <image_3>\nC. <image_4>\nD. <image_5>", "C", ("A", "B", "C", "D"), "image-options"),
        lambda: _question(2, f"<image_1>\nFigure 1\n\n<image_2>\nFigure 2\nAs shown in Figure 1, the {what} is 3 m long. How long is it in Figure 2?", "4", (), "referential"),
        lambda: _question(4, f"Based on these four images (image 1, 2, 3, and 4): from the viewpoint presented in image 2, what is to the right of the {what}?", "A", ("sofa", "lamp", "door"), "referential"),
        lambda: _question(3, f"How many {what}s are there in all images together?", "4", (), "invariant"),
    ]  # fmt: skip
    return makers[index % len(makers)]()


def _question(n: int, text: str, answer: str, options: tuple[str, ...], order_class: str, **columns) -> Question:  # fmt: skip
    return Question(_PICTURES[:n], text, answer, options, order_class=order_class, **columns)


def _cases() -> list[tuple[Question, tuple[int, ...]]]:
    """The questions, each with a random order that is not the one in which it stands."""
    rng = np.random.default_rng(0)
    cases = []
    for index in range(QUESTIONS):
        question = _make(index)
        order = identity(len(question.images))
        while order == identity(len(order)):
            order = random_order(question, rng)
        cases.append((question, order))
    assert len({question.text for question, _ in cases}) == len(cases)
    return cases


def _rate(work: Callable[[], int], prepare: Callable[[], None]) -> dict[str, float]:
    """Units of work a second of processor time: median, least and most of the rounds after the first."""
    rates = []
    for _ in range(ROUNDS + 1):
        prepare()
        started = time.process_time()
        done = work()
        rates.append(done / (time.process_time() - started))
    return {
        "median": statistics.median(rates[1:]),
        "min": min(rates[1:]),
        "max": max(rates[1:]),
    }


def _nothing() -> None:
    """Prepares nothing."""


def main() -> None:
    """Measure and publish."""
    cases = _cases()
    texts = [(question.text, len(question.images)) for question, _ in cases]

    def rewrite() -> int:
        for question, order in cases:
            permute(question, order)
        return len(cases)

    rng = np.random.default_rng(1)
    in_orders = [(question, sample_orders(question, 6, rng)[1:]) for question, _ in cases]

    def rewrite_in_orders() -> int:
        for question, orders in in_orders:
            for order in orders:
                permute(question, order)
        return sum(len(orders) for _, orders in in_orders)

    def rewrite_each_alone() -> int:
        for question, order in cases:
            parse_references.cache_clear()
            permute(question, order)
        return len(cases)

    def parse() -> int:
        for text, n_images in texts:
            parse_references(text, n_images)
        return len(texts)

    def propose() -> int:
        for question, _ in cases:
            classify(question)
        return len(cases)

    forget = parse_references.cache_clear
    publish(
        "rewriting",
        {
            "questions rewritten, cold": _rate(rewrite, forget),
            "questions rewritten, cold, nothing recurs": _rate(rewrite_each_alone, forget),
            "questions rewritten, cold, in six orders": _rate(rewrite_in_orders, forget),
            "questions rewritten, warm": _rate(rewrite, _nothing),
            "texts parsed, cold": _rate(parse, forget),
            "questions classified, cold": _rate(propose, forget),
        },
        "a second",
    )
    characters = statistics.mean(len(text) for text, _ in texts)
    print(f"{len(cases):,} questions, {characters:.0f} characters a text without options")


if __name__ == "__main__":
    main()
