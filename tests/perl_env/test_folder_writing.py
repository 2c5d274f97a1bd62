import numpy as np
import pytest

from perl_env.errors import InputError
from perl_env.permutation import permute
from perl_env.question import Question
from perl_env.tasks.folder import FolderQuestions, write_folder


def picture(seed):
    return np.random.default_rng(seed).integers(0, 256, (3 + seed, 4, 3), dtype=np.uint8)


QUESTIONS = [
    Question((picture(0), picture(1)), "Which image is red?", "Image 1", order_class="slot-naming", key="a"),
    Question((picture(1), picture(2), picture(0)), "Wähle – which?", "B", options=("x", "ÿ"), kind="k", key="b"),
    Question((picture(0),), "What is it?", "a dog", order_class="single", key="c"),
    Question((picture(0), picture(1), picture(2)), "Like image 1?", "A", options=("A", "B"),
             order_class="image-options", key="d"),
    Question((picture(2), picture(1), picture(0)), "Sort.", "2-0-1", order_class="index-list", index_list="sequence",
             index_base=0, pinned=(), key="e"),
    Question((picture(2), picture(1)), "Image 1 is before image 2. Which way?", "left", order_class="temporal",
             pinned=(), key="f"),
    Question((picture(2), picture(1)), "Which way?", "left", order_class="temporal", key="g"),
    Question((picture(2), picture(1)), "What is on the left page?", "left", order_class="layout", key="h"),
    Question((picture(2),), "How many?", "7", order_class="single", key="i", scoring="mathvista",
             facts=(("answer_type", "integer"), ("unit", "")), instruction="Answer with a number."),
    Question((picture(2),), "Which?", "A", options=("x", "y"), order_class="single", key="j", scoring="mmiu",
             instruction=""),
]  # fmt: skip


def test_what_was_written_reads_back_equal(tmp_path):
    file = write_folder(QUESTIONS, tmp_path / "made" / "deep")
    source = FolderQuestions(file.parent, strict=True)
    assert list(source) == QUESTIONS
    assert len(list((file.parent / "pictures").iterdir())) == 3  # each picture once


def test_facts_of_one_name_are_not_written(tmp_path):
    question = Question((picture(0),), "?", "x", facts=(("task", "a"), ("task", "b")))
    with pytest.raises(InputError, match="two facts have one name"):
        write_folder([question], tmp_path)
    assert not (tmp_path / "questions.jsonl").exists()


def test_a_permuted_question_is_written_as_it_stands(tmp_path):
    asked = permute(QUESTIONS[0], (1, 0))
    write_folder([asked], tmp_path)
    back = FolderQuestions(tmp_path)[0]
    assert back == asked
    assert back.canonical is None


def test_a_split_is_written(tmp_path):
    write_folder(QUESTIONS, tmp_path, split="train")
    assert len(FolderQuestions(tmp_path, split="train")) == len(QUESTIONS)
    with pytest.raises(InputError, match="no usable question in split 'test'"):
        FolderQuestions(tmp_path)


def test_nothing_is_overwritten(tmp_path):
    write_folder(QUESTIONS[:1], tmp_path)
    with pytest.raises(InputError, match="folder already has questions"):
        write_folder(QUESTIONS, tmp_path)
    assert len(FolderQuestions(tmp_path)) == 1


def test_an_interrupted_writing_leaves_no_questions(tmp_path):
    def broken():
        yield QUESTIONS[0]
        raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError):
        write_folder(broken(), tmp_path)
    with pytest.raises(InputError, match="folder without questions"):
        FolderQuestions(tmp_path)
    write_folder(QUESTIONS, tmp_path)
    assert len(FolderQuestions(tmp_path)) == len(QUESTIONS)
