import itertools
import threading
import time

import numpy as np
import pytest

from perl_env.errors import InputError
from perl_env.grading import Grade, canonical_answer, gold_slot, grade
from perl_env.question import Question
from perl_env.value_equality import same_value
from tests.perl_env.grading_questions import (
    ANIMALS,
    NAMES,
    PICTURES,
    boxed,
    choice,
    open_question,
)

# --- multiple choice ---


@pytest.mark.parametrize(
    "reply",
    [
        "B", "b", "(B)", "[B]", "B.", "B)", "B:", " b ) ", "**B**", "(b).", "Option B", "option (B)", "Choice B.",
        "The option B", "Answer: B", "$B$", r"\text{B}", r"\textbf{(B)}", r"$\mathrm{B}$", "`B`", '"B"',
        "B) A dog", "(B) a dog", "B. a dog", "B: a dog!", "B a dog", "b) a dog", "Option B: A dog", "(B)a dog",
        "B. because it barks", "B because it barks", "B, since it barks", "(B) is what I see",
        "A dog", "a dog", "A DOG.", " a   dog ", r"\text{A dog}", '"A dog"', "**a dog**", "(a dog)",
    ],
)  # fmt: skip
def test_ways_to_say_b(reply):
    assert grade(ANIMALS, boxed(reply)) == Grade("B", "A dog", True, True)


@pytest.mark.parametrize(
    "reply",
    [
        "E", "(Z)", "Based on the pictures", "dog", "A cat and a dog", "A or B", "A, B", "A and B", "A/B", "AB",
        "(A) or (B)", "A. or B.", "B) a cat", "A. A dog", "A lot", "I think so", "Bee", "not B", "2", "?", "B or not",
        "Image 2", "both", "a bird", "B. No, C", "A horse", "Because of the dog", "D but maybe (A)", "e. coli", "a.m.",
    ],
)  # fmt: skip
def test_what_names_no_option_is_unparsable(reply):
    assert grade(ANIMALS, boxed(reply)) == Grade(None, None, False, True)


@pytest.mark.parametrize(
    "reply",
    [
        r"<think>maybe \boxed{A}</think><answer>B</answer>",
        r"<think>maybe \boxed{A}</think>The answer is B",
        "<think>Perhaps <answer>A</answer></think> B",
        "B because A is wrong.",
        "B\n\nBecause A is wrong.",
        r"\boxed{The answer is B}",
    ],
)
def test_the_final_answer_is_graded_and_no_guess_before_it(reply):
    result = grade(ANIMALS, reply)
    assert (result.parsed, result.canonical, result.correct) == ("B", "A dog", True)


def test_based_on_is_not_b():
    assert grade(ANIMALS, "Based on the images, I see a dog.").parsed is None
    assert grade(ANIMALS, "The answer is based on the images").parsed is None


def test_a_wrong_option_is_parsed():
    assert grade(ANIMALS, r"\boxed{C}") == Grade("C", "two birds", False, False)


def test_options_that_differ_in_case_only_are_not_named_by_their_text():
    question = choice("NaCl", "NACL")
    assert grade(question, boxed("nacl")).parsed is None
    assert grade(question, boxed("A")).correct


@pytest.mark.parametrize(
    ("options", "reply", "letter"),
    [
        (("1,000", "2,000", "3,000"), "2000.0", "B"),
        (("one", "two", "three"), "3", "C"),
        (("5 cm", "6 cm", "7 cm"), "6", "B"),
        ((r"$\frac{\sqrt{3}}{2}$", r"$\frac{1}{2}$"), r"\sqrt{3}/2", "A"),
        ((r"$\frac{\sqrt{3}}{2}$", r"$\frac{1}{2}$"), "0.5", "B"),
        (("40°", "60°"), r"60^\circ", "B"),
        (("True", "False"), "false.", "B"),
        (("A is closer", "B is closer"), "B", "B"),
        (("A is closer", "B is closer"), "B is closer", "B"),
        (("A is closer", "B is closer"), "A. A is closer", "A"),
        (("Point A", "Point B"), "Point B", "B"),
        (("Both A and B", "Neither A nor B"), "B. Neither A nor B", "B"),
        (("(1) and (2)", "(1) only"), "(1) only", "B"),
        (("C", "A", "B"), "C", "C"),  # a bare letter is a letter, not a text
    ],
)
def test_option_texts_are_compared_as_values(options, reply, letter):
    assert grade(choice(*options), boxed(reply)).parsed == letter


def test_a_value_that_fits_two_options_names_none():
    assert grade(choice("5 cm", "5 m"), boxed("5")).parsed is None


# --- image names and image options ---


@pytest.mark.parametrize(
    "reply", ["B", "Image 2", "image 2.", "the second image", "The second one", "<image_2>", "B. Image 2", "(B) the second image",
              "image-2", "Picture 2", "B. the second one"]
)  # fmt: skip
def test_options_that_name_images_may_be_named_as_images(reply):
    assert grade(NAMES, boxed(reply)) == Grade("B", "Image 2", True, True)


@pytest.mark.parametrize(
    "reply", ["Image 4", "the fifth image", "D", "B. Image 3", "images 1 and 2", "2", "Image 0"]
)
def test_images_that_are_no_option_are_unparsable(reply):
    assert grade(NAMES, boxed(reply)).parsed is None


def test_image_options_go_by_letter_or_image():
    assert PICTURES.option_slots == (1, 2, 3)
    assert grade(PICTURES, boxed("B")) == Grade("B", "Image 3", True, True)
    assert grade(PICTURES, boxed("Image 3")) == Grade("B", "Image 3", True, True)
    assert grade(PICTURES, boxed("the last image")) == Grade("C", "Image 4", False, True)
    assert grade(PICTURES, boxed("Image 1")).parsed is None  # the stem is no option


def test_image_options_with_names_of_their_own_are_not_taken_for_slots():
    question = choice("Picture 1", "Picture 2", answer="A", images=3, order_class="image-options")
    assert grade(question, boxed("Picture 2")).parsed == "B"
    assert grade(question, boxed("image 3")).parsed is None


# --- open questions ---


@pytest.mark.parametrize(
    ("gold", "reply"),
    [
        ("1000", "1,000"), ("1,000", "1000.0"), ("2", "two"), ("two", "2"), ("Two", "TWO."), ("5", "5 cm"),
        ("5 cm", "5"), ("5 cm", r"5\,\text{cm}"), ("45°", r"45^{\circ}"), ("45", "45 degrees"), ("True", "true."),
        ("False", "FALSE"), ("yes", "Yes!"), ("0.5", r"\frac{1}{2}"), ("0.5", "50%"), ("50%", "50"),
        ("red car", "Red  car."), (r"2\pi", r"2\cdot\pi"), (r"\frac{\sqrt{2}}{2}", r"\frac{1}{\sqrt{2}}"),
        ("(2, 3)", "2, 3"), ("1, 3", "[1,3]"), ("x = 3", "3"), ("3:45", "3:45"), ("-5", "−5"), ("$12", "12"),
        ("[0, 1]", "[0,1]"), ("H2O", "H₂O"),
    ],
)  # fmt: skip
def test_open_answers_that_are_right(gold, reply):
    question = open_question(gold)
    result = grade(question, boxed(reply))
    assert result.correct
    assert result.canonical == canonical_answer(question, gold)


@pytest.mark.parametrize(
    ("gold", "reply"),
    [
        ("1000", "100"), ("2", "three"), ("5 cm", "5 m"), ("5", "-5"), ("True", "False"), ("True", "not true"),
        ("red", "der"), ("red", "red car"), ("10", "1 or 10"), ("[0, 1]", "(0, 1)"), ("2", "2x"), ("2", "2 million"),
        ("2π", "6.28"), ("a", "b"), ("12", "1 2"), ("3", "5"), ("2", "3 - 1 dogs"),
    ],
)  # fmt: skip
def test_open_answers_that_are_wrong(gold, reply):
    result = grade(open_question(gold), boxed(reply))
    assert not result.correct
    assert result.parsed


@pytest.mark.parametrize(
    "reply", ["", "line\nline", r"\boxed{}", r"\boxed{...}", r"\boxed{" + "a" * 3000 + "}"]
)
def test_open_replies_that_are_unparsable(reply):
    assert grade(open_question("2"), reply) == Grade(None, None, False, False)


@pytest.mark.parametrize("gold", ["Image 2", "2", "the second image", "The second one."])
@pytest.mark.parametrize(
    "reply",
    [
        "Image 2",
        "2",
        "(2)",
        "the second image",
        "<image_2>",
        "second",
        "Picture #2",
        r"\text{Image 2}",
    ],
)
def test_open_answers_that_name_an_image(gold, reply):
    question = open_question(gold, images=3, order_class="slot-naming")
    assert grade(question, boxed(reply)) == Grade("Image 2", "Image 2", True, True)


@pytest.mark.parametrize(
    "reply", ["Image 4", "7", "the ninth image", "an image", "images 1 and 9", "0"]
)
def test_images_that_do_not_exist_are_unparsable(reply):
    assert (
        grade(open_question("Image 2", images=3, order_class="slot-naming"), boxed(reply)).parsed
        is None
    )


def test_several_images_are_a_set():
    question = open_question("Images 1 and 3", images=3, order_class="slot-naming")
    for reply in ("1, 3", "Image 3 and image 1", "images 3 & 1", "1,3.", "the first and the third"):
        assert grade(question, boxed(reply)).correct, reply
    assert grade(question, boxed("1, 2")) == Grade(
        "Image 1, Image 2", "Image 1, Image 2", False, True
    )
    assert gold_slot(question) is None


def test_a_text_where_an_image_is_asked_for_is_wrong_not_unparsable():
    assert grade(open_question("Image 2", order_class="slot-naming"), boxed("None")) == Grade(
        "None", "none", False, True
    )


@pytest.mark.parametrize("kind", ["rank", "sequence"])
@pytest.mark.parametrize(
    "reply",
    [
        "3, 1, 2",
        "3-1-2",
        "[3,1,2]",
        "3→1→2",
        "3 > 1 > 2",
        r"3 \rightarrow 1 \rightarrow 2",
        "(3, 1, 2)",
        "3 1 2",
    ],
)
def test_lists_are_compared_as_numbers(kind, reply):
    question = open_question("3, 1, 2", images=3, order_class="index-list", index_list=kind)
    assert grade(question, boxed(reply)) == Grade("3-1-2", "3-1-2", True, True)


def test_a_sequence_may_name_its_images():
    question = open_question("3, 1, 2", images=3, order_class="index-list", index_list="sequence")
    assert grade(question, boxed("Image 3, Image 1, Image 2")).correct
    assert grade(question, boxed("image_3 -> image_1 -> image_2")).correct


@pytest.mark.parametrize("reply", ["3, 1", "3, 1, 2, 4", "red, green, blue", "the third"])
def test_lists_that_cannot_be_are_unparsable(reply):
    question = open_question("3, 1, 2", images=3, order_class="index-list", index_list="rank")
    assert grade(question, boxed(reply)).parsed is None


def test_list_options_are_compared_as_lists():
    question = choice(
        "[3, 1, 2]", "[2, 1, 3]", images=3, answer="B", order_class="index-list", index_list="rank"
    )
    assert grade(question, boxed("2-1-3")) == Grade("B", "[2, 1, 3]", True, True)
    assert grade(question, boxed("B. [2, 1, 3]")).correct
    assert grade(question, boxed("1-2-3")).parsed is None


# --- what must not happen ---


def test_a_malformed_question_is_never_answered_right():
    question = choice("cat", "dog", answer="G", order_class="malformed")
    assert not any(grade(question, boxed(letter)).correct for letter in "ABG")


def test_power_towers_are_wrong_and_quick():
    started = time.perf_counter()
    for bomb in ("9**9**9**9", "9^{9^{9^{9}}}", "9^9^9^9^9", "99999999999!", "((9^9)^9)^9^9"):
        assert not grade(open_question("387420489"), boxed(bomb)).correct
        assert not grade(choice("5", "6"), boxed(bomb)).correct
    assert time.perf_counter() - started < 2


def test_text_is_never_evaluated(tmp_path):
    target = tmp_path / "made"
    grade(open_question("5"), boxed(f"open('{target}', 'w')"))
    grade(open_question("5"), boxed("__import__('os').getpid()"))
    assert not target.exists()


def test_grading_works_in_a_thread():
    found = []
    question = open_question(r"\frac{\sqrt{5}}{5}")
    thread = threading.Thread(
        target=lambda: found.append(grade(question, boxed(r"1/\sqrt{5}")).correct)
    )
    thread.start()
    thread.join(60)
    assert found == [True]


def test_same_value_is_symmetric_for_plain_answers():
    for a, b in itertools.product(
        ["5", "5 cm", "five", "red", "true", "(1, 2)", "1, 2", "5 m", "0.5", "1/2"], repeat=2
    ):
        assert same_value(a, b) == same_value(b, a), (a, b)


def test_image_options_are_checked_when_a_question_is_made():
    with pytest.raises(InputError, match="image options do not match"):
        open_question("A", order_class="image-options")
    with pytest.raises(InputError, match="could move among the options"):
        choice("A", "B", images=3, order_class="image-options", pinned=())
    with pytest.raises(InputError, match="two options are the same picture"):
        choice("A", "B", images=3, order_class="image-options", option_slots=(1, 1))


@pytest.mark.parametrize("reply", ["I cannot tell.", "\\boxed{unclear}", "\\boxed{a dog}"])
def test_a_reply_to_which_image_that_names_none_is_unparsable(reply):
    grey = np.zeros((2, 2, 3), np.uint8)
    question = Question((grey, grey), "Which image?", "Image 2", order_class="slot-naming")
    assert grade(question, reply).parsed is None
    assert grade(question, "\\boxed{none of them}").canonical is not None
