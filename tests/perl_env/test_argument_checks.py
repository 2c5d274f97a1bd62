"""What counts as a number, and what is said of what does not."""

import numpy as np
import pytest

from perl_env.argument_checks import check_number, check_truth, check_whole
from perl_env.errors import InputError

BAD = [True, "3", None, [3], float("nan"), float("inf"), np.array([3])]


@pytest.mark.parametrize("value", [*BAD, 3.0, -1])
def test_what_is_no_whole_number(value):
    with pytest.raises(InputError, match="unusable value: here: expected a whole number of at"):
        check_whole(value, "here", 0)


@pytest.mark.parametrize("value", [3, np.int8(3), np.array(3)])
def test_whole_numbers_become_plain_ones(value):
    assert type(check_whole(value, "here", 3)) is int


@pytest.mark.parametrize("value", [*BAD, -1, -1e-9, pytest.param(10**400, id="huge")])
def test_what_is_no_number(value):
    with pytest.raises(InputError, match="unusable value: here: expected a finite number of at"):
        check_number(value, "here", least=0)


def test_limits():
    check_number(0, "here", least=0)
    check_number(np.float32(1e-9), "here", above=0)
    with pytest.raises(InputError, match="above 0"):
        check_number(0, "here", above=0)


@pytest.mark.parametrize("value", ["no", 0, 1, None, np.bool_(True)])
def test_what_is_neither_true_nor_false(value):
    with pytest.raises(InputError, match="True or False"):
        check_truth(value, "here")
