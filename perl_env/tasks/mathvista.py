"""perl/MathVista-v0: MathVista, mathematics in one picture."""

from __future__ import annotations

from perl_env.errors import InputError
from perl_env.order_class import OrderClass
from perl_env.question import LETTERS
from perl_env.tasks.benchmark import Benchmark, Draft, Row, SubTask
from perl_env.tasks.dataset_columns import Column, Kind, texts
from perl_env.tasks.dataset_loading import loader
from perl_env.tasks.row_parts import as_texts, needed_pictures, needed_text

_SINGLE = SubTask(OrderClass.SINGLE)

MATHVISTA = Benchmark(
    task="perl/MathVista-v0",
    hub_id="AI4Math/MathVista",
    # The hub's own "test" has no golds.
    splits={"test": "testmini"},
    columns=(
        *texts("pid", "question", "query", "unit", "answer", "question_type", "answer_type"),
        Column("decoded_image", Kind.PICTURE),
        Column("choices", Kind.TEXTS),
        Column("precision", Kind.NUMBER),
        Column("metadata", Kind.RECORD, ("task", "category")),
    ),
    rows=1000,
    sub_tasks={
        "figure question answering": _SINGLE,
        "geometry problem solving": _SINGLE,
        "math word problem": _SINGLE,
        "textbook question answering": _SINGLE,
        "visual question answering": _SINGLE,
    },
    sub_task_column="metadata.task",
    id_column="pid",
    rule="mathvista",
    prompt="the column `query`: a hint, the question, choices as `(A) …`",
    max_images=1,
    licence="CC-BY-SA-4.0",
    left_out="golds that our own grading cannot read; the hub's split `test` has no golds",
    source="lupantech/MathVista; lmms-eval, tasks/mathvista",
)


def draft(row: Row, official: bool) -> Draft:
    """The question of a row; the gold of a choice is a choice's text.

    Raises:
        InputError: no picture, a gold that is none of the choices, a query without its choices.
    """
    pictures = needed_pictures((row["decoded_image"],), "decoded_image")
    options = as_texts(row["choices"], "choices")
    answer = needed_text(row["answer"], "answer").strip()
    if row["question_type"] == "multi_choice":
        if answer not in options:
            raise InputError("gold answer is no option", where="answer",
                             expected=f"one of {', '.join(options) or 'the choices'}", got=repr(answer))  # fmt: skip
        answer = LETTERS[options.index(answer)]
    else:
        options = ()
    query = needed_text(row["query"], "query") if official else ""
    text, found, _ = query.partition("\nChoices:")
    if official and bool(found) != bool(options):
        raise InputError("query does not fit its choices", where="query",
                         expected=f"{len(options)} choices", got=repr(query[-60:]))  # fmt: skip
    metadata = row["metadata"] or {}
    names = ("question_type", "answer_type", "precision", "unit")
    return Draft(
        pictures=pictures, text=text if official else _with_unit(row), answer=answer, options=options,
        kind=metadata.get("task") or "", order_class=OrderClass.SINGLE,
        facts={name: row[name] for name in names}
        | {"task": metadata.get("task"), "category": metadata.get("category")},
        instruction="" if official else None,
    )  # fmt: skip


def _with_unit(row: Row) -> str:
    """The question, and what its gold is to be counted in, which the published hint tells too."""
    text = needed_text(row["question"], "question")
    return f"{text} (Unit: {row['unit']})" if row["unit"] else text


mathvista = loader(MATHVISTA, draft)
