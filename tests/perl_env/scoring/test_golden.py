"""What each published rule makes of a reply, its quirks included."""

import pytest

from perl_env.errors import InputError
from perl_env.grading import grade
from perl_env.scoring import RULES, find_rule
from tests.perl_env.scoring.questions import ANIMALS, choice, facts, open_question


def outcome(question, reply):
    graded = grade(question, reply)
    return graded.parsed, graded.correct


MANTIS = choice("mantis-eval", *ANIMALS, answer="B")


@pytest.mark.parametrize(
    ("reply", "parsed"),
    [
        ("B", "B"),
        ("(b) A dog", "B"),
        ("Based on the images, it is a cat.", "B"),  # the first letter is a B
        ("A dog", "A"),  # option B's text, but its first letter is an A
        ("The answer is C.", "C"),
        ("I say the answer is C. Final answer: D", "D"),  # "final answer:" is looked for first
        ("Answer: (C)", "C"),
        ("ANSWER: c", "C"),
        ("Two birds", None),  # T is no option, and the reply is not spelt like one
        ("two birds", "C"),
        ("1, 2", None),
        ("", None),
        ("Ça dépend de B", None),  # the first letter need not be a Latin one
        (r"<think>Based on it.</think>\boxed{C}", "C"),
        ("<think>Based on the images", None),  # cut off in thought
        ("<answer>D</answer>", "D"),
    ],
)
def test_mantis_eval(reply, parsed):
    assert outcome(MANTIS, reply) == (parsed, parsed == "B")


@pytest.mark.parametrize(
    ("reply", "parsed", "correct"),
    [
        ("2, 3", "2, 3", True),
        ("Final Answer: 2, 3", "2, 3", True),
        ("2 and 3", "2 and 3", False),
        ("2, 3.", "2, 3.", False),
        ("", None, False),
    ],
)
def test_mantis_eval_short_answers_have_to_be_spelt_alike(reply, parsed, correct):
    assert outcome(open_question("mantis-eval", "2, 3"), reply) == (parsed, correct)


def test_mantis_eval_short_answers_ignore_case():
    assert outcome(open_question("mantis-eval", "Paris, Rome"), "paris, rome")[1]


BLINK = choice("blink", "the second image", "the third image", images=3, answer="B",
               order_class="slot-naming")  # fmt: skip


@pytest.mark.parametrize(
    ("reply", "parsed"),
    [
        ("(B)", "B"),
        ("B", "B"),
        ("B.", "B"),
        ("It is (A).", "A"),
        ("The answer is B", None),  # the authors ask a judge; lmms-eval reads T
        ("(A) differs, so (B)", None),
        ("(A)? Yes, (A)", "A"),
        ("(A) and (B) differ.\n\nI choose (B).", "B"),  # the last paragraph
        ("I choose (B).\n\nFor (A) and (B) differ.", None),
        ("f(B)", None),
        ("(D)", None),
        ("b", None),
        ("the third image", None),
        (r"<think>(A) or (B)</think>\boxed{(B)}", "B"),
        (r"\boxed{B}", "B"),
    ],
)
def test_blink(reply, parsed):
    assert outcome(BLINK, reply) == (parsed, parsed == "B")


MMIU = choice("mmiu", *ANIMALS, answer="B")


@pytest.mark.parametrize(
    ("reply", "parsed"),
    [
        ("B", "B"), ("b", "B"), ("B.", "B"), ("(B)", "B"), ("B:", "B"), ("**B**", "B"), ("A", "A"),
        ("N", None),  # a letter, but no option here
        ("B: A dog", None), ("The answer is B", None), ("A, B", None), ("Z", None), ("", None),
        (r"<think>A</think>\boxed{B}", "B"),
    ],
)  # fmt: skip
def test_mmiu(reply, parsed):
    assert outcome(MMIU, reply) == (parsed, parsed == "B")


def mathvista(answer, **more):
    return open_question("mathvista", answer, images=1, facts=facts(**more))


VISTA = choice("mathvista", "12 cm", "14 cm", "146 degrees", images=1, answer="C",
               facts=facts(question_type="multi_choice"))  # fmt: skip


@pytest.mark.parametrize(
    ("reply", "parsed"),
    [
        ("The answer is C", "C"),
        ("(C)", "C"),
        (r"\boxed{146 degrees}", "C"),
        (r"\boxed{146 degree}", "C"),  # the nearest option
        (r"\boxed{I do not know}", "A"),  # so is this, as published
        ("I do not know", None),  # but only what is stated as the answer
        ("First it turns.\nSo it must be (B).", "B"),
        ("First it turns.\nSo (B) or (C).", None),
        ("", None),
    ],
)
def test_mathvista_choices(reply, parsed):
    assert outcome(VISTA, reply) == (parsed, parsed == "C")


@pytest.mark.parametrize(
    ("question", "reply", "parsed", "correct"),
    [
        (mathvista("7", answer_type="integer"), r"\boxed{7}", "7", True),
        (mathvista("7", answer_type="integer"), r"\boxed{7.9}", "7", True),  # cut off, not rounded
        (mathvista("7", answer_type="integer"), "The answer is 8.", "8", False),
        (mathvista("1234", answer_type="integer"), r"\boxed{1,234 people}", "1234", True),
        (mathvista("7", answer_type="integer"), "I count.\nThere are 7 of them.", "7", True),
        (mathvista("7", answer_type="integer"), r"\boxed{3 or 7}", None, False),
        (mathvista("7", answer_type="integer"), r"\boxed{seven hundred}", None, False),
        (mathvista("0.27", answer_type="float", precision="2.0"), r"\boxed{0.2749}", "0.27", True),
        (mathvista("0.50", answer_type="float", precision="2.0"), r"\boxed{1/2}", "0.5", True),
        (mathvista("1.5", answer_type="float", precision="1.0"), r"\boxed{1.56}", "1.6", False),
        (mathvista("[1, 4]", answer_type="list"), r"\boxed{[1, 4]}", "[1, 4]", True),
        (mathvista("[1, 4]", answer_type="list"), r"\boxed{1, 4}", "1, 4", False),
        (mathvista("Yes", answer_type="text"), r"\boxed{yes}", "yes", False),
    ],
)  # fmt: skip
def test_mathvista_values(question, reply, parsed, correct):
    assert outcome(question, reply) == (parsed, correct)


@pytest.mark.parametrize(
    ("question", "reply", "parsed", "correct"),
    [
        (choice("mathverse", "40°", "60°", images=1, answer="B"), "B", "B", True),
        (choice("mathverse", "40°", "60°", images=1, answer="B"), r"\boxed{60°}", "B", True),
        (choice("mathverse", "40°", "60°", images=1, answer="B"), "It is small.", None, False),
        # Vision only: the options stand in the picture.
        (open_question("mathverse", "B", 1, facts=facts(question_type="multi-choice")), "Answer: (b)", "B", True),
        (open_question("mathverse", "B", 1, facts=facts(question_type="multi-choice")), "60°", None, False),
        (open_question("mathverse", "12"), r"\boxed{12 cm}", "12 cm", True),
        (open_question("mathverse", r"\frac{1}{2}"), r"\boxed{0.5}", "0.5", True),
        (open_question("mathverse", "12"), r"\boxed{13}", "13", False),
        (open_question("mathverse", "12"), "<think>12", None, False),
    ],
)  # fmt: skip
def test_mathverse(question, reply, parsed, correct):
    assert outcome(question, reply) == (parsed, correct)


VISION = choice("mathvision", "3", r"\frac{7}{2}", "4", images=1, answer="B")


@pytest.mark.parametrize(
    ("reply", "parsed"),
    [
        (r"\boxed{B}", "B"),
        (r"\boxed{\text{(b)}}", "B"),
        (r"First \boxed{A}, no, \boxed{B}.", "B"),
        (r"\boxed{3.5}", "B"),
        (r"\boxed{7/2}", "B"),
        (r"\boxed{x = 3.5}", "B"),
        (r"\boxed{3.504}", "B"),  # rounded to two places
        (r"\boxed{3.51}", None),
        (r"\boxed{4}", "C"),
        ("The answer is (C).", "C"),
        ("It is long.\nSo we choose (C).", "C"),
        ("B\nFor it is so.", "B"),
        (r"\boxed{B} or rather C.", "C"),  # the last letter is looked for first
        ("I add.\nThe sum is 3.5.", "B"),  # as is a number behind the last "is"
        ("B", "B"),
        (r"\boxed{E}", None),
        ("I count\nand count.", None),
        ("", None),
    ],
)
def test_mathvision_choices(reply, parsed):
    assert outcome(VISION, reply) == (parsed, parsed == "B")


@pytest.mark.parametrize(
    ("gold", "answer", "correct"),
    [
        ("5", "5.0", True), ("5", "5 cm", False), ("5", "5 km", True), ("45", r"45^\circ", True),
        (r"\sqrt{2}", r"\sqrt{8}/2", True), ("1000", "1,000", True), (r"2 \pi", r"\pi \cdot 2", True),
        ("x+1", "1+x", True), ("12", "21", False), ("red", "Red", True), ("3.14", "3.142", True),
        ("(1, 2.5)", "(1.0, 2.501)", True), ("(1, 2)", "[1, 2]", False), ("(1, 2)", "(2, 1)", False),
        ("50", "50%", True), ("1", "9**9**9**9", False), ("1", "1e999999999", False),
    ],
)  # fmt: skip
def test_mathvision_values(gold, answer, correct):
    question = open_question("mathvision", gold, images=1)
    assert outcome(question, rf"\boxed{{{answer}}}")[1] == correct


def test_mathvision_options_that_stand_in_the_picture():
    question = choice("mathvision", "A", "B", "C", "D", "E", images=1, answer="D")
    assert outcome(question, r"\boxed{D}") == ("D", True)


def remi(task, label):
    return open_question("remi", label, facts=facts(task=task))


@pytest.mark.parametrize(
    ("task", "label", "answer", "correct"),
    [
        ("FuncRead", "1", "1", True),
        ("FuncRead", "100", "100.9", True),  # to within 1 %
        ("FuncRead", "100", "101.1", False),
        ("FuncRead", "f", "F(x)", True),
        ("Charts", "50", "50% of them", True),
        ("Charts", "(Orange, decreased)", "orange,decreased", True),
        ("GeomShape", "100", "97", True),
        ("GeomShape", "100", "96.9", False),
        ("GeomCost", "100", "103", True),
        ("Clocks", "120", "110", True),
        ("Clocks", "120", "131", False),
        ("RefCoco", "1,3", "3", True),
        ("RefCoco", "1,3", "1,3", False),
        ("Maps", "Equal", "equal", True),
        ("Collisions", "0", "yes", False),
        ("Isomorphism", "1", "1.0", True),
    ],
)
def test_remi(task, label, answer, correct):
    for reply in (
        f'```json\n{{"explanation": "So.", "answer": "{answer}"}}\n```',
        f'{{"answer": "{answer}"}}',
        rf"<think>So.</think>\boxed{{{answer}}}",
    ):
        graded = grade(remi(task, label), reply)
        assert graded.correct == correct, reply
        assert graded.parsed == answer.lower().split("%")[0].strip()


@pytest.mark.parametrize(
    "reply",
    ["92", "The answer is 92", '{"explanation": "92"}', "[92]", '{"answer": null}', "{" * 50_000,
     '{"answer": 92'],
)  # fmt: skip
def test_remi_reads_nothing_but_the_form_it_asks_for(reply):
    assert outcome(remi("EmojiAlgebra", "92"), reply) == (None, False)


def test_remi_numbers_in_json():
    assert outcome(remi("EmojiAlgebra", "92"), '{"answer": 92}') == ("92", True)


def test_remi_options():
    question = choice("remi", "A", "B", "C", "D", images=5, answer="C", order_class="image-options",
                      facts=facts(task="IQ"))  # fmt: skip
    assert outcome(question, '{"answer": "(c)"}') == ("C", True)
    assert outcome(question, '{"answer": "the third"}') == (None, False)


def mv(kind, answer):
    return open_question("mv-math", answer, facts=facts(problem_type=kind))


@pytest.mark.parametrize(
    ("question", "reply", "parsed", "correct"),
    [
        (mv("choice", "C"), "So it is {C}.", "C", True),
        (mv("choice", "C"), r"\boxed{C}", "C", True),
        (mv("choice", "C"), "{A} is wrong, so {B}", "B", False),
        (mv("choice", "C"), "I do not know.", None, False),
        (choice("mv-math", "one", "two", "three", answer="C"), "{three}", "C", True),
        (mv("single-step", "15.6"), "The area is {15.6}", "15.6", True),
        (mv("single-step", "15.6"), r"It is \frac{1}{2}, so the answer is 15.60", "15.60", True),
        (mv("single-step", "15.6"), r"\boxed{15.7}", "15.7", False),
    ],
)
def test_mv_math(question, reply, parsed, correct):
    assert outcome(question, reply) == (parsed, correct)
    assert grade(question, reply).steps is None


THREE_STEPS = mv("multi-step", "(1) B (3, 5); (2) (3, 4);（3）7.5.")


@pytest.mark.parametrize(
    ("reply", "right", "correct"),
    [
        (r"\boxed{(1) B(3, 5); (2) (3, 4); (3) 7.5}", 3, True),
        (r"\boxed{(1) B (3, 5); (2) (3, 5); (3) 15/2}", 2, False),
        (r"(1) \boxed{B (3, 5)} (2) \boxed{(3, 4)} (3) \boxed{7.5}", 3, True),
        ("(1) B (3, 5)", 1, False),
        ("(1) B (3, 5); (2) (3, 4); (3) 7.5; (4) 8", 3, False),
        ("7.5", 0, False),
        ("", 0, False),
    ],
)
def test_mv_math_counts_steps(reply, right, correct):
    graded = grade(THREE_STEPS, reply)
    assert graded.steps == (right, 3)
    assert graded.correct == correct


def test_an_unknown_rule_is_told_with_the_nearest_known():
    question = choice("mantis_eval", "one", "two", key="q7")
    with pytest.raises(InputError, match=r"'mantis-eval' \(the nearest\)") as error:
        grade(question, "A")
    assert "q7" in str(error.value)
    with pytest.raises(InputError, match="one of strict, mantis-eval"):
        find_rule("x")


def test_the_rules_are_the_eight_benchmarks():
    assert set(RULES) == {
        "mantis-eval", "blink", "mmiu", "mathvista", "mathverse", "mathvision", "remi", "mv-math",
    }  # fmt: skip
    assert {name for name, rule in RULES.items() if rule.judge == "always"} == {
        "mathvista", "mathverse", "mv-math",
    }  # fmt: skip
