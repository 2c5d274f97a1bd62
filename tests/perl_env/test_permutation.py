"""The group laws, the legality of orders, and how orders are sampled."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import perl_env
from perl_env.errors import IllegalOrderError, InputError, UnsoundRewriteError
from perl_env.order_algebra import compose, identity, inverse
from perl_env.order_class import FIXED_CLASSES, OrderClass
from perl_env.permutation import count_orders, movable_slots, permute, sample_orders
from perl_env.question import Question

QUESTIONS = [
    question
    for task in ("perl/Shapes-v0", "perl/Digits-v0")
    for difficulty in (1, 3)
    for question in perl_env.load_questions(task, limit=24, difficulty=difficulty)
]


def pictures(count):
    return tuple(np.full((4, 4, 3), 10 * i, np.uint8) for i in range(count))


@st.composite
def question_and_orders(draw, count=2):
    """A question of a task and legal orders of it."""
    question = draw(st.sampled_from(QUESTIONS))
    slots = movable_slots(question)
    orders = []
    for _ in range(count):
        order = list(identity(len(question.images)))
        for slot, source in zip(slots, draw(st.permutations(slots)), strict=True):
            order[slot] = source
        orders.append(tuple(order))
    return question, *orders


@given(question_and_orders(3))
def test_permute_is_a_group_action(case):
    question, a, b, c = case
    assert permute(question, identity(len(a))) == question
    twice = permute(permute(question, a), b)
    assert twice == permute(question, compose(a, b))
    assert permute(twice, inverse(compose(a, b))) == question
    assert permute(twice, c) == permute(question, compose(compose(a, b), c))


@given(question_and_orders(1))
def test_images_follow_the_order(case):
    question, order = case
    permuted = permute(question, order)
    assert permuted.order == order
    assert all(permuted.images[j] is question.images[order[j]] for j in range(len(order)))


@given(st.permutations(range(5)), st.permutations(range(5)))
def test_orders_compose_and_invert(a, b):
    a, b = tuple(a), tuple(b)
    assert compose(a, inverse(a)) == identity(5) == compose(inverse(a), a)
    items = "vwxyz"
    moved = [items[s] for s in a]
    assert [moved[s] for s in b] == [items[s] for s in compose(a, b)]


@pytest.mark.parametrize("order_class", sorted(FIXED_CLASSES - {OrderClass.SINGLE}))
def test_fixed_classes_have_one_order(order_class):
    question = Question(pictures(3), "What is on the left?", "a", order_class=order_class)
    assert count_orders(question) == 1
    assert sample_orders(question, 6, np.random.default_rng(0)) == ((0, 1, 2),)
    with pytest.raises(IllegalOrderError, match="moves image 1"):
        permute(question, (1, 0, 2))


def test_a_temporal_question_moves_only_if_its_loader_says_that_the_text_states_the_order():
    text = "Image 1 was taken before image 2. What changed?"
    fixed = Question(pictures(2), text, "x", order_class="temporal")
    assert count_orders(fixed) == 1
    stated = Question(pictures(2), text, "x", order_class="temporal", pinned=())
    assert permute(stated, (1, 0)).text == "Image 2 was taken before image 1. What changed?"


def test_pinned_images_stay():
    question = Question(
        pictures(4), "Which fits image 1?", "Image 3", order_class="slot-naming", pinned=(0,)
    )
    assert count_orders(question) == 6
    assert all(order[0] == 0 for order in sample_orders(question, 6, np.random.default_rng(0)))


def test_the_gold_letter_of_image_options_moves_with_its_picture():
    question = Question(
        pictures(4), "Which?", "B", ("Image 2", "Image 3", "Image 4"), order_class="image-options"
    )
    permuted = permute(question, (0, 3, 1, 2))
    assert permuted.options == question.options
    assert permuted.answer == "C"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Image 2", "Image 1"),
        ("2", "1"),
        ("the last image", "the second image"),
        ("The second one", "The first one"),
    ],
)
def test_an_open_answer_that_names_an_image_moves(answer, expected):
    question = Question(pictures(3), "Which one?", answer, order_class="slot-naming")
    permuted = permute(question, (1, 2, 0))
    assert permuted.answer == expected


def test_a_slot_answer_that_names_no_image_is_refused():
    question = Question(pictures(3), "Which one?", "the dog", order_class="slot-naming")
    with pytest.raises(UnsoundRewriteError, match="names no image"):
        permute(question, (1, 2, 0))


@pytest.mark.parametrize(
    "order", [(0, 0, 1), (0, 1), (0, 1, 2, 3), (1, 2, 3), "ab", None, ("x", 1, 2)]
)
def test_what_is_no_permutation_is_refused(order):
    with pytest.raises(InputError, match="no permutation"):
        permute(Question(pictures(3), "?", "x"), order)


@given(st.integers(1, 6), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_sampled_orders_are_distinct_legal_and_begin_with_the_identity(n, k, seed):
    question = Question(pictures(n), "?", "x")
    orders = sample_orders(question, k, np.random.default_rng(seed))
    assert orders[0] == identity(n)
    assert len(set(orders)) == len(orders) == min(k, math.factorial(n))
    assert all(sorted(order) == list(range(n)) for order in orders)
    assert orders == sample_orders(question, k, np.random.default_rng(seed))


@pytest.mark.parametrize("k", [2, 4])
def test_sampled_orders_are_uniform(k):
    question = Question(pictures(3), "?", "x")
    rng = np.random.default_rng(0)
    counts = dict.fromkeys(itertools.permutations(range(3)), 0)
    for _ in range(2000):
        for order in sample_orders(question, k, rng)[1:]:
            counts[order] += 1
    del counts[0, 1, 2]
    expected = 2000 * (k - 1) / 5
    assert all(abs(count - expected) < 5 * expected**0.5 for count in counts.values())


def test_no_orders_cannot_be_asked_for():
    with pytest.raises(InputError, match="too few"):
        sample_orders(QUESTIONS[0], 0, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("order_class", "options"),
    [
        ("referential", ("Image 1 and 2", "Image 1 and 3", "2 and 3", "none")),
        ("referential", ("Image 1", "image 2", "Only 3")),
        ("slot-naming", ("Images 1 and 2", "Images 2 and 3", "1, 3")),
    ],
)
def test_bare_numbers_beside_names_of_images_are_refused(order_class, options):
    pictures = tuple(np.full((2, 2, 3), number, "uint8") for number in range(3))
    question = Question(pictures, "Which images show a dog?", "A", options, order_class=order_class)
    with pytest.raises(UnsoundRewriteError, match="may name images or be a number"):
        permute(question, (2, 0, 1))


def test_numbers_as_options_of_a_question_about_images_stay():
    pictures = tuple(np.full((2, 2, 3), number, "uint8") for number in range(3))
    question = Question(
        pictures, "How many dogs are in image 1?", "A", ("1", "2", "3"), order_class="referential"
    )
    assert permute(question, (2, 0, 1)).options == ("1", "2", "3")
