"""A folder that ``datasets`` saved is a task like any other."""

from __future__ import annotations

import gymnasium
import pytest
from datasets import Dataset, DatasetDict, Features, Value

import perl_env
from perl_env.errors import InputError
from perl_env.tasks.folder_dataset import as_columns, features, folder_questions
from tests.perl_env.curation.models import pictures


def saved(path, rows, columns=None):
    Dataset.from_list(rows, features=columns or features()).save_to_disk(str(path))
    return path


@pytest.fixture(scope="module")
def questions():
    return perl_env.load_questions("perl/Shapes-v0", limit=30)


def test_every_question_comes_back_equal(tmp_path, questions):
    path = saved(tmp_path / "d", [as_columns(one, "train") for one in questions])
    assert perl_env.load_questions(str(path), split="train") == questions
    source = folder_questions(path, "train")
    assert source.excluded == ()
    assert source.max_images == max(len(one.images) for one in questions)
    assert source.max_pixels == max(i.shape[0] * i.shape[1] for q in questions for i in q.images)


def test_fields_that_only_some_questions_have_come_back(tmp_path):
    asked = perl_env.Question(
        pictures(3), "Sort them.", "2-0-1", order_class="index-list", index_list="sequence", index_base=0,
        pinned=(), key="a", kind="sort", facts=(("level", "3"),), instruction="",
    )  # fmt: skip
    (found,) = folder_questions(saved(tmp_path / "d", [as_columns(asked, None)]))
    assert found == asked


def test_the_environment_asks_them(tmp_path, questions):
    path = saved(tmp_path / "d", [as_columns(one, "train") for one in questions])
    env = gymnasium.make("perl/Folder-v0", path=str(path), split="train", permute=True)
    observation, info = env.reset(seed=3)
    assert len(observation["images"]) == len(info["order"])
    env.close()


def test_rows_that_cannot_be_used_are_counted_and_told(tmp_path, questions):
    good = as_columns(questions[0], "test")
    rows = [
        good,
        good | {"images": [{"bytes": b"no picture", "path": None}] * len(questions[0].images)},
        good | {"key": "b", "order_class": "sideways"},
        good | {"key": "c", "images": []},
        good | {"key": "d", "split": "train"},
        good | {"key": "e", "answer": None},
    ]
    path = saved(tmp_path / "d", rows)
    source = folder_questions(path)
    assert len(source) == 1
    assert [one.line for one in source.excluded] == [2, 3, 4, 6]
    assert {"not a picture", "unknown order class", "no images", "missing column"} == set(source.excluded_counts)  # fmt: skip
    with pytest.raises(InputError, match="row 2"):
        folder_questions(path, strict=True)
    with pytest.raises(InputError, match="no usable question"):
        folder_questions(path, "validation")


def test_splits_of_a_data_set_and_wrong_columns_are_told(tmp_path, questions):
    rows = [as_columns(one, None) for one in questions[:4]]
    data = Dataset.from_list(rows, features=features())
    DatasetDict({"train": data, "test": data.select([0])}).save_to_disk(str(tmp_path / "both"))
    assert len(folder_questions(tmp_path / "both", "train")) == 4
    assert len(folder_questions(tmp_path / "both", "test")) == 1
    with pytest.raises(InputError, match="no such split"):
        folder_questions(tmp_path / "both", "dev")
    without = saved(tmp_path / "w", [{"question": "?"}], Features({"question": Value("string")}))
    with pytest.raises(InputError, match="missing column"):
        folder_questions(without)


def test_a_damaged_picture_leaves_its_question_out(tmp_path, questions):
    rows = [as_columns(one, None) for one in questions[:2]]
    rows[0]["images"][0]["bytes"] = rows[0]["images"][0]["bytes"][:-40]
    source = folder_questions(saved(tmp_path / "d", rows))
    assert [one.what for one in source.excluded] == ["picture is truncated or damaged"]
    assert source[0] == questions[1]
