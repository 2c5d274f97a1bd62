"""Checks of single values that users give: whole numbers, numbers, yes or no."""

from __future__ import annotations

import math
import numbers

import numpy as np

from perl_env.errors import InputError


def is_whole(value: object) -> bool:
    """Whether this is a whole number, NumPy's too; True and False are none.

    >>> is_whole(3), is_whole(np.array(3)), is_whole(3.0), is_whole(True)
    (True, True, False, False)
    """
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Whether this is a finite number, NumPy's too; True and False are none.

    >>> is_number(0.5), is_number(float("nan")), is_number("1"), is_number(True)
    (True, False, False, False)
    """
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        return False


def check_whole(value: object, where: str, least: int) -> int:
    """The value as a plain whole number.

    Raises:
        InputError: it is none, or below ``least``.

    >>> check_whole("3", "seed", 0)
    Traceback (most recent call last):
    perl_env.errors.InputError: unusable value: seed: expected a whole number of at least 0, got '3'
    """
    if not is_whole(value) or int(value) < least:  # type: ignore[call-overload]
        raise InputError("unusable value", where=where,
                         expected=f"a whole number of at least {least}", got=repr(value))  # fmt: skip
    return int(value)  # type: ignore[call-overload]


def check_number(
    value: object, where: str, least: float | None = None, above: float | None = None
) -> None:
    """Check that the value is a finite number, at least ``least`` or above ``above`` where one is given.

    Raises:
        InputError: it is not.

    >>> check_number(0, "lr", above=0)
    Traceback (most recent call last):
    perl_env.errors.InputError: unusable value: lr: expected a finite number above 0, got 0
    """
    sound = is_number(value)
    sound = sound and (least is None or value >= least)  # type: ignore[operator]
    sound = sound and (above is None or value > above)  # type: ignore[operator]
    if not sound:
        limit = f" of at least {least}" if least is not None else ""
        limit = f" above {above}" if above is not None else limit
        raise InputError("unusable value", where=where,
                         expected=f"a finite number{limit}", got=repr(value))  # fmt: skip


def check_truth(value: object, where: str) -> None:
    """Check that the value is True or False: the text "no" would pass for True.

    Raises:
        InputError: it is neither.
    """
    if not isinstance(value, bool):
        raise InputError("unusable value", where=where, expected="True or False", got=repr(value))
