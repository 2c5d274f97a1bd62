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
            _write_pictures(folder, "")
        elif self.layout == "zips":
            dataset(self.benchmark, rows).to_parquet(folder / "all.parquet")
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


def dataset(benchmark: Benchmark, rows: list[dict[str, Any]]) -> Any:
    """The rows with the columns' declared types."""
    from datasets import Dataset, Features

    features = Features({column.name: feature_of(column) for column in benchmark.columns})
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


def _fixtures() -> dict[str, Fixture]:
    from perl_env.tasks.blink import BLINK
    from perl_env.tasks.mantis_eval import MANTIS_EVAL

    found = (
        Fixture("mantis_eval", MANTIS_EVAL, MANTIS_CASES),
        Fixture("blink", BLINK, BLINK_CASES),
    )
    return {fixture.benchmark.task: fixture for fixture in found}


FIXTURES = _fixtures()
