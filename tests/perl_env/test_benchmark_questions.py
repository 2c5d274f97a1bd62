"""Whole questions in the manner of the benchmarks: text, options and gold under every order.

The gold is checked against the pictures themselves: whatever the order, it has to denote the picture
or fact that it denoted before.
"""

import itertools

import numpy as np
import pytest

from perl_env.errors import UnsoundRewriteError
from perl_env.grading import gold_slot, grade
from perl_env.order_algebra import compose, inverse
from perl_env.permutation import permute
from perl_env.question import LETTERS, Question
from perl_env.references import parse_references, parse_slot


def pictures(count):
    return tuple(np.full((4, 4, 3), 10 * i, np.uint8) for i in range(count))


def orders(question):
    """All orders that the question's pins allow."""
    pinned = question.pinned or ()
    return [
        order
        for order in itertools.permutations(range(len(question.images)))
        if all(order[slot] == slot for slot in pinned)
    ]


def check_laws(question):
    """The group laws, and that the gold is graded as correct in every order."""
    found = orders(question)
    for first in found[:6]:
        for then in found[-6:]:
            once = permute(question, first)
            assert permute(once, then) == permute(question, compose(first, then))
            assert permute(once, inverse(first)) == question
    for order in found:
        permuted = permute(question, order)
        assert grade(permuted, rf"\boxed{{{permuted.answer}}}").correct


def shown_slots(text, n):
    return [slot for mention in parse_references(text, n).mentions for slot in mention.slots]


STYLE = (
    "Some most common art painting styles include Realism, Impressionism, Expressionism, Pop Art, and Cubism. Given "
    "the following images of art paintings, use the first image as the reference image, and determine which one of "
    "the second or the third image shares the same style as the reference image?"
)
JIGSAW = (
    "Given the first image with the lower right corner missing, can you tell which one of the second image or the "
    "third image is the missing part? Imagine which image would be more appropriate to place in the missing spot."
)
SIMILARITY = (
    "Given three similar but different images, take the first image as reference. Can you tell which one of the "
    "latter two images is most similar to the first one?"
)


@pytest.mark.parametrize("text", [STYLE, JIGSAW, SIMILARITY])
@pytest.mark.parametrize("answer", ["A", "B"])
def test_a_free_reference_moves_too_and_the_letter_stays(text, answer):
    options = ("the second image", "the third image")
    question = Question(pictures(3), text, answer, options, "slot-naming")
    check_laws(question)
    canonical_slot = parse_slot(options[LETTERS.index(answer)], 3)
    for order in orders(question):
        permuted = permute(question, order)
        assert permuted.answer == answer
        assert order[gold_slot(permuted)] == canonical_slot
        # "the latter two" and the options still are the other two, the reference is still the reference.
        before, after = shown_slots(text, 3), shown_slots(permuted.text, 3)
        assert len(after) >= 3
        assert [order[slot] for slot in after] == before[: len(after)]


@pytest.mark.parametrize("text", [STYLE, JIGSAW, SIMILARITY])
def test_a_pinned_reference_stays_and_the_letter_follows_its_picture(text):
    options = ("the second image", "the third image")
    question = Question(pictures(3), text, "A", options, "image-options")
    assert orders(question) == [(0, 1, 2), (0, 2, 1)]
    check_laws(question)
    permuted = permute(question, (0, 2, 1))
    assert permuted.options == options
    assert permuted.answer == "B"
    assert permuted.images[gold_slot(permuted)] is question.images[gold_slot(question)]


def test_a_pinned_reference_with_options_that_move():
    question = Question(
        pictures(3), STYLE, "A", ("the second image", "the third image"), "slot-naming", pinned=(0,)
    )
    check_laws(question)
    permuted = permute(question, (0, 2, 1))
    assert "use the first image as the reference image" in permuted.text
    assert permuted.options == ("the third image", "the second image")
    assert permuted.answer == "A"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("How many wallets are there in image 1 and image 2 respectively?", "1, 2"),
        ("What are the colours of the first and the second image, in that order?", "red, blue"),
        ("In the left and right image respectively, how many dogs are there?", "3 and 0"),
    ],
)
def test_an_answer_in_the_order_of_mention_keeps_its_gold(text, answer):
    """The first number belongs to what is named first, and that is the same picture in every order."""
    question = Question(pictures(2), text, answer, order_class="referential")
    check_laws(question)
    permuted = permute(question, (1, 0))
    assert permuted.answer == answer
    before, after = shown_slots(text, 2), shown_slots(permuted.text, 2)
    assert before == [0, 1]
    assert after == [1, 0]
    for asked, told in zip(before, after, strict=True):
        assert permuted.images[told] is question.images[asked]
    assert permute(permuted, (1, 0)) == question


def test_three_answers_in_the_order_of_mention():
    text = "What cities image 1, image 2, and image 3 belong to respectively? Answer me in order."
    question = Question(pictures(3), text, "Paris, Rome, Oslo", order_class="referential")
    check_laws(question)
    for order in orders(question):
        permuted = permute(question, order)
        assert [order[slot] for slot in shown_slots(permuted.text, 3)] == [0, 1, 2]


def test_an_answer_in_the_order_of_the_images_is_refused():
    text = "How many wallets are there in the two images respectively?"
    with pytest.raises(UnsoundRewriteError, match="goes through the images"):
        permute(Question(pictures(2), text, "1, 2", order_class="referential"), (1, 0))


@pytest.mark.parametrize(
    "text",
    [
        "Which fits <image_1>?\nA. <image_2>\nB. <image_3>\nC. <image_4>",
        "Which fits <image_1>? (A) <image_2> (B) <image_3> (C) <image_4>",
        "Which fits <image_1>?\nA\n\n<image_2>\n\nB\n\n<image_3>\nC.\n\n<image_4>",
        "<image>Which is alike?\nA. <image>\nB. <image>\nC. <image>",
        "Below is an IQ test <image1>. From the possible options A, B, and C shown in the following images in order "
        "<image2> <image3> <image4>, which one logically belongs to the spot of the question mark?",
        "Which option fits the first image?",
    ],
)
@pytest.mark.parametrize("gold", [0, 1, 2])
def test_letters_bound_to_slots_stay_and_the_gold_letter_follows_its_picture(text, gold):
    question = Question(pictures(4), text, LETTERS[gold], ("A", "B", "C"), "image-options")
    check_laws(question)
    for order in orders(question):
        permuted = permute(question, order)
        assert permuted.text == text
        assert permuted.images[1 + LETTERS.index(permuted.answer)] is question.images[1 + gold]


def test_a_mention_outside_the_options_follows_its_picture():
    text = "Is <image_3> or <image_4> like <image_1>?\nA. <image_2>\nB. <image_3>\nC. <image_4>"
    question = Question(pictures(4), text, "B", ("A", "B", "C"), "image-options")
    permuted = permute(question, (0, 2, 3, 1))
    assert permuted.text == text.replace("Is <image_3> or <image_4>", "Is <image_2> or <image_3>")
    assert permuted.answer == "A"


@pytest.mark.parametrize(
    "text",
    [
        "Which fits <image_1>? B. <image_2> A. <image_3>",
        "The options are respectively <image_2>, <image_3>.",
        "<image_2>\n(A)\n<image_3>\n(B)\nWhich fits <image_1>?",
    ],
)
def test_letters_bound_to_other_slots_are_refused(text):
    question = Question(pictures(3), text, "A", ("A", "B"), "image-options")
    with pytest.raises(UnsoundRewriteError):
        permute(question, (0, 2, 1))


def test_a_letter_beside_its_placeholder_moves_with_it():
    """MV-MATH's other reading: the letter is a label of its picture, so the gold letter stays."""
    text = "Which is a cone?\nA.\n\n<image_1>\nB.\n\n<image_2>\nC.\n\n<image_3>\nD.\n\n<image_4>"
    question = Question(pictures(4), text, "B", order_class="referential")
    check_laws(question)
    permuted = permute(question, (2, 0, 3, 1))
    assert permuted.text.splitlines()[3:6:2] == ["<image_2>", ""]
    assert permuted.answer == "B"


def test_captions_travel_with_their_pictures():
    text = "<image_1>\nFigure 1\n\n<image_2>\nFigure 2\n\n<image_3>\nFigure 3\nFold Figure 1 as in Figure 2."
    question = Question(pictures(3), text, "15.6", order_class="referential")
    check_laws(question)
    for order in orders(question):
        lines = permute(question, order).text.splitlines()
        for caption, line in zip((1, 2, 3), lines[0::3], strict=False):
            slot = int(line.strip("<>").split("_")[1]) - 1
            assert order[slot] == caption - 1
        assert lines[-1] == "Fold Figure 1 as in Figure 2."


def test_captions_at_bare_placeholders_are_refused_unless_they_are_numbered():
    bare = "<image>\nFigure 1\n\n<image>\nFigure 2\nWhat is x in Figure 1?"
    with pytest.raises(UnsoundRewriteError, match="different parts"):
        permute(Question(pictures(2), bare, "3", order_class="referential"), (1, 0))


def test_slot_names_that_are_no_names_are_refused():
    question = Question(pictures(2), "Which is red?", "A", ("A", "B"), "slot-naming")
    with pytest.raises(UnsoundRewriteError, match="no option names an image"):
        permute(question, (1, 0))


def test_the_statement_about_left_and_right_is_rewritten_and_true_stays_true():
    text = (
        "Given these 2 images, <image> and <image>. Here is a statement describing them: The left image contains "
        "twice as many dogs as the right image, which has one on the left side. Is it true or false?"
    )
    question = Question(pictures(2), text, "A", ("True", "False"), "referential")
    check_laws(question)
    permuted = permute(question, (1, 0))
    assert "The right image contains twice as many dogs as the left image, which has one on the left side." in permuted.text  # fmt: skip
    assert permuted.answer == "A"


def test_the_camera_turns_the_same_way_when_the_images_swap():
    text = "Image 2 was taken after turning the camera 90 degrees to the right from the position of image 1. Where is the sofa?"
    question = Question(pictures(2), text, "left", order_class="referential")
    assert permute(question, (1, 0)).text == (
        "Image 1 was taken after turning the camera 90 degrees to the right from the position of image 2. Where is the sofa?"
    )
    check_laws(question)
