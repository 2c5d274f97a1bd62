"""Several tasks, each as often as its weight says."""

import dataclasses

import gymnasium
import pytest

from perl_env.errors import InputError
from perl_env.questions import QuestionList
from perl_env.registration import first_questions, load_questions, load_source
from perl_env.tasks.folder import write_folder
from perl_env.tasks.mixture import parse_mixture

SHAPES, DIGITS = "perl/Shapes-v0", "perl/Digits-v0"


def tasks_of(questions):
    return ["/".join(question.key.split("/")[:2]) for question in questions]


@pytest.mark.parametrize(("weights", "share"), [((1, 1), 0.5), ((22, 36), 22 / 58), ((1, 9), 0.1)])
def test_tasks_come_as_often_as_their_weights_say(weights, share):
    tasks = dict(zip(("perl/Shapes-v0", "perl/Digits-v0"), weights, strict=True))
    found = tasks_of(load_questions("perl/Mixture-v0", limit=600, tasks=tasks))
    deviation = (share * (1 - share) / 600) ** 0.5
    assert abs(found.count(SHAPES) / 600 - share) < 4 * deviation


def test_a_question_is_the_tasks_own_and_depends_on_seed_and_index_alone():
    first, again = (load_source("perl/Mixture-v0", seed=4) for _ in range(2))
    for index in (0, 7, 123):
        assert first[index] == again[index]
        own = first.sources[first.tasks.index(first.task_of(index))][index]
        assert first[index] == dataclasses.replace(own, key=f"{first.task_of(index)}/{own.key}")
    other = load_source("perl/Mixture-v0", seed=5)
    assert [first[i].key for i in range(9)] != [other[i].key for i in range(9)]


def test_an_environment_takes_a_mixture_written_as_text():
    written = gymnasium.make("perl/Mixture-v0", tasks=f"{SHAPES}: 22, {DIGITS}: 36")
    given = gymnasium.make("perl/Mixture-v0", tasks={SHAPES: 22, DIGITS: 36})
    assert [written.unwrapped.source[i].key for i in range(9)] == [
        given.unwrapped.source[i].key for i in range(9)
    ]


def test_arguments_reach_their_task_and_splits_all_of_them():
    questions = load_questions(
        "perl/Mixture-v0", "train", 40, arguments={"perl/Digits-v0": {"kinds": ["sum"]}}
    )
    assert {q.kind for q in questions if q.key.startswith(DIGITS)} == {"sum"}
    assert {q.key.split("-")[2] for q in questions} == {"train"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tasks": {}}, "unusable mixture"),
        ({"tasks": {"perl/Shapes-v0": 0}}, "unusable mixture"),
        ({"tasks": {"perl/Shapes-v0": "two"}}, "unusable mixture"),
        ({"tasks": {"perl/Shapes-v0": float("inf")}}, "unusable mixture"),
        ({"tasks": {"perl/Shapes-v0": True}}, "unusable mixture"),
        ({"tasks": ["perl/Shapes-v0"]}, "unusable mixture"),
        ({"tasks": "perl/Shapes-v0"}, "unusable mixture"),
        ({"tasks": "perl/Shapes-v0: 22, fold: 36"}, "unknown task"),
        ({"size": 0}, "unusable value: size"),
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


def test_a_mixture_is_written_as_one_text():
    assert parse_mixture(f"{SHAPES}: 22,{DIGITS}:36.5") == {SHAPES: 22, DIGITS: 36.5}
    for text in (SHAPES, f"perl_env:{SHAPES}", "C:\\folder", f"{SHAPES}, {DIGITS}"):
        assert parse_mixture(text) is None
    written = load_source(f"perl_env:{SHAPES}: 1, {DIGITS}: 3", split="train", seed=2)
    assert [written.task_of(i) for i in range(50)].count(DIGITS) > 30
    assert {question.key.split("-")[2] for _, question in zip(range(9), written, strict=False)} == {
        "train"
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{SHAPES}: 1, {DIGITS}", "part of a mixture without a weight"),
        (f"{SHAPES}: 1, {SHAPES}: 2", "task mixed twice"),
        ("perl/Shpes-v0: 1", "'perl/Shapes-v0' \\(the nearest\\)"),
        (f"{SHAPES}: 0", "unusable mixture"),
    ],
)
def test_wrongly_written_mixtures_are_told(text, message):
    with pytest.raises(InputError, match=message):
        load_questions(text, limit=1)


def test_two_tasks_may_use_the_same_keys_and_no_question_is_taken_twice(tmp_path):
    for name in ("one", "two"):
        plain = [
            dataclasses.replace(q, key=f"q{i}")
            for i, q in enumerate(load_questions(DIGITS, limit=3))
        ]
        write_folder(plain, tmp_path / name)
    names = [str(tmp_path / name) for name in ("one", "two")]
    source = load_source(f"{names[0]}: 1, {names[1]}: 1")
    found = first_questions(source)
    assert sorted(q.key for q in found.values()) == sorted(
        f"{n}/q{i}" for n in names for i in range(3)
    )
    assert all(question.key.startswith(source.task_of(index)) for index, question in found.items())
    assert load_questions(f"{names[0]}: 1, {names[1]}: 1", limit=4) == list(found.values())[:4]


def test_a_scoring_rule_goes_to_the_tasks_that_have_one(monkeypatch):
    from perl_env import registration
    from perl_env.tasks import digits

    def scored(split="test", seed=0, scoring="strict"):
        return QuestionList(
            [
                dataclasses.replace(q, scoring=scoring)
                for q in load_questions(DIGITS, split, 5, seed)
            ]
        )

    monkeypatch.setattr(digits, "scored", scored, raising=False)
    monkeypatch.setitem(registration.TASKS, "perl/Scored-v0",
                        registration.Task("perl/Scored-v0", "perl_env.tasks.digits:scored", ""))  # fmt: skip
    mixed = load_questions(f"perl/Scored-v0: 1, {SHAPES}: 1", limit=20, scoring="blink")
    assert {q.scoring for q in mixed if q.key.startswith("perl/Scored")} == {"blink"}
    assert {q.scoring for q in mixed if q.key.startswith(SHAPES)} == {"strict"}
    with pytest.raises(InputError, match=f"unknown argument: {SHAPES}, scoring"):
        load_questions(SHAPES, limit=1, scoring="official")


def test_rows_that_a_mixed_folder_left_out_are_told(tmp_path):
    file = write_folder(load_questions(DIGITS, limit=3), tmp_path)
    with file.open("a") as more:
        more.write("not json\n")
    mixed = load_source(f"{SHAPES}: 1, {tmp_path}: 1")
    (row,) = mixed.excluded
    assert (row.line, row.reason.startswith(f"{tmp_path}: broken JSON")) == (4, True)
    assert mixed.excluded_counts == {"broken JSON": 1}
