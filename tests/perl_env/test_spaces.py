"""Free text and pictures of any size, alone and in the shared memory of vector environments."""

import copy
import multiprocessing
import pickle

import numpy as np
import pytest
from gymnasium.vector.utils import (
    create_shared_memory,
    read_from_shared_memory,
    write_to_shared_memory,
)
from hypothesis import given
from hypothesis import strategies as st

from perl_env.spaces import FreeText, Pictures


@given(st.text(max_size=200))
def test_any_text_is_contained_and_survives_the_way_through_bytes(text):
    space = FreeText()
    assert space.contains(text)
    # Lone surrogates cannot be encoded and cannot come out of a tokenizer either.
    if not any(0xD800 <= ord(character) <= 0xDFFF for character in text):
        assert space.from_bytes(space.to_bytes(text)) == text


def test_text_that_is_too_long_or_no_text_is_not_contained():
    assert not FreeText(max_length=3).contains("four")
    assert not FreeText().contains(b"bytes")


@pytest.mark.parametrize(
    "wrong",
    [
        (),
        [np.zeros((4, 4, 3), np.uint8)],
        (np.zeros((4, 4, 3), np.float32),),
        (np.zeros((4, 4), np.uint8),),
        (np.zeros((4, 4, 4), np.uint8),),
        (np.zeros((0, 4, 3), np.uint8),),
        (np.zeros((11, 10, 3), np.uint8),),
        (np.zeros((4, 4, 3), np.uint8),) * 3,
    ],
    ids=["none", "list", "float", "grey", "alpha", "empty", "large", "many"],
)
def test_what_is_no_tuple_of_pictures_is_not_contained(wrong):
    assert not Pictures(max_images=2, max_pixels=100).contains(wrong)


@pytest.mark.parametrize("space", [FreeText(50, seed=3), Pictures(3, 400, seed=3)])
def test_samples_are_contained_seeded_and_pickled(space):
    again = pickle.loads(pickle.dumps(space))
    assert again == space
    for _ in range(20):
        sample = space.sample()
        assert space.contains(sample)
        np.testing.assert_equal(again.sample(), sample)


@pytest.mark.parametrize("space", [FreeText(50, seed=1), Pictures(3, 400, seed=1)])
def test_shared_memory_gives_back_what_each_environment_wrote(space):
    memory = create_shared_memory(space, n=3, ctx=multiprocessing)
    view = read_from_shared_memory(space, memory, n=3)
    for _ in range(2):  # the view is live: it shows the second values too
        values = [space.sample() for _ in range(3)]
        for i, value in enumerate(values):
            write_to_shared_memory(space, i, value, memory)
        np.testing.assert_equal(copy.deepcopy(view), tuple(values))
        np.testing.assert_equal(view[1:], tuple(values[1:]))


def test_masks_are_refused():
    with pytest.raises(ValueError, match="mask"):
        FreeText().sample(mask=1)
