"""The proposed order classes: what is called safe to permute is, on everything that we have."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path

import numpy as np
import pytest

import perl_env
from perl_env import Classification, OrderClass, Question, classify, permute
from perl_env.errors import InputError
from perl_env.order_class import FIXED_CLASSES


def table(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


labelled, sentences = table("labelled_questions"), table("reference_sentences")
PICTURES = tuple(np.full((2, 2, 3), 10 * i, np.uint8) for i in range(25))
PERMUTABLE = set(OrderClass) - FIXED_CLASSES - {OrderClass.TEMPORAL}
#: Task -> how many kinds of question it has.
TASKS = {"perl/Shapes-v0": 14, "perl/Digits-v0": 6}


def question(n, text, answer, options=(), **columns):
    return Question(PICTURES[:n], text, answer, options, **columns)


def labelled_question(row):
    """A question of the table, with the meaning of its index lists where the table gives it, and its class."""
    _, n, text, options, answer, truth = row
    columns = {}
    if " " in truth:
        kind, base = truth.split()
        columns, truth = {"index_list": kind, "index_base": int(base)}, "index-list"
    return question(n, text, answer, options, **columns), OrderClass(truth)


def precision_and_recall(pairs):
    """Of (proposed, true class): how many said to be safe are, and how many that are are said to be."""
    said = [truth in PERMUTABLE for proposed, truth in pairs if proposed.safe_to_permute]
    true = sum(truth in PERMUTABLE for _, truth in pairs)
    return sum(said) / len(said), sum(said) / true


# --- fixtures ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("task", "kinds"), TASKS.items())
def test_on_the_projects_own_questions_precision_is_one(task, kinds):
    asked = [
        each
        for split, difficulty in itertools.product(("train", "test"), (1, 2, 3))
        for each in perl_env.load_questions(task, split=split, limit=42, difficulty=difficulty)
    ]
    pairs = [(classify(each), each.order_class) for each in asked]
    assert len({each.kind for each in asked}) == kinds
    precision, recall = precision_and_recall(pairs)
    assert precision == 1.0
    assert recall == 1.0
    wrong = [
        (proposed, each.text)
        for (proposed, truth), each in zip(pairs, asked, strict=True)
        if proposed.certain and proposed.order_class is not truth
    ]
    assert wrong == []


@pytest.mark.parametrize("row", labelled.QUESTIONS, ids=lambda row: row[0])
def test_labelled_questions(row):
    asked, truth = labelled_question(row)
    proposed = classify(asked)
    if proposed.safe_to_permute:
        assert proposed.order_class is truth
    assert proposed.reason


def test_recall_on_labelled_questions_is_as_reported():
    assert len(labelled.QUESTIONS) >= 80
    pairs = [
        (classify(asked), truth) for asked, truth in map(labelled_question, labelled.QUESTIONS)
    ]
    precision, recall = precision_and_recall(pairs)
    assert precision == 1.0
    assert recall >= 0.85


@pytest.mark.parametrize(("n", "text", "options", "answer"), labelled.DECOYS)
def test_decoys_are_never_safe(n, text, options, answer):
    proposed = classify(question(n, text, answer, options))
    assert not proposed.safe_to_permute
    assert proposed.evidence or proposed.reason


# --- golden sentences --------------------------------------------------------------------------


def as_question(text, n):
    try:
        return question(n, text, "x")
    except InputError:  # a placeholder too few
        return None


def test_what_has_to_be_rewritten_is_never_called_invariant():
    safe = 0
    for text, order, _ in sentences.REWRITES:
        if (asked := as_question(text, len(order))) is None:
            continue
        proposed = classify(asked)
        assert not (proposed.safe_to_permute and proposed.order_class is OrderClass.INVARIANT), text
        safe += proposed.safe_to_permute
    assert safe > 150


def test_what_every_order_leaves_as_it_is_is_never_called_referential():
    for text, n in sentences.UNCHANGED:
        if (asked := as_question(text, n)) is not None and n > 1:
            proposed = classify(asked)
            assert not proposed.safe_to_permute or proposed.order_class is OrderClass.INVARIANT, (
                text
            )


@pytest.mark.parametrize(("text", "n"), sentences.UNSOUND)
def test_what_cannot_be_rewritten_is_never_safe(text, n):
    if (asked := as_question(text, n)) is not None:
        assert not classify(asked).safe_to_permute


# --- single rules ------------------------------------------------------------------------------


def test_the_declared_class_is_not_looked_at():
    for row in labelled.QUESTIONS:
        asked, _ = labelled_question(row)
        for declared in (OrderClass.INVARIANT, OrderClass.LAYOUT, OrderClass.MALFORMED):
            other = question(
                len(asked.images), asked.text, asked.answer, asked.options, order_class=declared,
                index_list=asked.index_list, index_base=asked.index_base,
            )  # fmt: skip
            assert classify(other) == classify(asked)


def test_what_is_safe_can_be_permuted():
    for row in labelled.QUESTIONS:
        asked, _ = labelled_question(row)
        proposed = classify(asked)
        if proposed.safe_to_permute:
            said = question(
                len(asked.images), asked.text, asked.answer, asked.options, order_class=proposed.order_class,
                index_list=asked.index_list, index_base=asked.index_base,
            )  # fmt: skip
            free = [slot for slot in range(len(said.images)) if slot not in said.pinned]
            order = list(range(len(said.images)))
            for slot, source in zip(free, reversed(free), strict=True):
                order[slot] = source
            assert permute(permute(said, order), order) == said


def test_one_image_is_single():
    assert classify(question(1, "What happens next?", "rain")) == Classification(
        OrderClass.SINGLE, (), True, "it has one image"
    )


def test_ranks_and_sequences_are_told_apart_by_the_task_only():
    options = ("[1, 0, 2]", "[2, 0, 1]")
    text = "Predict the order of the following pictures."
    unknown = classify(question(3, text, "A", options))
    assert (unknown.order_class, unknown.certain) == (OrderClass.INDEX_LIST, False)
    for kind in ("rank", "sequence"):
        known = classify(question(3, text, "A", options, index_list=kind, index_base=0))
        assert (known.order_class, known.certain) == (OrderClass.INDEX_LIST, True)
    other_base = classify(question(3, text, "A", options, index_list="rank"))
    assert not other_base.certain


def test_a_clear_hint_at_time_is_certain_and_never_safe():
    proposed = classify(question(4, "These are frames of a video. What is shown?", "a dog"))
    assert (proposed.order_class, proposed.certain) == (OrderClass.TEMPORAL, True)
    assert proposed.evidence == ("frames", "video")
    assert not proposed.safe_to_permute


def test_a_number_that_no_image_has_is_malformed():
    proposed = classify(question(2, "Is image 3 red?", "yes"))
    assert (proposed.order_class, proposed.certain) == (OrderClass.MALFORMED, False)


def test_the_evidence_is_words_of_the_question():
    for row in labelled.QUESTIONS:
        asked, _ = labelled_question(row)
        whole = " ".join(" ".join([asked.text, *asked.options, asked.answer]).lower().split())
        for words in classify(asked).evidence:
            assert " ".join(words.lower().split()) in whole, words


@pytest.mark.parametrize(
    "text",
    ["", "x" * 100_000, "how many " * 5_000, "the image " * 5_000, "<image_1> " * 3_000, "image 1 " * 3_000],
)  # fmt: skip
def test_any_text_is_classified_in_time(text):
    assert isinstance(classify(question(2, text or " ", "x")), Classification)
