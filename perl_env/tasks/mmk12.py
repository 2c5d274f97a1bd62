"""perl/MMK12-v0: MMK12, school problems with one picture, for training."""

from __future__ import annotations

from perl_env.errors import InputError
from perl_env.order_class import OrderClass
from perl_env.tasks.benchmark import Benchmark, Draft, Row, SubTask
from perl_env.tasks.dataset_columns import Column, Kind, texts
from perl_env.tasks.dataset_loading import loader
from perl_env.tasks.row_parts import hoisted, needed_pictures, needed_text, split_options

_SINGLE = SubTask(OrderClass.SINGLE)

MMK12 = Benchmark(
    task="perl/MMK12-v0",
    hub_id="FanqingM/MMK12",
    splits={"train": "train", "test": "test"},
    columns=(*texts("id", "question", "answer", "subject"), Column("image", Kind.PICTURE)),
    rows=None,  # about 15,600 in "train", which nobody has counted; 2,000 in "test"
    sub_tasks={"math": _SINGLE, "physics": _SINGLE, "chemistry": _SINGLE, "biology": _SINGLE},
    sub_task_column="subject",
    id_column="id",
    prompt="none: for training",
    max_images=1,
    licence="Apache-2.0 (unverified)",
    left_out="golds that our own grading cannot read",
    source="ModalMinds/MM-EUREKA; the paper's 36K K12 questions are more than this data set",
)


def draft(row: Row, official: bool) -> Draft:
    """The question of a row; its options, where it has some, stand in the text.

    Raises:
        InputError: no picture, no gold, more than one placeholder.
    """
    pictures = needed_pictures((row["image"],), "image")
    answer = needed_text(row["answer"], "answer").strip()
    (text,) = hoisted((needed_text(row["question"], "question"),), 1, "question")
    text, options = _with_options(text, answer)
    return Draft(
        pictures=pictures, text=text, answer=answer, options=options, kind=row["subject"] or "",
        order_class=OrderClass.SINGLE, facts={"subject": row["subject"]},
    )  # fmt: skip


def _with_options(text: str, answer: str) -> tuple[str, tuple[str, ...]]:
    """Text and options apart, where they surely are: one a line, the gold the letter of one."""
    try:
        stem, options = split_options(text, "question")
    except InputError:
        return text, ()
    are_options = len(options) > 1 and answer in tuple("ABCDEFGH"[: len(options)])
    sound = are_options and stem.strip() and all(options) and len(set(options)) == len(options)
    return (stem, options) if sound else (text, ())


mmk12 = loader(MMK12, draft)
