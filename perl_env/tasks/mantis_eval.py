"""perl/MantisEval-v0: Mantis-Eval, questions of several people over two to five images."""

from __future__ import annotations

from perl_env.errors import InputError
from perl_env.tasks.benchmark import Benchmark, Draft, Row, SubTask
from perl_env.tasks.dataset_columns import Column, Kind, texts
from perl_env.tasks.dataset_loading import loader
from perl_env.tasks.row_parts import (
    as_texts,
    gold_letter,
    hoisted,
    needed_pictures,
    needed_text,
    without_labels,
)

MULTIPLE_CHOICE, SHORT_ANSWER = "multi-choice", "short-answer"

MANTIS_EVAL = Benchmark(
    task="perl/MantisEval-v0",
    hub_id="TIGER-Lab/Mantis-Eval",
    configs=("mantis_eval",),
    splits={"test": "test"},
    columns=(
        *texts("id", "question_type", "question", "answer", "data_source", "category"),
        Column("images", Kind.PICTURES),
        Column("options", Kind.TEXTS),
    ),
    rows=217,
    sub_tasks={MULTIPLE_CHOICE: SubTask(rows=207), SHORT_ANSWER: SubTask(rows=10)},
    sub_task_column="question_type",
    id_column="id",
    rule="mantis-eval",
    prompt="question, options as ` (A) …`, a line that asks for the letter; short answers: the question "
    'within a text that asks for "Final Answer:"',
    max_images=32,
    licence="Apache-2.0",
    left_out="questions of which it is not certain what an order does to them",
    source="TIGER-AI-Lab/Mantis, mantis/benchmark/eval.py",
)

_LETTER_PLEASE = "Answer with the option's letter from the given choices directly."
_SHORT = "Given the images, answer the following short answer vqa question:\nQ: {question}"
_ANALYSIS_FIRST = (
    'You can first give your analysis, and then give your final answer as "Final Answer:"'
)


def draft(row: Row, official: bool) -> Draft:
    """The question of a row.

    Raises:
        InputError: no picture, more placeholders than pictures, a gold that is no option.
    """
    kind = row["question_type"]
    if kind not in MANTIS_EVAL.sub_tasks:
        raise InputError("unknown question type", where="question_type",
                         expected=f"{MULTIPLE_CHOICE} or {SHORT_ANSWER}", got=repr(kind))  # fmt: skip
    pictures = needed_pictures(row["images"], "images")
    question = needed_text(row["question"], "question")
    options = without_labels(as_texts(row["options"], "options")) if kind == MULTIPLE_CHOICE else ()
    if kind == MULTIPLE_CHOICE and len(options) < 2:
        raise InputError("options are missing", where="options", expected="at least 2", got=len(options))  # fmt: skip
    text, *named = hoisted((question, *options), len(pictures), "question")
    if kind == MULTIPLE_CHOICE:
        answer, instruction = gold_letter(row["answer"], options), _LETTER_PLEASE
    else:
        answer, instruction = needed_text(row["answer"], "answer").strip(), _ANALYSIS_FIRST
    shown = _SHORT.format(question=text) if official and kind == SHORT_ANSWER else text
    return Draft(
        pictures=pictures, text=shown, answer=answer, options=tuple(named), kind=kind,
        order_class=None,
        facts={"question_type": kind, "category": row["category"]},
        instruction=instruction if official else None,
    )  # fmt: skip


mantis_eval = loader(MANTIS_EVAL, draft)
