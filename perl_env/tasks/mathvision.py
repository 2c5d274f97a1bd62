"""perl/MathVision-v0: MathVision, competition problems with one picture."""

from __future__ import annotations

import re

from perl_env.order_class import OrderClass
from perl_env.tasks.benchmark import Benchmark, Draft, Row, SubTask
from perl_env.tasks.dataset_columns import Column, Kind, texts
from perl_env.tasks.dataset_loading import loader
from perl_env.tasks.row_parts import as_texts, gold_letter, needed_pictures, needed_text

_SUBJECTS = (
    "algebra", "analytic geometry", "arithmetic", "combinatorial geometry", "combinatorics", "counting",
    "descriptive geometry", "graph theory", "logic", "metric geometry - angle", "metric geometry - area",
    "metric geometry - length", "solid geometry", "statistics", "topology", "transformation geometry",
)  # fmt: skip
_STEP_BY_STEP = 'Please solve the problem step by step and put your answer in one "\\boxed{}".'
_LETTER_PLEASE = "Answer the question with the option's letter from the given choices directly."
# Tokens such as <image6>, which name parts of the row's one merged picture, not pictures.
_TOKEN = re.compile(r"<image(\d+)>")

MATHVISION = Benchmark(
    task="perl/MathVision-v0",
    hub_id="MathLLMs/MathVision",
    splits={"test": "test", "testmini": "testmini"},
    columns=(
        *texts("id", "question", "answer", "subject"),
        Column("options", Kind.TEXTS),
        Column("decoded_image", Kind.PICTURE),
        Column("level", Kind.WHOLE),
    ),
    rows=3040,
    sub_tasks={subject: SubTask(OrderClass.SINGLE) for subject in _SUBJECTS},
    sub_task_column="subject",
    id_column="id",
    rule="mathvision",
    prompt="a request for steps and a box, the question right behind it, `Choices: A. …`, a line that asks for the letter",
    max_images=1,
    licence="MIT or CC-BY-4.0 (sources disagree: see the data set's card)",
    left_out="golds that our own grading cannot read",
    source="mathllm/MATH-V, evaluation/; lmms-eval, tasks/mathvision",
)


def draft(row: Row, official: bool) -> Draft:
    """The question of a row. Its tokens ``<image1>``, ``<image2>`` name parts of one picture.

    Raises:
        InputError: no picture, no gold, a gold that is no option.
    """
    pictures = needed_pictures((row["decoded_image"],), "decoded_image")
    question = needed_text(row["question"], "question")
    options = as_texts(row["options"], "options")
    if options:
        answer = gold_letter(row["answer"], options)
    else:
        answer = needed_text(row["answer"], "answer").strip()
    return Draft(
        pictures=pictures,
        text=_STEP_BY_STEP + question if official else _TOKEN.sub(r"[figure \1]", question),
        answer=answer, options=options, kind=row["subject"] or "", order_class=OrderClass.SINGLE,
        facts={"level": row["level"], "subject": row["subject"]},
        instruction=(_LETTER_PLEASE if options else "") if official else None,
    )  # fmt: skip


mathvision = loader(MATHVISION, draft)
