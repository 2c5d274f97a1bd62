"""perl/MVMath-v0: MV-MATH, school problems over two to eight images."""

from __future__ import annotations

import re

from perl_env.errors import InputError
from perl_env.mentions.options import find_option_block
from perl_env.order_class import OrderClass
from perl_env.question import LETTERS
from perl_env.tasks.benchmark import Benchmark, Draft, Row, SubTask
from perl_env.tasks.dataset_columns import Column, Kind, texts
from perl_env.tasks.dataset_loading import loader
from perl_env.tasks.row_parts import gold_letter, needed_pictures, needed_text, split_options

CHOICE = "choice"
_REFERS = OrderClass.REFERENTIAL

MV_MATH = Benchmark(
    task="perl/MVMath-v0",
    hub_id="PeijieWang/MV-MATH",
    splits={"test": "test"},
    columns=(
        Column("problem_id", Kind.WHOLE),
        *texts("question", "answer", "answer_type", "subject"),
        Column("input_image", Kind.TEXTS),
    ),
    rows=2009,
    sub_tasks={
        # 613 of them have images as options.
        CHOICE: SubTask(None, 1109),
        "single-step": SubTask(_REFERS, 800),
        "multi-step": SubTask(_REFERS, 100),
    },
    sub_task_column="answer_type",
    id_column="problem_id",
    rule="mv-math",
    prompt="images first, the question with `<image_k>`, a request for braces (in our words, without the two "
    "worked examples)",
    max_images=8,
    licence="MIT",
    left_out="texts that cannot be rewritten; asked in the canonical order only: those that speak of figures by "
    "their place on the page or in a pattern",
    source="eternal8080/MV-MATH, all rows read",
    picture_folders=("images", ""),
    files=("*.json", "images/*"),
)

#: Rows whose defect their form does not show.
KNOWN_DEFECTS = {
    43: "a figure of the stem stands among the options",
    103: "the label of option A is the blank of the stem",
    579: "option D is no option",
    637: "options without their labels or pictures",
}
_TOKEN = re.compile(r"<image_(\d+)>")
_FIGURE = r"(?:figure|diagram|picture|image|graph|chart|drawing|shape|pattern|photo|cone)s?"
_ORDINAL = r"(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|last|next|previous|\d+\s?(?:st|nd|rd|th))"  # fmt: skip
# Figures named by their place, on a page or in a growing pattern. What "the left figure" is cannot be
# said when images are shown in another order; such questions keep theirs.
_PLACES = re.compile(
    rf"\b(?:left|right|top|bottom|upper|lower|middle|above|following left|following right)(?:[- ](?:left|right))?\s+{_FIGURE}\b"
    rf"|\b{_FIGURE}\s+(?:\w+\s+){{0,2}}(?:on|at|to|in)\s+the\s+(?:\w+\s+)?(?:left|right|top|bottom|middle)\b"
    rf"|\b{_FIGURE}\s+(?:above|below)\b"
    rf"|\b{_ORDINAL}\s+(?:[\w-]+\s+){{0,2}}{_FIGURE}\b"
    r"|\bthe\s+(?:left|bottom|top|leftmost|rightmost)\b|\b(?:left to right|right to left|top to bottom)\b",
    re.IGNORECASE,
)
_BRACES_PLEASE = "Put your final answer in braces, such as {{{example}}}."
_EXAMPLES = {CHOICE: "C", "single-step": "12", "multi-step": "(1) 3; (2) 12"}


def draft(row: Row, official: bool) -> Draft:
    """The question of a row.

    Raises:
        InputError: a known defect, placeholders that are not one for each picture, options that
            cannot be read, a gold that is none of them.
    """
    if (defect := KNOWN_DEFECTS.get(row["problem_id"])) is not None:
        raise InputError("row has a known defect", where=f"problem {row['problem_id']}",
                         expected="a sound question", got=defect)  # fmt: skip
    kind = row["answer_type"]
    if kind not in MV_MATH.sub_tasks:
        raise InputError("unknown answer type", where="answer_type",
                         expected=f"one of {', '.join(MV_MATH.sub_tasks)}", got=repr(kind))  # fmt: skip
    pictures = needed_pictures(row["input_image"], "input_image")
    text = needed_text(row["question"], "question").strip().removesuffix("##").rstrip()
    named = [int(number) for number in _TOKEN.findall(text)]
    if named != list(range(1, len(pictures) + 1)):
        raise InputError("placeholders do not fit the pictures", where="question",
                         expected=f"<image_1> to <image_{len(pictures)}> in turn", got=named)  # fmt: skip
    order_class = OrderClass.LAYOUT if _PLACES.search(text) else _REFERS
    options: tuple[str, ...] = ()
    if kind == CHOICE and _options_are_images(text, len(pictures)):
        options = tuple(LETTERS[:4])
        order_class = OrderClass.IMAGE_OPTIONS if order_class is _REFERS else order_class
    elif kind == CHOICE:
        text, options = _text_options(text)
    answer = gold_letter(row["answer"], options) if options else needed_text(row["answer"], "answer").strip()  # fmt: skip
    return Draft(
        pictures=pictures, text=text, answer=answer, options=options, kind=kind, order_class=order_class,
        facts={"problem_type": kind, "subject": row["subject"]},
        instruction=_BRACES_PLEASE.format(example=_EXAMPLES[kind]) if official else None,
    )  # fmt: skip


def _options_are_images(text: str, n_images: int) -> bool:
    """Whether a text ends with its four last images, each behind its letter."""
    if n_images < 4:
        return False
    block = find_option_block(text, tuple(range(n_images - 4, n_images)))
    return block is not None and block.labelled and block.end >= len(text.rstrip(" .;"))


def _text_options(text: str) -> tuple[str, tuple[str, ...]]:
    stem, options = split_options(text, "question")
    options = tuple(option.strip() for option in options)
    if len(options) != 4 or not all(options) or any(_TOKEN.search(option) for option in options):
        raise InputError("options cannot be read", where="question", expected="A. … to D. …, a line each",
                         got=repr(text[-80:]))  # fmt: skip
    return stem, options


mv_math = loader(MV_MATH, draft)
