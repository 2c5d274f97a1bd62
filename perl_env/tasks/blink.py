"""perl/BLINK-v0: BLINK, perception questions of fourteen sub-tasks."""

from __future__ import annotations

import re

from perl_env.errors import InputError
from perl_env.order_class import OrderClass
from perl_env.question import LETTERS
from perl_env.tasks.benchmark import Benchmark, Draft, Row, SubTask
from perl_env.tasks.dataset_columns import Column, Kind, pictures, texts
from perl_env.tasks.dataset_loading import loader
from perl_env.tasks.order_classes import borne_out
from perl_env.tasks.row_parts import (
    as_texts,
    gold_letter,
    leading_pictures,
    needed_text,
    without_choices,
)

_NAMES, _REFERS, _SINGLE = OrderClass.SLOT_NAMING, OrderClass.REFERENTIAL, OrderClass.SINGLE
_IMAGES = ("image_1", "image_2", "image_3", "image_4")
_SUB_TASKS = {
    "Art_Style": SubTask(_NAMES, 117),
    "Counting": SubTask(_SINGLE, 120),
    "Forensic_Detection": SubTask(_NAMES, 132),
    "Functional_Correspondence": SubTask(_REFERS, 130),
    "IQ_Test": SubTask(_SINGLE, 150),
    "Jigsaw": SubTask(_NAMES, 150),
    "Multi-view_Reasoning": SubTask(OrderClass.TEMPORAL, 133),
    "Object_Localization": SubTask(_SINGLE, 122),
    "Relative_Depth": SubTask(_SINGLE, 124),
    "Relative_Reflectance": SubTask(_SINGLE, 134),
    "Semantic_Correspondence": SubTask(_REFERS, 139),
    "Spatial_Relation": SubTask(_SINGLE, 143),
    "Visual_Correspondence": SubTask(_REFERS, 172),
    "Visual_Similarity": SubTask(_NAMES, 135),
}

BLINK = Benchmark(
    task="perl/BLINK-v0",
    hub_id="BLINK-Benchmark/BLINK",
    configs=tuple(_SUB_TASKS),
    # The hub's own "test" has no golds.
    splits={"test": "val"},
    columns=(
        *texts("idx", "sub_task", "question", "prompt", "answer"),
        *pictures(*_IMAGES),
        Column("choices", Kind.TEXTS),
    ),
    rows=1901,
    sub_tasks=_SUB_TASKS,
    sub_task_column="sub_task",
    id_column="idx",
    rule="blink",
    prompt="the column `prompt`: question and options as `(A) …`",
    max_images=4,
    licence="Apache-2.0",
    left_out="nothing by rule; the hub's split `test`, whose golds are hidden, cannot be loaded",
    source="BLINK-Benchmark/BLINK_Benchmark, eval/; lmms-eval, tasks/blink",
)

_SELECT = re.compile(r"\s*select from the following (?:options|choices)\W*$", re.IGNORECASE)
# Frames of a video whose order the text states can be shown in another one: the statement moves along.
_STATED_ORDER = re.compile(
    r"\bthe (?:first|second) image is from the (?:beginning|end)\b.*"
    r"\bthe (?:first|second) image is from the (?:beginning|end)\b",
    re.IGNORECASE | re.DOTALL,
)


def draft(row: Row, official: bool) -> Draft:
    """The question of a row: the text of its prompt, whose options are the row's choices.

    Raises:
        InputError: a gap between its pictures, a prompt without its choices, a gold that is none.
    """
    images = leading_pictures([row[name] for name in _IMAGES], "image_1 to image_4")
    options = as_texts(row["choices"], "choices")
    answer = gold_letter(row["answer"], options)
    listed = [f"({letter}) {option}" for letter, option in zip(LETTERS, options, strict=False)]
    text = without_choices(needed_text(row["prompt"], "prompt"), listed)
    if not text:
        raise InputError("prompt does not end with its choices", where="prompt",
                         expected=" ".join(listed), got=repr(row["prompt"][-60:]))  # fmt: skip
    if not official:
        text = _SELECT.sub("", text)
    order_class, pinned = order_class_in(row["sub_task"], text, options, len(images))
    return Draft(
        pictures=images, text=text, answer=answer, options=options, kind=str(row["sub_task"]),
        order_class=order_class, pinned=pinned, facts={"sub_task": row["sub_task"]},
        instruction="" if official else None,
    )  # fmt: skip


def order_class_in(
    sub_task: str, text: str, options: tuple[str, ...], n_images: int
) -> tuple[OrderClass | None, tuple[int, ...] | None]:
    """The class of a question of this sub-task, as far as its text bears it out, and its pins."""
    declared = _SUB_TASKS[sub_task].order_class if sub_task in _SUB_TASKS else None
    if declared is OrderClass.SINGLE and n_images > 1:
        declared = None
    if declared is OrderClass.TEMPORAL and n_images == 2:
        return declared, () if _STATED_ORDER.search(text) else None
    return borne_out(declared, text, options, "", n_images), None


blink = loader(BLINK, draft)
