"""perl/MathVerse-v0: MathVerse, problems of which text and picture tell more or less."""

from __future__ import annotations

from perl_env.errors import InputError
from perl_env.order_class import OrderClass
from perl_env.tasks.benchmark import Benchmark, Draft, Row, SubTask
from perl_env.tasks.dataset_columns import Column, Kind, texts
from perl_env.tasks.dataset_loading import loader
from perl_env.tasks.row_parts import gold_letter, needed_pictures, needed_text, split_options

_VERSION = SubTask(OrderClass.SINGLE, 788)
_IN_THE_PICTURE = "Answer the question that is written in the picture."

MATHVERSE = Benchmark(
    task="perl/MathVerse-v0",
    hub_id="AI4Math/MathVerse",
    configs=("testmini",),
    splits={"test": "testmini"},
    columns=(
        *texts("sample_index", "problem_index", "problem_version", "question", "answer"),
        *texts("question_type", "query_wo", "question_for_eval"),
        Column("image", Kind.PICTURE),
    ),
    rows=3940,
    sub_tasks={
        "Text Dominant": _VERSION,
        "Text Lite": _VERSION,
        "Vision Intensive": _VERSION,
        "Vision Dominant": _VERSION,
        "Vision Only": _VERSION,
    },
    sub_task_column="problem_version",
    id_column="sample_index",
    rule="mathverse",
    prompt="the column `query_wo`: a request for the answer alone, the question, choices as `A:…`",
    max_images=1,
    licence="MIT",
    left_out="golds that our own grading cannot read; the configuration `testmini_text_only`, which has no pictures",
    source="ZrrSkywalker/MathVerse; lmms-eval, tasks/mathverse",
)


def draft(row: Row, official: bool) -> Draft:
    """The question of a row. Its choices, where it has some, stand in the text or in the picture.

    Raises:
        InputError: no picture, a gold that is no choice, choices that cannot be read.
    """
    pictures = needed_pictures((row["image"],), "image")
    shown = needed_text(row["query_wo"], "query_wo") if official else row["question"] or ""
    text, options = _split_choices(shown, "query_wo" if official else "question")
    if row["question_type"] == "multi-choice" and options:
        answer = gold_letter(row["answer"], options)
    else:
        answer = needed_text(row["answer"], "answer").strip()
    names = ("problem_version", "question_type", "question_for_eval")
    return Draft(
        pictures=pictures, text=text or _IN_THE_PICTURE, answer=answer,
        options=options if row["question_type"] == "multi-choice" else (),
        kind=row["problem_version"] or "", order_class=OrderClass.SINGLE,
        facts={name: row[name] for name in names}, instruction="" if official else None,
    )  # fmt: skip


def _split_choices(text: str, column: str) -> tuple[str, tuple[str, ...]]:
    stem, found, choices = text.rpartition("Choices:")
    if not found:
        return text.strip(), ()
    before, options = split_options(choices.strip("\n"), column)
    if before.strip() or len(options) < 2:
        raise InputError(
            "choices cannot be read", where=column, expected="A:…, B:…", got=repr(choices)
        )
    return stem.rstrip(), options


mathverse = loader(MATHVERSE, draft)
