"""Questions of unknown number: in an environment, and one after the other."""

import copy
import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import perl_env
from perl_env.env import QuestionEnv
from perl_env.errors import InputError
from perl_env.questions import QuestionSource, QuestionStream, ShuffledStream
from perl_env.registration import load_source
from tests.perl_env.benchmark_fixtures import fixture_path


class Stream:
    """Some questions without a length; counts how often it was started and how far it was read."""

    def __init__(self, questions):
        self.questions = questions
        self.max_images = max(len(question.images) for question in questions)
        self.max_pixels = 10**6
        self.read = 0

    def __iter__(self):
        for question in self.questions:
            self.read += 1
            yield question


@pytest.fixture(scope="module")
def questions():
    return perl_env.load_questions("perl/Shapes-v0", limit=30)


def drawn(stream, count, seed=0):
    rng = np.random.default_rng(seed)
    return [stream.draw(rng).key for _ in range(count)]


@pytest.mark.parametrize("size", [1, 4, 30, 100])
def test_each_pass_draws_every_question_once(questions, size):
    keys = [question.key for question in questions]
    stream = ShuffledStream(Stream(questions), size)
    found = drawn(stream, 90)
    for start in (0, 30, 60):
        assert sorted(found[start : start + 30]) == sorted(keys)
    assert (found[:30] == keys) == (size == 1)
    # a question is drawn at most so much earlier as the buffer is large
    assert all(keys.index(key) < place + size for place, key in enumerate(found[:30]))
    if size > 1:
        assert found[:30] != found[30:60]


def test_no_more_is_read_than_the_buffer_holds(questions):
    source = Stream(questions)
    drawn(ShuffledStream(source, 5), 3)
    assert source.read == 7


def test_a_stream_without_questions_is_told(questions):
    source = Stream(questions)
    source.questions = []
    with pytest.raises(InputError, match="no questions"):
        ShuffledStream(source, 4).draw(np.random.default_rng(0))
    with pytest.raises(InputError, match="unusable value: shuffle_buffer"):
        ShuffledStream(source, 0)


def test_a_copy_starts_anew(questions):
    stream = ShuffledStream(Stream(questions), 4)
    first = drawn(stream, 10)
    for copied in (pickle.loads(pickle.dumps(stream)), copy.deepcopy(stream)):
        assert drawn(copied, 10) == first


def test_an_environment_of_a_stream_keeps_gymnasiums_contract(questions):
    env = QuestionEnv(Stream(questions), shuffle_buffer=8)
    check_env(env, skip_render_check=True)
    infos = [env.reset(seed=5)[1]] + [env.reset()[1] for _ in range(70)]
    assert [info["index"] for info in infos] == list(range(71))
    assert len({env.reset()[0]["text"] for _ in range(60)}) > 5
    again = [env.reset(seed=5)[1]] + [env.reset()[1] for _ in range(70)]
    assert infos == again
    with pytest.raises(InputError, match="a stream's question cannot be chosen"):
        env.reset(options={"index": 0})


@pytest.mark.parametrize("task", ["perl/BLINK-v0", "perl/MMIU-v0"])
def test_a_data_set_streams_into_an_environment(task):
    env = gymnasium.make(task, path=fixture_path(task), streaming=True, render_mode="rgb_array")
    check_env(env.unwrapped)
    loaded = load_source(task, path=fixture_path(task))
    seen = set()
    for _ in range(2 * len(loaded)):
        observation, _ = env.reset()
        assert observation in env.observation_space
        seen.add(env.unwrapped.question.key)
        _, reward, *_ = env.step(rf"<think>so</think>\boxed{{{env.unwrapped.question.answer}}}")
        assert reward == pytest.approx(1.0)
    assert seen == {question.key for question in loaded}


def test_what_needs_a_length_refuses_a_stream():
    path = fixture_path("perl/BLINK-v0")
    with pytest.raises(InputError, match="questions of unknown number: perl/BLINK-v0, streaming"):
        load_source("perl/BLINK-v0", path=path, streaming=True)


def test_every_task_can_be_iterated(questions, tmp_path):
    from perl_env.tasks.folder import write_folder

    found = perl_env.iterate_questions("perl/Shapes-v0", size=30)
    assert [question.key for question in found] == [question.key for question in questions]
    write_folder(questions[:3], tmp_path)
    assert list(perl_env.iterate_questions(str(tmp_path))) == questions[:3]
    stream = perl_env.iterate_questions("perl/BLINK-v0", path=fixture_path("perl/BLINK-v0"))
    assert isinstance(stream, QuestionStream)
    assert not isinstance(stream, QuestionSource)
    source = perl_env.iterate_questions("perl/BLINK-v0", path=fixture_path("perl/BLINK-v0"), streaming=False)  # fmt: skip
    assert list(source) == list(stream)
