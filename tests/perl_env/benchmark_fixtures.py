"""Rows of our own in the schema of each benchmark, with its traps, and what has to become of each.

No row of any benchmark is here; texts are ours, in the benchmarks' patterns.
"""

from __future__ import annotations

import functools
import importlib
import io
import json
import os
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from perl_env.tasks.benchmark import Benchmark
from perl_env.tasks.dataset_columns import Column, Kind

LOADED = "loaded"


def excluded(what: str) -> tuple[str, str]:
    return ("excluded", what)


def malformed(what: str) -> tuple[str, str]:
    return ("malformed", what)


UNKNOWN = excluded("order class unknown")


@functools.cache
def png(number: int) -> bytes:
    """A small picture; another number gives another one."""
    data = io.BytesIO()
    colour = (number * 53 % 256, number * 101 % 256, number)
    Image.new("RGB", (6 + number % 3, 5), colour).save(data, format="PNG")
    return data.getvalue()


def stored(number: int) -> dict[str, Any]:
    return {"bytes": png(number), "path": None}


def shown(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [stored(start + i) for i in range(count)]


def numbered(count: int, of: int, start: int = 0) -> dict[str, Any]:
    """Columns image_1, image_2, … of which the last ones are null."""
    return {f"image_{i + 1}": stored(start + i) if i < count else None for i in range(of)}


CUT_OFF = {"bytes": png(3)[:-30], "path": None}


@dataclass(frozen=True)
class Fixture:
    """Rows for a loader.

    Attributes:
        loader: its module and function.
        benchmark: its declaration.
        cases: rows, each with its verdict: ``LOADED``, ``excluded(what)`` or ``malformed(what)``.
        layout: how they are stored: "disk" (``save_to_disk``), "zips" (parquet, pictures in zip files)
            or "json" (JSON, pictures in a folder).
    """

    loader: str
    benchmark: Benchmark
    cases: tuple[tuple[dict[str, Any], Any], ...]
    layout: str = "disk"

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [row for row, _ in self.cases]

    def load(self, folder: Path, **arguments: Any) -> Any:
        module = importlib.import_module(f"perl_env.tasks.{self.loader}")
        return getattr(module, self.loader)(path=folder, **arguments)

    def write(self, folder: Path, rows: list[dict[str, Any]] | None = None) -> Path:
        """A local copy of the rows; returns the path to load."""
        rows = self.rows if rows is None else rows
        folder.mkdir(parents=True, exist_ok=True)
        if self.layout == "json":
            (folder / "rows.json").write_text(json.dumps(rows))
            _write_pictures(folder, "images")
        elif self.layout == "zips":
            dataset(self.benchmark, rows, plain=True).to_parquet(folder / "all.parquet")
            _write_pictures(folder, "pictures")
            with zipfile.ZipFile(folder / "pictures.zip", "w") as archive:
                for file in sorted((folder / "pictures").iterdir()):
                    archive.write(file, file.name)
            shutil.rmtree(folder / "pictures")
        else:
            dataset(self.benchmark, rows).save_to_disk(folder)
        return folder


def _write_pictures(folder: Path, below: str) -> None:
    """The pictures 0.png to 19.png, a cut-off one, and a text with a picture's name."""
    target = folder / below
    target.mkdir(exist_ok=True)
    for number in range(20):
        (target / f"{number}.png").write_bytes(png(number))
    (target / "cut.png").write_bytes(CUT_OFF["bytes"])
    (target / "text.png").write_text("no picture")


def dataset(benchmark: Benchmark, rows: list[dict[str, Any]], plain: bool = False) -> Any:
    """The rows with the columns' declared types; ``plain`` keeps pictures as records of bytes and path."""
    from datasets import Dataset, Features, List, Value

    features = Features({column.name: feature_of(column) for column in benchmark.columns})
    record = {"bytes": Value("binary"), "path": Value("string")}
    for column in benchmark.columns if plain else ():
        if column.kind in (Kind.PICTURE, Kind.PICTURES):
            features[column.name] = List(record) if column.kind is Kind.PICTURES else record
    columns = {name: [row.get(name) for row in rows] for name in features}
    return Dataset.from_dict(columns, features=features)


def feature_of(column: Column) -> Any:
    from datasets import Image, List, Value

    match column.kind:
        case Kind.TEXT:
            return Value("string")
        case Kind.WHOLE:
            return Value("int64")
        case Kind.NUMBER:
            return Value("float64")
        case Kind.FLAG:
            return Value("bool")
        case Kind.TEXTS:
            return List(Value("string"))
        case Kind.PICTURE:
            return Image()
        case Kind.PICTURES:
            return List(Image())
        case Kind.RECORD:
            return {name: Value("string") for name in column.fields}
        case Kind.RECORDS:
            return List({name: Value("string") for name in column.fields})


@functools.cache
def fixture_path(task: str) -> str:
    """A local copy of a task's fixture, written once for all tests of this run."""
    return str(FIXTURES[task].write(_scratch() / task.removeprefix("perl/")))


@functools.cache
def _scratch() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="perl-fixtures-"))
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner:  # a forked worker leaves it to its parent
            shutil.rmtree(folder, ignore_errors=True)

    import atexit

    atexit.register(remove)
    return folder


# --- Mantis-Eval -----------------------------------------------------------------------------

MANTIS = {
    "id": "zz_1", "images": shown(3), "question_type": "multi-choice", "question": "Which image shows a red kite?",
    "options": ["Image 1", "Image 2", "Image 3"], "answer": "B", "data_source": "ours", "category": "which",
}  # fmt: skip
MANTIS_CASES = (
    (MANTIS, LOADED),
    # labels in front, bare placeholders for all images
    (MANTIS | {"id": "zz_2", "question": "<image> <image> <image> Which image shows a boat?", "options": [" (A) Image 1", "(B) Image 2", "(C) Image 3"], "answer": "(C)"}, LOADED),
    # fewer placeholders than images: those in the text are the last ones
    (MANTIS | {"id": "zz_3", "question": "How many dogs does <image> show?", "options": ["A. one", "B. two", "C. three"], "answer": "B. two"}, LOADED),
    (MANTIS | {"id": "zz_4", "question": "How many wallets are there in total in all images?", "options": ["2", "3", "4"], "answer": "A"}, LOADED),
    (MANTIS | {"id": "zz_5", "question_type": "short-answer", "options": [], "question": "How many cups are there in total in all images?", "answer": "7"}, LOADED),
    (MANTIS | {"id": "zz_6", "images": shown(1), "question": "What is this?", "options": ["a cat", "a dog"], "answer": "A"}, LOADED),
    # the same id again
    (MANTIS | {"images": shown(3, 6)}, LOADED),
    (MANTIS | {"id": "zz_8", "question": "What change can be seen?", "options": ["more light", "less light"], "answer": "A"}, UNKNOWN),
    (MANTIS | {"id": "zz_9", "question": "In what order were they taken?", "options": ["1, 3, 2", "2, 1, 3", "3, 2, 1"], "answer": "A"}, UNKNOWN),
    (MANTIS | {"id": "zz_10", "answer": "E"}, malformed("gold answer is no option")),
    (MANTIS | {"id": "zz_11", "answer": None}, malformed("text is missing")),
    (MANTIS | {"id": "zz_12", "images": [stored(1), None, stored(2)]}, malformed("picture is missing")),
    (MANTIS | {"id": "zz_13", "images": []}, malformed("picture is missing")),
    (MANTIS | {"id": "zz_14", "question": "<image><image><image><image> Which?"}, malformed("placeholder count differs from the number of pictures")),
    (MANTIS | {"id": "zz_15", "question_type": "essay"}, malformed("unknown question type")),
    (MANTIS | {"id": "zz_16", "options": []}, malformed("options are missing")),
    (MANTIS | {"id": "zz_18", "images": [stored(1), stored(2), CUT_OFF]}, malformed("picture is truncated or damaged")),
    (MANTIS | {"id": "zz_19", "options": ["Image 1", "Image 1", "Image 2"]}, malformed("two options are the same")),
)  # fmt: skip


# --- BLINK -----------------------------------------------------------------------------------


def blink_row(sub_task: str, images: int, text: str, options: list[str], answer: str, **more: Any):
    number = more.pop("number", 1)
    prompt = text + "\nSelect from the following choices.\n"
    prompt += "\n".join(
        f"({letter}) {option}" for letter, option in zip("ABCD", options, strict=False)
    )
    return {
        "idx": f"val_{sub_task}_{number}", "sub_task": sub_task, "question": text, "prompt": prompt,
        "choices": options, "answer": answer, **numbered(images, 4, number),
    } | more  # fmt: skip


_SECOND_OR_THIRD = ["the second image", "the third image"]
_POINTS = ["Point A", "Point B", "Point C", "Point D"]
_STYLE = "Take the first image as the reference image: which one of the second or the third image has its style?"
_DEPTH = ("Relative_Depth", 1, "Which of the points A and B, circled on the image, is closer?")
_CLOSER = ["A is closer", "B is closer"]
BLINK_CASES = (
    (blink_row("Art_Style", 3, _STYLE, _SECOND_OR_THIRD, "(A)"), LOADED),
    (blink_row("Jigsaw", 3, "The first image lacks its lower right corner. Is the second image or the third image the missing part?", _SECOND_OR_THIRD, "(B)"), LOADED),
    (blink_row("Visual_Similarity", 3, "Take the first image as reference. Which one of the latter two images is most similar to the first one?", _SECOND_OR_THIRD, "(B)"), LOADED),
    (blink_row("Forensic_Detection", 4, "Which one of the four images is most likely to be a real photograph?", ["the first image", "the second image", "the third image", "the fourth image"], "(D)"), LOADED),
    (blink_row("Visual_Correspondence", 2, "A point on the first image is labeled REF. Which point on the second image corresponds to it?", _POINTS, "(C)"), LOADED),
    (blink_row("Multi-view_Reasoning", 2, "The first image is from the beginning of the video and the second image is from the end. Is the camera moving left or right?", ["left", "right"], "(A)"), LOADED),
    # the order is in the images alone: asked in the canonical one only
    (blink_row("Multi-view_Reasoning", 2, "The images are frames from a video. Is the camera moving left or right?", ["left", "right"], "(A)", number=2), LOADED),
    (blink_row(*_DEPTH, _CLOSER, "(A)"), LOADED),
    # a correspondence that does not say on which image
    (blink_row("Semantic_Correspondence", 2, "Which point is corresponding to the reference point?", _POINTS, "(A)"), UNKNOWN),
    (blink_row("Counting", 2, "How many blue buttons are there?", ["1", "2"], "(A)"), UNKNOWN),
    (blink_row("New_Task", 2, "What happens here?", ["this", "that"], "(A)"), UNKNOWN),
    (blink_row(*_DEPTH, _CLOSER, "hidden", number=2), malformed("gold answer is no option")),
    (blink_row(*_DEPTH, _CLOSER, "(A)", number=3, prompt="Which is closer?"), malformed("prompt does not end with its choices")),
    (blink_row(*_DEPTH, _CLOSER, "(A)", number=4, image_1=None), malformed("picture is missing")),
    (blink_row("Art_Style", 3, _STYLE, _SECOND_OR_THIRD, "(A)", number=2, image_2=None), malformed("picture is missing")),
)  # fmt: skip


# --- MathVista -------------------------------------------------------------------------------

_HINT = "Hint: Please answer the question.\nQuestion: "
VISTA = {
    "pid": "1", "question": "Which bar is higher?", "decoded_image": stored(1), "choices": ["red", "blue"],
    "unit": None, "precision": None, "answer": "blue", "question_type": "multi_choice", "answer_type": "text",
    "query": _HINT + "Which bar is higher?\nChoices:\n(A) red\n(B) blue",
    "metadata": {"task": "figure question answering", "category": "general-vqa"},
}  # fmt: skip
_FREE = {"question_type": "free_form", "choices": None, "question": "How long is it?", "query": _HINT + "How long is it?"}  # fmt: skip
VISTA_CASES = (
    (VISTA, LOADED),
    (VISTA | _FREE | {"pid": "2", "answer": "12", "answer_type": "integer", "metadata": {"task": "math word problem", "category": "math-targeted-vqa"}}, LOADED),
    (VISTA | _FREE | {"pid": "3", "answer": "1.5", "answer_type": "float", "precision": 1.0, "unit": "cm"}, LOADED),
    (VISTA | _FREE | {"pid": "4", "answer": "[1, 2, 4]", "answer_type": "list"}, LOADED),
    # a choice's gold is its text, not its letter
    (VISTA | {"pid": "5", "answer": "B"}, malformed("gold answer is no option")),
    (VISTA | {"pid": "6", "answer": ""}, malformed("text is missing")),
    (VISTA | {"pid": "7", "decoded_image": None}, malformed("picture is missing")),
    (VISTA | {"pid": "8", "choices": ["red", "red", "blue"]}, malformed("two options are the same")),
    (VISTA | {"pid": "9", "decoded_image": {"bytes": b"no picture", "path": None}}, malformed("not a picture")),
)  # fmt: skip


# --- MathVerse -------------------------------------------------------------------------------

_DIRECTLY = "Please directly answer the question and provide the correct option letter.\nQuestion: "
_ANGLE = "How large is angle x?\nChoices:\nA:40°\nB:60°"
VERSE = {
    "sample_index": "1", "problem_index": "1", "problem_version": "Text Dominant", "question": _ANGLE,
    "answer": "B", "question_type": "multi-choice", "query_wo": _DIRECTLY + _ANGLE, "question_for_eval": _ANGLE,
    "image": stored(2),
}  # fmt: skip
_IN_PICTURE = {"problem_version": "Vision Only", "question": "", "query_wo": "Answer the question shown in the image."}  # fmt: skip
VERSE_CASES = (
    (VERSE, LOADED),
    (VERSE | _IN_PICTURE | {"sample_index": "2"}, LOADED),
    (VERSE | _IN_PICTURE | {"sample_index": "3", "question_type": "free-form", "answer": "60°"}, LOADED),
    (VERSE | {"sample_index": "4", "question_type": "free-form", "question": "How large is x?", "query_wo": "Question: How large is x?", "answer": "2\\sqrt{3}"}, LOADED),
    (VERSE | {"sample_index": "5", "answer": "D"}, malformed("gold answer is no option")),
    (VERSE | {"sample_index": "6", "image": None}, malformed("picture is missing")),
    (VERSE | {"sample_index": "7", "answer": None}, malformed("text is missing")),
    (VERSE | {"sample_index": "8", "question": "Which?\nChoices:\nA:1\nC:2", "query_wo": "Which?\nChoices:\nA:1\nC:2"}, malformed("options are not in turn")),
)  # fmt: skip


# --- MathVision ------------------------------------------------------------------------------

VISION = {
    "id": "1", "question": "When it goes from home <image1> along <image2>, where is it?", "options": [],
    "decoded_image": stored(3), "answer": "7", "level": 2, "subject": "logic",
}  # fmt: skip
VISION_CASES = (
    # tokens that name parts of the one merged picture
    (VISION, LOADED),
    (VISION | {"id": "2", "question": "Which is it, <image6> or <image7>?", "options": ["A", "B", "C", "D", "E"], "answer": "E", "subject": "counting"}, LOADED),
    (VISION | {"id": "3", "question": "How many?", "options": ["3", "4"], "answer": "A"}, LOADED),
    (VISION | {"id": "4", "answer": None}, malformed("text is missing")),
    (VISION | {"id": "5", "decoded_image": None}, malformed("picture is missing")),
    (VISION | {"id": "6", "options": ["3", "4"], "answer": "7"}, malformed("gold answer is no option")),
    (VISION | {"id": "7", "options": ["3", ""], "answer": "A"}, malformed("text is missing")),
)  # fmt: skip


# --- MMK12 -----------------------------------------------------------------------------------

K12 = {"id": "k1", "question": "<image>\nHow long is side $a$?", "answer": "$\\frac{1}{2}$", "subject": "math", "image": stored(4)}  # fmt: skip
K12_CASES = (
    (K12, LOADED),
    (K12 | {"id": "k2", "question": "Which force is it? <image>\nA. 1 N\nB. 2 N", "answer": "B", "subject": "physics"}, LOADED),
    (K12 | {"id": "k3", "question": "Which (A. red B. blue) is it in <image>?", "answer": "A", "subject": "biology"}, LOADED),
    (K12 | {"id": "k4", "question": "<image><image> How long?"}, malformed("placeholder count differs from the number of pictures")),
    (K12 | {"id": "k5", "image": None}, malformed("picture is missing")),
    (K12 | {"id": "k6", "answer": " "}, malformed("text is missing")),
)  # fmt: skip


# --- ReMI ------------------------------------------------------------------------------------


def remi_row(task: str, images: int, question: str, label: str, **more: Any) -> dict[str, Any]:
    return {"task": task, "question": question, "label": label, **numbered(images, 6)} | more


_IQ = "Below is a test <image1>. Of the options A, B, C, and D in the following images in order <image2> <image3> <image4> <image5>, which one fits?"
REMI_CASES = (
    (remi_row("FuncRead", 2, "The graph of $f$ is <image1> and that of $g$ is <image2>. What is $f(1)-g(1)$?", "1"), LOADED),
    (remi_row("EmojiAlgebra", 4, "Compute the value in <image1> by the equations in <image2> <image3> <image4>.", "92"), LOADED),
    (remi_row("Charts", 2, "<image1><image2>The mean of the first chart and that of the second chart is X. Which X?", "12"), LOADED),
    (remi_row("Collisions", 2, "<image1><image2>The images show before and after a collision. Do the balls stick?", "0"), LOADED),
    (remi_row("IQ", 5, _IQ, "C"), LOADED),
    (remi_row("Isomorphism", 2, "<image1><image2>Are the two graphs isomorphic?", "1"), LOADED),
    (remi_row("Isomorphism", 2, "Are the graph in <image1> and that in <image2> isomorphic?", "0"), LOADED),
    # a header alone does not say which shape is meant
    (remi_row("GeomShape", 2, "<image1><image2>How long is the side of the second shape?", "5"), UNKNOWN),
    (remi_row("Clocks", 2, "<image1><image2>How many minutes passed?", "30"), UNKNOWN),
    (remi_row("NewTask", 2, "<image1><image2>What happens?", "30"), UNKNOWN),
    (remi_row("FuncRead", 2, "The graph of $f$ is <image1>.", "1"), malformed("placeholders do not fit the pictures")),
    (remi_row("FuncRead", 2, "The graph of $f$ is <image1> and <image3>.", "1"), malformed("placeholders do not fit the pictures")),
    (remi_row("FuncRead", 3, "<image1> <image2>", "1", image_2=None), malformed("picture is missing")),
    (remi_row("Charts", 2, "<image1><image2>Which chart?", ""), malformed("text is missing")),
    (remi_row("IQ", 5, _IQ, "E"), malformed("gold answer is no option")),
)  # fmt: skip


# --- MMIU ------------------------------------------------------------------------------------


def mmiu_row(
    task: str, images: int, question: str, choices: list[str], output: str | None, **more: Any
):
    lines = "\n".join(f"{letter}: {text}" for letter, text in zip("ABCDEF", choices, strict=False))
    context = f"You are given some images.\nSelect from the following choices.\n{lines}"
    return {
        "task": task, "question": question, "context": context, "options": lines, "output": output,
        "input_image_path": [f"./pictures/{number}.png" for number in range(images)],
    } | more  # fmt: skip


_ORDINALS = ["the first image", "the second image", "the third image", "the fourth image"]
_REAL = "Which image is most likely to be a real photograph?"
_RANKS = "Please predict the order of the pictures, and give each picture a sequential index, which starts from 0."
MMIU_CASES = (
    (mmiu_row("forensic_detection_blink", 4, _REAL, _ORDINALS, "B"), LOADED),
    (mmiu_row("temporal_ordering", 4, _RANKS, ["[3, 1, 2, 0]", "[0, 1, 2, 3]", "[1, 0, 3, 2]"], "A"), LOADED),
    (mmiu_row("visual_correspondence_blink", 2, "Which point on the second image corresponds to the point REF on the first image?", ["Point A", "Point B"], "B"), LOADED),
    (mmiu_row("next_img_prediction", 3, "What comes next?", ["rain", "snow"], "A"), LOADED),
    (mmiu_row("gui_app_recognition", 2, "Which application is used?", ["mail", "maps"], "A"), LOADED),
    # tasks of which no text was seen: each question is looked at
    (mmiu_row("multiple_image_captioning", 2, "What do both images have in common?", ["rain", "snow"], "A", context=None), LOADED),
    (mmiu_row("person_reid", 3, "Who is the same as the query?", ["Candidate 1", "Candidate 2"], "A"), UNKNOWN),
    (mmiu_row("forensic_detection_blink", 4, _REAL, ["the first image", "none of them"], "B"), UNKNOWN),
    (mmiu_row("a_new_task", 2, "What happens?", ["rain", "snow"], "A"), UNKNOWN),
    # golds beyond the options, null golds, options that are no list
    (mmiu_row("forensic_detection_blink", 4, _REAL, _ORDINALS, "G"), malformed("gold answer is no option")),
    (mmiu_row("forensic_detection_blink", 4, _REAL, _ORDINALS, None), malformed("text is missing")),
    (mmiu_row("forensic_detection_blink", 4, _REAL, _ORDINALS, "A", options="A: the first image\nC: the second"), malformed("options cannot be read")),
    (mmiu_row("forensic_detection_blink", 4, _REAL, _ORDINALS, "A", input_image_path=[]), malformed("picture is missing")),
    (mmiu_row("forensic_detection_blink", 4, _REAL, _ORDINALS, "A", input_image_path=["./pictures/99.png"] * 4), malformed("picture is missing")),
    (mmiu_row("forensic_detection_blink", 4, _REAL, _ORDINALS, "A", input_image_path=["../outside.png"] * 4), malformed("path leaves the folder")),
    (mmiu_row("forensic_detection_blink", 4, _REAL, _ORDINALS, "A", input_image_path=["/etc/hostname"] * 4), malformed("path leaves the folder")),
    (mmiu_row("forensic_detection_blink", 4, _REAL, _ORDINALS, "A", input_image_path=["./pictures/cut.png"] * 4), malformed("picture is truncated or damaged")),
    (mmiu_row("forensic_detection_blink", 4, _REAL, _ORDINALS, "A", input_image_path=["./pictures/text.png"] * 4), malformed("not a picture")),
)  # fmt: skip


# --- MV-MATH ---------------------------------------------------------------------------------


def mv_row(number: int, images: int, question: str, answer: str, kind: str = "choice", **more: Any):
    return {
        "problem_id": number, "question": question, "input_image": [f"{i}.png" for i in range(images)],
        "answer": answer, "answer_type": kind, "subject": "Solid Geometry",
    } | more  # fmt: skip


_BLOCK = "\nA.\n\n<image_{}>\nB.\n\n<image_{}>\nC.\n\n<image_{}>\nD.\n\n<image_{}>"
_CAPTIONED = "<image_1>\nFigure 1\n\n<image_2>\nFigure 2"
_TEXT_OPTIONS = "\nA. one\nB. two\nC. three\nD. four"
MV_MATH_CASES = (
    (mv_row(1, 4, "Which can be got by rotating a plane figure?" + _BLOCK.format(1, 2, 3, 4), "B"), LOADED),
    (mv_row(2, 5, "Which is the net of this solid?\n\n<image_1>" + _BLOCK.format(2, 3, 4, 5) + " ##", "D"), LOADED),
    (mv_row(4, 2, "How many edges do the solids in Figure 1 and Figure 2 have?\n\n" + _CAPTIONED + _TEXT_OPTIONS, "C"), LOADED),
    # captions after the images that are letters, and options that are these captions
    (mv_row(5, 4, "Which is a prism?\n\n<image_1>\n(A)\n\n<image_2>\n(B)\n\n<image_3>\n(C)\n\n<image_4>\n(D)\nA. (A)\nB. (B)\nC. (C)\nD. (D)", "A"), LOADED),
    (mv_row(6, 2, "Compare <image_1> and <image_2>. Which card was rotated?\nA. The first card\nB. The second card\nC. Both\nD. None", "A"), LOADED),
    # figures by their place: asked in one order only
    (mv_row(7, 2, "What is the area of the left figure?\n\n<image_1>\n\n<image_2>", "15.6", "single-step"), LOADED),
    (mv_row(8, 2, "How many squares has the 20th figure?\n\n" + _CAPTIONED, "60", "single-step"), LOADED),
    (mv_row(9, 2, "As in Figure 1 and Figure 2, point $A$ is in the first quadrant.\n\n" + _CAPTIONED, "(1) (3, 5); (2) 7.5", "multi-step"), LOADED),
    (mv_row(43, 2, "Which?\n\n" + _CAPTIONED + _TEXT_OPTIONS, "C"), malformed("row has a known defect")),
    (mv_row(11, 3, "How many?\n\n" + _CAPTIONED, "12", "single-step"), malformed("placeholders do not fit the pictures")),
    (mv_row(12, 2, "How many?\n\n<image_2>\n\n<image_1>", "12", "single-step"), malformed("placeholders do not fit the pictures")),
    (mv_row(13, 5, "Which?\n\n<image_1>\nA\n\n<image_2>\n\nB\n\n<image_3>\nC.\n\n<image_4>\nD.\n<image_5>?", "C"), malformed("options cannot be read")),
    (mv_row(14, 2, "How many?\n\n" + _CAPTIONED + _TEXT_OPTIONS, "E"), malformed("gold answer is no option")),
    (mv_row(15, 2, "How many?\n\n" + _CAPTIONED, None, "single-step"), malformed("text is missing")),
    (mv_row(16, 2, "How many?\n\n" + _CAPTIONED, "3", "essay"), malformed("unknown answer type")),
    (mv_row(17, 2, "How many?\n\n" + _CAPTIONED, "3", "single-step", input_image=["0.png", "gone.png"]), malformed("picture is missing")),
)  # fmt: skip


# --- Mantis-Instruct -------------------------------------------------------------------------


def instruct_row(number: int, source: str, count: int, asked: str, answered: str, **more: Any):
    return {
        "id": f"{source}_{number}", "source": source,
        "images": [{"bytes": None, "path": f"pictures/{i}.png"} for i in range(count)],
        "conversation": [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}],
    } | more  # fmt: skip


_TRUE = "\nOptions:\n(A) True\n(B) False"
_PAIR = "Given these 2 images, <image> and <image>. Here is a statement describing them: "
INSTRUCT_CASES = (
    (instruct_row(1, "nlvr2", 2, _PAIR + "The left image shows two dogs. Is it true or false?" + _TRUE, "(A) True"), LOADED),
    (instruct_row(2, "dreamsim", 3, "Here are three images: <image> <image> <image>. If image 1 is the reference image, which image of the other two is more similar to the reference image?\nOptions:\n(A) Image 2\n(B) Image 3", "(B) Image 3"), LOADED),
    (instruct_row(3, "iconqa", 3, "<image>Which one is next to it?\nA. <image>\nB. <image>", "Answer: B"), LOADED),
    (instruct_row(4, "imagecode", 4, "<image><image><image><image>Which image shows a man with a red hat?", "Answer: Image 4"), LOADED),
    (instruct_row(5, "contrastive_caption", 3, "<image> <image> <image> Which image shows a red kite?", "The opening image"), LOADED),
    (instruct_row(6, "contrastive_caption", 3, "<image> <image> <image> Write a caption for the initial image.", "a dog in the snow"), LOADED),
    # further exchanges are not asked
    (instruct_row(7, "contrastive_caption", 2, "<image><image> Write a caption for the last image.", "a cat", conversation=[{"role": "user", "content": "<image><image> Write a caption for the last image."}, {"role": "assistant", "content": "a cat"}, {"role": "user", "content": "And for the other?"}, {"role": "assistant", "content": "a dog"}]), LOADED),
    (instruct_row(8, "dreamsim", 3, "Here are three images: which is more similar to the reference?\nOptions:\n(A) Image 2\n(B) Image 3", "(A)"), UNKNOWN),
    (instruct_row(9, "imagecode", 3, "<image><image><image>Which one is it?", "the dog"), UNKNOWN),
    (instruct_row(10, "another_part", 2, "<image><image>What happens?", "rain"), UNKNOWN),
    (instruct_row(11, "nlvr2", 2, _PAIR + "True?" + _TRUE, "(C) Perhaps"), malformed("gold answer is no option")),
    (instruct_row(12, "nlvr2", 1, _PAIR + "True?" + _TRUE, "(A)"), malformed("placeholder count differs from the number of pictures")),
    (instruct_row(13, "nlvr2", 2, "?", "!", conversation=[]), malformed("conversation does not start with a question and an answer")),
    (instruct_row(14, "nlvr2", 2, "?", "!", conversation=None), malformed("conversation does not start with a question and an answer")),
    (instruct_row(15, "nlvr2", 2, _PAIR + "True?" + _TRUE, "(A)", images=[]), malformed("picture is missing")),
    (instruct_row(16, "nlvr2", 2, _PAIR + "True?" + _TRUE, "(A)", images=[{"bytes": None, "path": "pictures/77.png"}] * 2), malformed("picture is missing")),
)  # fmt: skip


def _fixtures() -> dict[str, Fixture]:
    from perl_env.tasks.blink import BLINK
    from perl_env.tasks.mantis_eval import MANTIS_EVAL
    from perl_env.tasks.mantis_instruct import MANTIS_INSTRUCT
    from perl_env.tasks.mathverse import MATHVERSE
    from perl_env.tasks.mathvision import MATHVISION
    from perl_env.tasks.mathvista import MATHVISTA
    from perl_env.tasks.mmiu import MMIU
    from perl_env.tasks.mmk12 import MMK12
    from perl_env.tasks.mv_math import MV_MATH
    from perl_env.tasks.remi import REMI

    found = (
        Fixture("mantis_eval", MANTIS_EVAL, MANTIS_CASES),
        Fixture("blink", BLINK, BLINK_CASES),
        Fixture("mmiu", MMIU, MMIU_CASES, "zips"),
        Fixture("mathvista", MATHVISTA, VISTA_CASES),
        Fixture("mathverse", MATHVERSE, VERSE_CASES),
        Fixture("mathvision", MATHVISION, VISION_CASES),
        Fixture("remi", REMI, REMI_CASES),
        Fixture("mv_math", MV_MATH, MV_MATH_CASES, "json"),
        Fixture("mantis_instruct", MANTIS_INSTRUCT, INSTRUCT_CASES, "zips"),
        Fixture("mmk12", MMK12, K12_CASES),
    )
    return {fixture.benchmark.task: fixture for fixture in found}


FIXTURES = _fixtures()
