"""Bare ``<image>`` placeholders, numbered so that they can be permuted."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from perl_env.errors import InputError
from perl_env.question import BARE_PLACEHOLDER

_NUMBERED = re.compile(r"<image[_ -]?(\d{1,6})>", re.IGNORECASE)


def number_placeholders(texts: Sequence[str], n_images: int, where: str = "") -> tuple[str, ...]:
    """The texts with their bare ``<image>`` numbered ``<image_1>``, ``<image_2>``, … in order.

    Texts without bare placeholders come back as they are.

    Args:
        texts: the parts of one question in reading order: its text, then its options.
        n_images: how many pictures the question has.
        where: names the question in an error message.

    Raises:
        InputError: there are bare placeholders, but not one for each picture; or a numbered one
            names a picture that the question does not have.

    >>> number_placeholders(["Is <image> brighter than <image>?"], 2)
    ('Is <image_1> brighter than <image_2>?',)
    """
    bare = sum(text.count(BARE_PLACEHOLDER) for text in texts)
    if bare not in (0, n_images):
        raise InputError("placeholder count differs from the number of pictures", where=where,
                         expected=f"{n_images} {BARE_PLACEHOLDER}", got=bare)  # fmt: skip
    for text in texts:
        for match in _NUMBERED.finditer(text):
            if not 1 <= int(match.group(1)) <= n_images:
                raise InputError("placeholder names no picture", where=where,
                                 expected=f"<image_1> to <image_{n_images}>", got=match.group())  # fmt: skip
    numbers = itertools.count(1)
    return tuple(
        re.sub(BARE_PLACEHOLDER, lambda _: f"<image_{next(numbers)}>", text) for text in texts
    )
