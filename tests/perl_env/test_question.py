"""What a question accepts, and how it compares."""

import pickle

import numpy as np
import pytest
from PIL import Image

import perl_env
from perl_env.errors import InputError
from perl_env.question import Question, as_array

RED, BLUE = np.full((4, 5, 3), (255, 0, 0), np.uint8), np.full((4, 5, 3), (0, 0, 255), np.uint8)


def test_questions_compare_by_value():
    first = Question((RED, BLUE), "Which?", "A", ("x", "y"))
    second = Question((RED.copy(), Image.fromarray(BLUE)), "Which?", "A", ["x", "y"])
    assert first == second
    assert hash(first) == hash(second)
    assert first != Question((BLUE, RED), "Which?", "A", ("x", "y"))
    assert first != Question((RED, BLUE), "Which?", "B", ("x", "y"))
    assert first != "Which?"
    assert pickle.loads(pickle.dumps(first)) == first


def test_pictures_are_read_only_and_the_caller_keeps_a_writable_array():
    mine = RED.copy()
    question = Question((mine,), "?", "x", order_class="single")
    assert not question.images[0].flags.writeable
    assert mine.flags.writeable
    assert np.shares_memory(mine, question.images[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": ()}, "without images"),
        ({"images": ("a.png",)}, "not a picture: expected PIL picture .* got str"),
        ({"images": (RED.astype(float),)}, "not a picture.*float64"),
        ({"images": (RED[:0],)}, "unusable shape"),
        ({"images": (RED[:, :, :2],)}, "unusable shape"),
        ({"options": ("x", "y"), "answer": "C"}, "gold answer is no option.*one of A, B, got 'C'"),
        ({"options": ("x", "y"), "answer": "x"}, "gold answer is no option"),
        ({"options": ("x", "x"), "answer": "A"}, "two options are the same"),
        ({"options": tuple("abcdefghijklmnopqrstuvwxyz0"), "answer": "A"}, "too many options"),
        (
            {"text": "<image> or <image> or <image>?"},
            "number of <image> differs.*expected 2, got 3",
        ),
        ({"order_class": "single"}, "too many images"),
        ({"order_class": "index-list"}, "index list of unknown meaning"),
        ({"pinned": (2,)}, "slot out of range.*pinned"),
        (
            {"order_class": "image-options", "options": ("x", "y", "z"), "answer": "A"},
            "slot out of range",
        ),
    ],
)
def test_what_cannot_be_a_question_is_told_in_one_line(arguments, message):
    complete = {"images": (RED, BLUE), "text": "Which?", "answer": "x", "key": "q7"} | arguments
    with pytest.raises(InputError, match=message) as caught:
        Question(**complete)
    assert "\n" not in str(caught.value)


def test_an_unknown_order_class_is_told():
    with pytest.raises(ValueError, match="sideways"):
        Question((RED,), "?", "x", order_class="sideways")


def test_errors_survive_pickling():
    error = InputError("what", where="here", expected=1, got=2)
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) == "what: here: expected 1, got 2"
    assert type(again) is InputError


def test_grey_and_transparent_pictures_become_colour():
    for mode in ("L", "RGBA", "P", "1"):
        assert as_array(Image.new(mode, (5, 4))).shape == (4, 5, 3)


def test_importing_perl_env_loads_nothing_heavy():
    import subprocess
    import sys

    code = (
        "import sys\n"
        "for name in ('torch', 'ray', 'transformers', 'vllm', 'pandas', 'sklearn'):\n"
        "    sys.modules[name] = None\n"  # importing it now raises ImportError
        "import perl_env, gymnasium\n"
        "env = gymnasium.make('perl/Shapes-v0')\n"
        "env.reset(seed=0)\n"
        "env.step('A')\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)
    assert perl_env.OrderClass.SINGLE == "single"
