"""perl/MMIU-v0: MMIU, fifty-two tasks (sixty by name) over one to thirty-two images."""

from __future__ import annotations

import re

from perl_env.errors import InputError
from perl_env.index_lists import parse_index_list
from perl_env.order_class import OrderClass
from perl_env.prompts import OPTIONS_BEFORE_LAST_LINE
from perl_env.question import LETTERS
from perl_env.tasks.benchmark import Benchmark, Draft, Row, SubTask
from perl_env.tasks.dataset_columns import Column, Kind, texts
from perl_env.tasks.dataset_loading import loader
from perl_env.tasks.order_classes import borne_out
from perl_env.tasks.row_parts import gold_letter, needed_pictures, needed_text, without_choices

_TEMPORAL, _REFERS, _BY_QUESTION = (
    SubTask(OrderClass.TEMPORAL), SubTask(OrderClass.REFERENTIAL), SubTask(None),
)  # fmt: skip
# Names as the data set spells them. Those of ``_BY_QUESTION`` are tasks of which no text was seen.
_SUB_TASKS = (
    dict.fromkeys(
        (
            "person_reid", "vehicle_retrieval", "face_retrieval", "sketch2image_retrieval",
            "handwritten_retrieval", "image2image_retrieval", "text2image_retrieval", "spot_the_diff",
            "spot_the_similarity", "visually_grounded_reasoning_nlvr2", "visually_grounded_reasoning_marvl",
            "functional_correspondence_funk_point", "semantic_correspondence_misc210k",
            "visual_correspondence_scannet", "emotion_recognition_expw", "emotion_recognition_findingemo",
            "multiple_image_captioning", "forensic_detection_forgerynet", "visual_quality_assessment_q_bench+",
            "visual_quality_assessment_ve_lol_l", "jigsaw_puzzle_solving",
            "Icon_Question_Answering_with_Spatial_Context", "Homography_estimation",
            "Image_Spatial_Transformation_Estimation", "Image_Captioning_with_Spatial_Context",
            "Image_text_retrieval_with_Spatial_Context", "Multiview_Action_Recognition", "threed_cad_recognition",
            "threed_indoor_recognition", "threeD_Scene_Reconstruction", "threeD_question_answering",
            "threeD_Depth_Estimation", "threeD_Object_Detection", "threeD_Object_Tracking",
            "threeD_Pose_Estimation", "Egocentric_Video_QuestionAnswering",
        ),
        _BY_QUESTION,
    )
    | dict.fromkeys(
        (
            "casuality_reasoning_next_qa", "casuality_reasoning_var", "ravens_progressive_matrices",
            "point_tracking", "single_object_tracking", "Multiview_reasoning", "action_quality_assessment",
            "general_action_recognition", "meme_vedio_understanding", "mevis", "next_img_prediction",
            "temporal_localization", "video_captioning", "gui_next_action_prediction", "textual_cloze",
            "visual_cloze", "visual_coherence", "visual_ordering",
        ),
        _TEMPORAL,
    )
    | dict.fromkeys(
        (
            "functional_correspondence_blink", "semantic_correspondence_blink", "visual_correspondence_blink",
        ),
        _REFERS,
    )
    | {
        "forensic_detection_blink": SubTask(OrderClass.SLOT_NAMING),
        "temporal_ordering": SubTask(OrderClass.INDEX_LIST),
        "gui_app_recognition": SubTask(OrderClass.INVARIANT),
    }
)  # fmt: skip
#: Tasks whose published prompt has the question before the context.
_QUESTION_FIRST = frozenset((
    "person_reid", "multiple_image_captioning", "spot_the_similarity", "face_retrieval", "sketch2image_retrieval",
    "handwritten_retrieval", "spot_the_diff", "image2image_retrieval", "vehicle_retrieval", "text2image_retrieval",
    "general_action_recognition", "video_captioning", "next_img_prediction", "temporal_ordering",
    "meme_vedio_understanding", "action_quality_assessment", "temporal_localization", "mevis",
    "ravens_progressive_matrices", "threed_indoor_recognition", "point_tracking", "threed_cad_recognition",
    "single_object_tracking",
))  # fmt: skip

MMIU = Benchmark(
    task="perl/MMIU-v0",
    hub_id="FanqingM/MMIU-Benchmark",
    revision="03bf7d143d920e97a757f606b6b7baee161b019b",
    splits={"test": "test"},
    columns=(
        *texts("task", "options", "question", "context", "output"),
        Column("input_image_path", Kind.TEXTS),
    ),
    rows=11698,
    sub_tasks=_SUB_TASKS,
    sub_task_column="task",
    rule="mmiu",
    prompt="question and context (of 37 tasks context and question), options as `A: …` within the context, a "
    "line that asks for the letter",
    max_images=32,
    licence="CC-BY-4.0",
    left_out="questions of which it is not certain what an order does to them",
    source="MMIUBenchmark/MMIU; the data set's card",
    files=("*.parquet", "*.zip"),
)

_OPTION = re.compile(r"(?:^|\n)([A-Z]):\s?([^\n]+)")
_LETTER_PLEASE = "Please answer the option directly like A,B,C,D..."


def draft(row: Row, official: bool) -> Draft:
    """The question of a row, whose options are one text and stand in its context once more.

    Raises:
        InputError: no picture, options that cannot be read, a gold that is none of them.
    """
    pictures = needed_pictures(row["input_image_path"], "input_image_path")
    options = _options(needed_text(row["options"], "options"))
    answer = gold_letter(row["output"], options, "output")
    question = needed_text(row["question"], "question").strip()
    context = row["context"] or ""
    listed = [f"{letter}: {option}" for letter, option in zip(LETTERS, options, strict=False)]
    before = without_choices(context, listed)
    context = (context if before is None else before).strip()
    task = row["task"] or ""
    parts = (question, context) if task in _QUESTION_FIRST else (context, question)
    text = "\n".join(part for part in parts if part)
    order_class = _order_class(task, text, options, len(pictures))
    options_within = official and task not in _QUESTION_FIRST and context and "\n" not in question
    return Draft(
        pictures=pictures, text=text, answer=answer, options=options, kind=task, order_class=order_class,
        index_list="rank" if order_class is OrderClass.INDEX_LIST else None,
        index_base=0 if order_class is OrderClass.INDEX_LIST else 1,
        facts={"task": task} | (dict([OPTIONS_BEFORE_LAST_LINE]) if options_within else {}),
        instruction=_LETTER_PLEASE if official else None,
    )  # fmt: skip


def _options(text: str) -> tuple[str, ...]:
    found = _OPTION.findall(text)
    if len(found) < 2 or [letter for letter, _ in found] != list(LETTERS[: len(found)]):
        raise InputError("options cannot be read", where="options", expected="A: …, B: …, a line each",
                         got=repr(text))  # fmt: skip
    return tuple(option.strip() for _, option in found)


def _order_class(
    task: str, text: str, options: tuple[str, ...], n_images: int
) -> OrderClass | None:
    declared = _SUB_TASKS.get(task, _BY_QUESTION).order_class
    if declared is OrderClass.INDEX_LIST:
        # "Give each picture a sequential index, from 0": entry j is the rank of picture j.
        lists = [parse_index_list(option) for option in options]
        are_ranks = "index" in text and all(sorted(each or ()) == list(range(n_images)) for each in lists)  # fmt: skip
        # A list that is left in the text would not be rewritten with the options.
        return declared if are_ranks and n_images > 1 and not _holds_list(text, n_images) else None
    return borne_out(declared, text, options, "", n_images)


def _holds_list(text: str, n_images: int) -> bool:
    """Whether a text has as many numbers in a row as there are images, however they are set apart."""
    pattern = rf"(?<!\d)\d{{1,2}}(?:[\s,;>→-]+\d{{1,2}}){{{n_images - 1}}}(?!\d)"
    return re.search(pattern, text) is not None


mmiu = loader(MMIU, draft)
