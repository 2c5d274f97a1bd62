"""Several tasks, each as often as its weight says."""

import pytest

from perl_env.errors import InputError
from perl_env.registration import load_questions, load_source


def tasks_of(questions):
    return [question.key.split("-")[0] for question in questions]


@pytest.mark.parametrize(("weights", "share"), [((1, 1), 0.5), ((22, 36), 22 / 58), ((1, 9), 0.1)])
def test_tasks_come_as_often_as_their_weights_say(weights, share):
    tasks = dict(zip(("perl/Shapes-v0", "perl/Digits-v0"), weights, strict=True))
    found = tasks_of(load_questions("perl/Mixture-v0", limit=600, tasks=tasks))
    deviation = (share * (1 - share) / 600) ** 0.5
    assert abs(found.count("shapes") / 600 - share) < 4 * deviation


def test_a_question_is_the_tasks_own_and_depends_on_seed_and_index_alone():
    first, again = (load_source("perl/Mixture-v0", seed=4) for _ in range(2))
    for index in (0, 7, 123):
        assert first[index] == again[index]
        assert first[index] in (source[index] for source in first.sources)
    other = load_source("perl/Mixture-v0", seed=5)
    assert [first[i].key for i in range(9)] != [other[i].key for i in range(9)]


def test_arguments_reach_their_task_and_splits_all_of_them():
    questions = load_questions(
        "perl/Mixture-v0", "train", 40, arguments={"perl/Digits-v0": {"kinds": ["sum"]}}
    )
    assert {q.kind for q in questions if q.key.startswith("digits")} == {"sum"}
    assert {q.key.split("-")[1] for q in questions} == {"train"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tasks": {}}, "unusable mixture"),
        ({"tasks": {"perl/Shapes-v0": 0}}, "unusable mixture"),
        ({"tasks": {"perl/Shpes-v0": 1}}, "'perl/Shapes-v0' \\(the nearest\\)"),
        ({"arguments": {"perl/Folder-v0": {}}}, "not mixed"),
    ],
)
def test_wrong_mixtures_are_told(arguments, message):
    with pytest.raises(InputError, match=message):
        load_source("perl/Mixture-v0", **arguments)


def test_an_index_beyond_the_end_is_an_index_error():
    with pytest.raises(IndexError, match="no question 5"):
        load_source("perl/Mixture-v0", size=5)[5]
