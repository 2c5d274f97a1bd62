"""perl/MantisInstruct-v0: the parts of Mantis-Instruct that ask questions, for training."""

from __future__ import annotations

import re

from perl_env.errors import InputError
from perl_env.mentions.leftovers import leftover_sides
from perl_env.mentions.options import find_option_block
from perl_env.order_class import OrderClass
from perl_env.question import LETTERS
from perl_env.references import mentioned_slots, parse_references, parse_slot
from perl_env.tasks.benchmark import CONFIG, Benchmark, Draft, Row, SubTask
from perl_env.tasks.dataset_columns import Column, Kind, texts
from perl_env.tasks.dataset_loading import loader
from perl_env.tasks.order_classes import borne_out
from perl_env.tasks.row_parts import (
    gold_letter,
    hoisted,
    needed_pictures,
    needed_text,
    split_options,
)

_NAMES, _REFERS = OrderClass.SLOT_NAMING, OrderClass.REFERENTIAL

MANTIS_INSTRUCT = Benchmark(
    task="perl/MantisInstruct-v0",
    hub_id="TIGER-Lab/Mantis-Instruct",
    configs=("nlvr2", "dreamsim", "iconqa", "contrastive_caption", "imagecode"),
    splits={"train": "train", "val": "val"},
    columns=(
        *texts("id", "source"),
        Column("images", Kind.PICTURES),
        Column("conversation", Kind.RECORDS, ("role", "content")),
    ),
    rows=None,  # some 219,000 in these five, which nobody has counted
    sub_tasks={
        "nlvr2": SubTask(_REFERS),
        "dreamsim": SubTask(_NAMES),
        "iconqa": SubTask(OrderClass.IMAGE_OPTIONS),
        "contrastive_caption": SubTask(_REFERS),
        "imagecode": SubTask(_NAMES),
    },
    sub_task_column="source",
    id_column="id",
    prompt="none: for training",
    max_images=32,
    licence="Apache-2.0; of the parts, see their own",
    left_out="questions of which it is not certain what an order does to them; of a conversation all but the first "
    "question",
    source="TIGER-AI-Lab/Mantis, data/",
    picture_folders=("{config}/{split}_images", "{config}", ""),
    files=("{config}/*",),
)

_ANSWER = re.compile(r"\s*(?:the\s+)?answer(?:\s+is)?\s*:?\s*", re.IGNORECASE)
_OPTIONS_HEADING = re.compile(r"\s*(?:Options|Choices):\s*$", re.IGNORECASE)
_IMAGE_OPTION = re.compile(r"^\s*\(?[A-Z][.:)]\s*<image_\d+>", re.MULTILINE)


def draft(row: Row, official: bool) -> Draft:
    """The first question of a row's conversation.

    Raises:
        InputError: no picture, no question or answer, more placeholders than pictures, a gold that is
            no option.
    """
    pictures = needed_pictures(row["images"], "images")
    asked, answered = _first_exchange(row["conversation"] or ())
    (text,) = hoisted((asked,), len(pictures), "conversation")
    answer = _ANSWER.sub("", answered, count=1) if _ANSWER.match(answered) else answered
    answer = answer.strip()
    kind = row[CONFIG] or row["source"] or ""
    count = len(_IMAGE_OPTION.findall(text))
    slots = tuple(range(len(pictures) - count, len(pictures)))
    if count > 1 and slots[0] >= 0 and (block := find_option_block(text, slots)) and block.labelled:
        options = tuple(LETTERS[:count])
        return Draft(
            pictures=pictures, text=text, answer=gold_letter(answer, options, "conversation"),
            options=options, kind=kind, order_class=OrderClass.IMAGE_OPTIONS,
        )  # fmt: skip
    text, options = split_options(text, "conversation")
    if len(options) > 1:
        text = _OPTIONS_HEADING.sub("", text)
        answer = gold_letter(answer, options, "conversation")
    else:
        (text,), options = hoisted((asked,), len(pictures), "conversation"), ()
        answer = _as_image(answer, len(pictures))
    return Draft(
        pictures=pictures, text=text, answer=answer, options=options, kind=kind,
        order_class=_order_class(kind, text, options, answer, len(pictures)),
    )  # fmt: skip


def _as_image(answer: str, n_images: int) -> str:
    """An answer that is nothing but a name of an image ("The opening image") as "Image 1"."""
    mentions = parse_references(answer, n_images).mentions
    bare = re.sub(r"^the\s+|[\s.]+$", "", answer.strip(), flags=re.IGNORECASE)
    if len(mentions) == 1 and len(mentions[0].slots) == 1 and mentions[0].words.endswith(bare):
        return f"Image {mentions[0].slots[0] + 1}"
    return answer


def _first_exchange(conversation: tuple) -> tuple[str, str]:
    turns = [(turn or {}).get("role") for turn in conversation[:2]]
    if turns != ["user", "assistant"]:
        raise InputError("conversation does not start with a question and an answer", where="conversation",
                         expected="user, assistant", got=", ".join(map(str, turns)) or "nothing")  # fmt: skip
    question, answer = (needed_text(turn["content"], "conversation") for turn in conversation[:2])
    return question, answer


def _order_class(
    kind: str, text: str, options: tuple[str, ...], answer: str, n_images: int
) -> OrderClass | None:
    """The class of the part that the question is of, where its words bear it out."""
    if kind not in MANTIS_INSTRUCT.sub_tasks or kind == "iconqa":
        return None
    declared = MANTIS_INSTRUCT.sub_tasks[kind].order_class
    if kind == "nlvr2" and any(
        leftover_sides(text.lower(), parse_references(text, n_images).mentions)
    ):
        return None  # "left" may be the left image, or a side within one
    if kind == "contrastive_caption" and not options and parse_slot(answer, n_images) is not None:
        declared = _NAMES
    found = borne_out(declared, text, options, answer, n_images)
    if (
        found is _NAMES and options
    ):  # an image that nobody names has a role that its place alone tells
        named = {parse_slot(option, n_images) for option in options} | mentioned_slots(
            text, n_images
        )
        return found if named == set(range(n_images)) else None
    return found


mantis_instruct = loader(MANTIS_INSTRUCT, draft)
