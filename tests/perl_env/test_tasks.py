"""Laws that every task obeys, under every order, checked without the permutation code."""

import itertools

import numpy as np
import pytest

import perl_env
from perl_env.order_class import OrderClass
from perl_env.permutation import count_orders, permute, sample_orders
from perl_env.question import LETTERS
from perl_env.tasks import digits as digits_task
from perl_env.tasks import shapes as shapes_task

TASKS = {"perl/Shapes-v0": tuple(shapes_task.KINDS), "perl/Digits-v0": digits_task.KINDS}
CASES = [(task, kind) for task, kinds in TASKS.items() for kind in kinds]


def questions(task, kind, difficulty, count=12):
    return perl_env.load_questions(task, limit=count, kinds=[kind], difficulty=difficulty, seed=5)


def all_orders(question, rng, most=24):
    return sample_orders(question, min(count_orders(question), most), rng)


def digest(image):
    return image.tobytes()


def pictured_answer(question):
    """The gold in terms of pictures, read off a question without any of the code under test."""
    image = {f"image {i + 1}": digest(p) for i, p in enumerate(question.images)}
    image |= {
        f"the {word} image": digest(p)
        for word, p in zip(shapes_task.ORDINALS, question.images, strict=False)
    }
    image["the last image"] = digest(question.images[-1])
    if question.order_class is OrderClass.IMAGE_OPTIONS:
        return digest(question.images[question.option_slots[LETTERS.index(question.answer)]])
    answer = question.answer
    if question.options:
        answer = question.options[LETTERS.index(answer)]
    if question.order_class is OrderClass.SLOT_NAMING:
        return image[answer.lower()]
    if question.order_class is OrderClass.INDEX_LIST:
        numbers = [int(c) for c in answer if c.isdigit()]
        if question.index_list == "sequence":
            return [digest(question.images[n - 1]) for n in numbers]
        return {digest(p): rank for p, rank in zip(question.images, numbers, strict=True)}
    return answer


@pytest.mark.parametrize("difficulty", [1, 2, 3])
@pytest.mark.parametrize(("task", "kind"), CASES)
def test_an_oracle_that_sees_pictures_is_right_under_every_order(task, kind, difficulty):
    rng = np.random.default_rng(0)
    for question in questions(task, kind, difficulty):
        truth = pictured_answer(question)
        for order in all_orders(question, rng):
            asked = permute(question, order)
            assert pictured_answer(asked) == truth
            grade = perl_env.grade(asked, f"\\boxed{{{asked.answer}}}")
            assert grade.correct
            assert grade.canonical == perl_env.grade(question, question.answer).canonical


@pytest.mark.parametrize(
    ("task", "kind"),
    [c for c in CASES if c[1] in ("which-image", "odd-one-out", "largest", "smallest", "most")],
)
def test_always_naming_one_slot_is_right_as_often_as_chance_says(task, kind):
    rng = np.random.default_rng(0)
    for question in questions(task, kind, 2):
        orders = list(itertools.permutations(range(len(question.images))))
        for slot in range(len(question.images)):
            right = sum(
                perl_env.grade(permute(question, order), f"Image {slot + 1}").correct
                for order in orders
            )
            assert right * len(question.images) == len(orders)
    assert len(orders) == count_orders(question)
    assert len(set(all_orders(question, rng))) == min(24, len(orders))


@pytest.mark.parametrize(("task", "kind"), CASES)
def test_a_question_depends_on_seed_split_and_index_alone(task, kind):
    first = perl_env.registration.load_source(task, kinds=[kind], seed=3)
    second = perl_env.registration.load_source(task, kinds=[kind], seed=3, size=50)
    assert first[7] == second.make(7)
    assert second[7] is second[7]
    assert first[7] != perl_env.registration.load_source(task, kinds=[kind], seed=4)[7]
    assert (
        first[7] != perl_env.registration.load_source(task, kinds=[kind], seed=3, split="train")[7]
    )


@pytest.mark.parametrize(
    ("task", "kind", "candidates"),
    [
        ("perl/Shapes-v0", "which-image", 3),
        ("perl/Shapes-v0", "odd-one-out", 3),
        ("perl/Shapes-v0", "image-options", 3),
        ("perl/Shapes-v0", "match-reference", 2),
        ("perl/Digits-v0", "which-image", 3),
        ("perl/Shapes-v0", "largest", 3),
        ("perl/Shapes-v0", "most", 3),
        ("perl/Digits-v0", "largest", 3),
        ("perl/Digits-v0", "smallest", 3),
    ],
)
@pytest.mark.parametrize("decay", [1.0, 0.3])
def test_golds_are_balanced_over_slots_unless_a_skew_is_asked_for(task, kind, candidates, decay):
    source = perl_env.registration.load_source(task, kinds=[kind], gold_slot_decay=decay)
    golds = [perl_env.grading.gold_slot(source.make(index)) for index in range(400)]
    lowest = len(source.make(0).images) - candidates
    share = 1 / sum(decay**slot for slot in range(candidates))
    # Four standard deviations of a share out of 400.
    assert abs(golds.count(lowest) / 400 - share) < 4 * (share * (1 - share) / 400) ** 0.5


def test_the_scans_of_the_two_splits_are_disjoint_and_complete():
    train, test = digits_task.scans("train"), digits_task.scans("test")
    assert (sum(map(len, train.values())), sum(map(len, test.values()))) == (1347, 450)
    seen = {digest(scan) for pool in train.values() for scan in pool}
    shared = sum(digest(scan) in seen for pool in test.values() for scan in pool)
    assert shared == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kinds": ["which-imge"]}, "unknown kind: kinds: expected 'which-image'"),
        ({"kinds": "which-imge"}, "unknown kind: kinds: expected 'which-image'"),
        ({"kinds": [["which-image"]]}, "unknown kind"),
        ({"kinds": []}, "no kinds"),
        ({"kinds": 3}, "no kinds"),
        ({"difficulty": True}, "unknown difficulty"),
        ({"gold_slot_decay": "half"}, "unusable decay"),
        ({"size": "9"}, "unusable value: size"),
        ({"seed": -1}, "unusable value: seed"),
        ({"seed": "one"}, "unusable value: seed"),
        ({"split": "validation"}, "unknown split"),
        ({"difficulty": 9}, "unknown difficulty"),
        ({"gold_slot_decay": 0}, "unusable decay"),
        ({"size": 0}, "unusable value: size"),
    ],
)
@pytest.mark.parametrize("task", TASKS)
def test_wrong_arguments_are_told(task, arguments, message):
    with pytest.raises(perl_env.InputError, match=message):
        perl_env.registration.load_source(task, **arguments)


@pytest.mark.parametrize("task", TASKS)
def test_one_kind_may_be_named_alone(task):
    first, second = (
        perl_env.load_questions(task, limit=3, kinds=kinds)
        for kinds in ("odd-one-out", ["odd-one-out"])
    )
    assert first == second
    assert {question.kind for question in first} == {"odd-one-out"}


def test_shapes_cover_every_permutable_order_class():
    questions = perl_env.load_questions("perl/Shapes-v0", limit=len(shapes_task.KINDS))
    classes = {question.order_class for question in questions}
    assert classes == set(OrderClass) - {OrderClass.LAYOUT, OrderClass.SINGLE, OrderClass.MALFORMED}
    assert {len(question.images) for question in questions} >= {2, 3, 4}


def test_hard_shapes_have_up_to_six_images():
    questions = perl_env.load_questions("perl/Shapes-v0", limit=200, difficulty=3)
    assert max(len(question.images) for question in questions) == 6


@pytest.mark.parametrize("task", TASKS)
def test_keys_name_task_split_seed_index_and_kind(task):
    short = task.removeprefix("perl/").removesuffix("-v0").lower()
    question = perl_env.load_questions(task, "train", 3, seed=9, kinds=["which-image"])[2]
    assert question.key == f"{short}-train-9-2-which-image"
