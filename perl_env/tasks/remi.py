"""perl/ReMI-v0: ReMI, reasoning over two to six images, thirteen tasks."""

from __future__ import annotations

import re

from perl_env.errors import InputError
from perl_env.mentions.options import find_option_block
from perl_env.order_class import OrderClass
from perl_env.question import LETTERS
from perl_env.references import mentioned_slots
from perl_env.tasks.benchmark import Benchmark, Draft, Row, SubTask
from perl_env.tasks.dataset_columns import pictures, texts
from perl_env.tasks.dataset_loading import loader
from perl_env.tasks.row_parts import gold_letter, hoisted, leading_pictures, needed_text

_IMAGES = tuple(f"image_{number}" for number in range(1, 7))
_REFERS = SubTask(OrderClass.REFERENTIAL, 200)
_BY_QUESTION = SubTask(None, 200)
_TOKEN = re.compile(r"<image[_ -]?(\d+)>", re.IGNORECASE)

REMI = Benchmark(
    task="perl/ReMI-v0",
    hub_id="mehrankazemi/ReMI",
    splits={"test": "test"},
    columns=(*texts("task", "question", "label"), *pictures(*_IMAGES)),
    rows=2600,
    sub_tasks={
        "EmojiAlgebra": _REFERS,
        "FuncRead": _REFERS,
        "GeomShape": _REFERS,
        "GeomCost": _REFERS,
        "Collisions": SubTask(
            OrderClass.TEMPORAL, 200
        ),  # before and after; the text says not which
        "Clocks": _BY_QUESTION,
        "Schedule": _REFERS,
        "Charts": _REFERS,
        "CodeEdit": _BY_QUESTION,
        "Isomorphism": SubTask(OrderClass.INVARIANT, 200),
        "Maps": _BY_QUESTION,
        "RefCoco": _BY_QUESTION,
        "IQ": SubTask(OrderClass.IMAGE_OPTIONS, 200),
    },
    sub_task_column="task",
    rule="remi",
    prompt="`Question: `, the question, a request for JSON (in our words); images first, not in between",
    max_images=6,
    licence="CC-BY-4.0 (unverified)",
    left_out="questions whose text does not name all of their images, and of which it is not certain what an "
    "order does to them",
    source="ReMI's evaluation notebook (Google Research)",
)

_KINDS = {
    "Collisions": "1 for yes and 0 for no", "Isomorphism": "1 for yes and 0 for no", "Schedule": "a text",
    "Maps": "a text", "IQ": "a text", "CodeEdit": "a line of code",
}  # fmt: skip
_JSON_PLEASE = (
    'Give your answer as JSON with the keys "explanation" and "answer", where "answer" is {kind}.'
)


def draft(row: Row, official: bool) -> Draft:
    """The question of a row. Its placeholders become names of the images, which are shown first.

    Raises:
        InputError: a gap between its pictures, placeholders that are not one for each, no gold.
    """
    images = leading_pictures([row[name] for name in _IMAGES], "image_1 to image_6")
    question = needed_text(row["question"], "question")
    named = {int(number) for number in _TOKEN.findall(question)}
    if named and named != set(range(1, len(images) + 1)):
        raise InputError("placeholders do not fit the pictures", where="question",
                         expected=f"<image1> to <image{len(images)}>", got=sorted(named))  # fmt: skip
    (text,) = hoisted((question,), len(images), "question")
    task, answer = row["task"] or "", needed_text(row["label"], "label").strip()
    order_class = _order_class(task, text, len(images))
    options: tuple[str, ...] = ()
    if order_class is OrderClass.IMAGE_OPTIONS:
        options = tuple(LETTERS[: len(images) - 1])
        answer = gold_letter(answer, options, "label")
    return Draft(
        pictures=images, text=f"Question: {text}" if official else text, answer=answer, options=options,
        kind=task, order_class=order_class, facts={"task": task},
        instruction=_JSON_PLEASE.format(kind=_KINDS.get(task, "a number")) if official else None,
    )  # fmt: skip


def _order_class(task: str, text: str, n_images: int) -> OrderClass | None:
    """The class of the task where the text bears it out: it names every image that it is about."""
    declared = REMI.sub_tasks.get(task, SubTask()).order_class
    named = mentioned_slots(text, n_images)
    names_all = named == frozenset(range(n_images))
    if declared is OrderClass.INVARIANT and named:
        declared = OrderClass.REFERENTIAL
    if declared is OrderClass.REFERENTIAL and not names_all:
        return None
    if declared is OrderClass.IMAGE_OPTIONS:  # "options A, B, C, D in order <image2> <image3> …"
        slots = tuple(range(1, n_images))
        return declared if find_option_block(text, slots) else None
    return declared


remi = loader(REMI, draft)
