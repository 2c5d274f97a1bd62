"""Content: the same answer under every order, and any reply at all."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perl_env.grading import canonical_answer, gold_slot, grade
from perl_env.permutation import movable_slots, permute, sample_orders
from perl_env.question import LETTERS
from tests.perl_env.grading_questions import ANIMALS, NAMES, PICTURES, boxed, choice, open_question

PERMUTABLE = [
    ANIMALS,
    NAMES,
    PICTURES,
    choice(
        "the first image",
        "the second image",
        "neither",
        answer="A",
        images=3,
        order_class="slot-naming",
    ),
    open_question("Image 2", images=3, order_class="slot-naming"),
    open_question("2", images=3, order_class="slot-naming"),
    open_question("images 1 and 3", images=3, order_class="slot-naming"),
    open_question("3, 1, 2", images=3, order_class="index-list", index_list="rank"),
    open_question("3→1→2", images=3, order_class="index-list", index_list="sequence"),
    open_question(
        "[2, 0, 1]", images=3, order_class="index-list", index_list="sequence", index_base=0
    ),
    choice("3-1-2", "1-2-3", images=3, order_class="index-list", index_list="sequence"),
    choice("3-1-2", "1-2-3", images=3, order_class="index-list", index_list="rank"),
    open_question("two", images=3),
    open_question("true", images=3, order_class="referential"),
    choice("left", "right", images=2, order_class="temporal", pinned=()),
]


@pytest.mark.parametrize("question", PERMUTABLE, ids=lambda q: f"{q.order_class}-{q.answer}")
def test_the_gold_and_every_option_mean_the_same_under_every_order(question):
    seen = set()
    orders = sample_orders(question, 24, np.random.default_rng(0))
    for order in orders:
        asked = permute(question, order)
        oracle = grade(asked, boxed(asked.answer))
        assert oracle.correct
        seen.add(oracle.canonical)
        if slot := gold_slot(asked):
            assert asked.images[slot] is question.images[gold_slot(question)]
    assert len(seen) == 1
    assert seen == {canonical_answer(question, question.answer)}


@pytest.mark.parametrize(
    "question", [q for q in PERMUTABLE if q.options], ids=lambda q: f"{q.order_class}"
)
def test_letter_and_text_of_an_option_have_one_content(question):
    for order in sample_orders(question, 6, np.random.default_rng(0)):
        asked = permute(question, order)
        contents = set()
        for letter, text in zip(LETTERS, asked.options, strict=False):
            by_letter = grade(asked, boxed(letter))
            assert by_letter.canonical is not None
            if question is not PICTURES:  # its texts are other options' letters
                assert grade(asked, boxed(text)) == by_letter
            assert canonical_answer(asked, letter) == by_letter.canonical
            contents.add(by_letter.canonical)
        assert contents == {
            canonical_answer(question, letter)
            for letter, _ in zip(LETTERS, question.options, strict=False)
        }


@pytest.mark.parametrize("content", range(3))
def test_wrong_answers_with_the_same_content_agree_under_every_order(content):
    """Whoever always means the same picture has one canonical answer, right or wrong."""
    naming = open_question("Image 2", images=3, order_class="slot-naming")
    ranks = open_question("3, 1, 2", images=3, order_class="index-list", index_list="rank")
    sequence = open_question("3, 1, 2", images=3, order_class="index-list", index_list="sequence")
    ranking = [(1, 2, 3), (2, 1, 3), (3, 2, 1)][content]
    found = {"naming": set(), "names": set(), "options": set(), "rank": set(), "sequence": set()}
    for order in itertools.permutations(range(3)):
        where = {source: slot for slot, source in enumerate(order)}
        found["naming"].add(
            grade(permute(naming, order), boxed(f"Image {where[content] + 1}")).canonical
        )
        found["names"].add(
            grade(permute(NAMES, order), boxed(f"image {where[content] + 1}")).canonical
        )
        found["rank"].add(
            grade(permute(ranks, order), boxed(",".join(str(ranking[s]) for s in order))).canonical
        )
        said = "-".join(str(where[i - 1] + 1) for i in ranking)
        found["sequence"].add(grade(permute(sequence, order), boxed(said)).canonical)
        moved = (0, *(slot + 1 for slot in order))
        asked = permute(PICTURES, moved)
        found["options"].add(grade(asked, boxed(LETTERS[moved.index(content + 1) - 1])).canonical)
    name, listed = f"Image {content + 1}", "-".join(map(str, ranking))
    assert found == {
        "naming": {name}, "names": {name}, "options": {f"Image {content + 2}"}, "rank": {listed}, "sequence": {listed},
    }  # fmt: skip


def test_the_slot_of_the_gold_follows_the_picture():
    assert gold_slot(PICTURES) == 2
    assert gold_slot(permute(PICTURES, (0, 2, 1, 3))) == 1
    assert gold_slot(NAMES) == 1
    assert gold_slot(permute(NAMES, (1, 2, 0))) == 0
    assert gold_slot(ANIMALS) is None
    assert gold_slot(open_question("2")) is None
    assert gold_slot(open_question("2", order_class="slot-naming")) == 1


def test_an_always_slot_k_policy_scores_chance():
    question = open_question("Image 2", images=3, order_class="slot-naming")
    right = [
        grade(permute(question, order), boxed("Image 1")).correct
        for order in itertools.permutations(range(3))
    ]
    assert sum(right) == 2  # of 6


# --- any reply ---


@settings(deadline=None)
@given(st.text(max_size=300), st.sampled_from(PERMUTABLE))
def test_any_reply_gets_a_consistent_grade(reply, question):
    result = grade(question, reply)
    assert (result.parsed is None) == (result.canonical is None)
    assert not (result.correct and result.parsed is None)


@settings(deadline=None)
@given(
    st.text(alphabet="ABCDabcd ().,:-*123[]image", max_size=24),
    st.sampled_from(PERMUTABLE),
    st.randoms(),
)
def test_what_was_parsed_parses_again(reply, question, random):
    slots = list(movable_slots(question))
    random.shuffle(slots)
    order = list(range(len(question.images)))
    for target, source in zip(movable_slots(question), slots, strict=True):
        order[target] = source
    asked = permute(question, order)
    result = grade(asked, boxed(reply))
    if result.parsed is not None and not result.correct:
        assert canonical_answer(asked, result.parsed) == result.canonical
    if question.options and result.parsed:
        assert result.correct == (result.canonical == canonical_answer(question, question.answer))


@pytest.mark.parametrize(
    "piece",
    [
        r"\boxed{",
        "[",
        "{",
        "(",
        "**",
        "9^",
        "a ",
        "1,",
        "image ",
        "1 and ",
        r"\frac{",
        "$",
        "\\text{",
        "- ",
    ],
)
def test_a_megabyte_is_graded_in_no_time(piece):
    started = time.perf_counter()
    for size in (10**6, 1_900, 180):
        reply = piece * (size // len(piece))
        for question in (*PERMUTABLE, open_question("5"), open_question("x+1")):
            grade(question, reply)
            grade(question, rf"\boxed{{{reply}}}")
    assert time.perf_counter() - started < 20
