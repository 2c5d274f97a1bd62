"""Errors that are the user's to mend: one line that says what, where, expected and got."""

from __future__ import annotations

import difflib
from collections.abc import Collection


class InputError(ValueError):
    """Input that cannot be used as it is.

    Args:
        what: what is wrong, in a few words ("gold answer is no option").
        where: file, line, field or argument in which it was found.
        expected: what would have been right.
        got: what was there instead.

    >>> print(InputError("order is no permutation", where="options['order']",
    ...                  expected="a permutation of 0..2", got=(0, 0, 1)))
    order is no permutation: options['order']: expected a permutation of 0..2, got (0, 0, 1)
    """

    def __init__(self, what: str, *, where: str = "", expected: object = "", got: object = ""):
        self.what, self.where, self.expected, self.got = what, where, expected, got
        super().__init__(what, where, expected, got)

    def __str__(self) -> str:
        line = self.what
        if self.where:
            line += f": {self.where}"
        if self.expected != "" or self.got != "":
            line += f": expected {self.expected}, got {shorten(self.got)}"
        return line

    def __reduce__(self):
        return _rebuild, (type(self), self.what, self.where, self.expected, self.got)


def _rebuild(cls: type[InputError], what: str, where: str, expected: object, got: object):
    return cls(what, where=where, expected=expected, got=got)


class UnsoundRewriteError(InputError):
    """A text mentions images in a way that cannot be rewritten without risking its meaning."""


class IllegalOrderError(InputError):
    """An order moves an image that the question's order class does not allow to move."""


def nearest(name: str, known: Collection[str]) -> str:
    """What to expect instead of an unknown name: the nearest known one if it is near, else all of them.

    >>> nearest("lerning_rate", ["learning_rate", "seed"]), nearest("x", ["learning_rate", "seed"])
    ("'learning_rate' (the nearest)", 'one of learning_rate, seed')
    """
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"{close[0]!r} (the nearest)" if close else f"one of {_listed(list(known))}"


def _listed(names: list[str], limit: int = 300) -> str:
    """The names in at most about ``limit`` characters, the rest of them counted."""
    shown, length = 0, 0
    while shown < len(names) and (length := length + len(names[shown]) + 2) <= limit:
        shown += 1
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more else "")


def shorten(value: object, limit: int = 120) -> str:
    """``value`` as one line of at most ``limit`` characters, for an error message."""
    text = " ".join(str(value).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
