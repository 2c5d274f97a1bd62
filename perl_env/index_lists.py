"""Answers that are lists of image numbers or of ranks, and what an order does to them.

The two kinds look alike and cannot be told apart by their looks:

* a *rank* list has one entry per slot, the rank of the picture that stands there
  ("[3, 1, 2]": image 1 is the third, image 2 the first …). Another order permutes the positions.
* a *sequence* list names the images one after the other ("3 → 1 → 2": first image 3, then 1 …).
  Another order relabels the values.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from perl_env.errors import UnsoundRewriteError
from perl_env.question import Order

ListKind = Literal["rank", "sequence"]

_NUMBER = re.compile(r"\d+")
#: Between two numbers of a list. A fraction ("1/2") and a product are none.
_SEPARATOR = r"[,;，；、]\s*and\b|[,;，；、]|[-‐–—−]{0,2}>|=>|[-‐–—−]|[→⇒➔➡]|<|and\b|then\b|\s"
_ONLY_A_LIST = re.compile(
    rf"\s*[\[({{<]?\s*\d+(?:\s*(?:{_SEPARATOR})\s*\d+)*\s*[\])}}>]?\s*[.。]?\s*"
)


@lru_cache(maxsize=4096)
def parse_index_list(text: str) -> tuple[int, ...] | None:
    """The numbers of a list such as ``[3, 1, 2]``, ``3-1-2`` or ``3→1→2``; ``None`` if it is none.

    >>> parse_index_list("(3, 1, 2)"), parse_index_list("image 3")
    ((3, 1, 2), None)
    """
    if len(text) > 400 or not _ONLY_A_LIST.fullmatch(text):
        return None
    return tuple([int(number) for number in _NUMBER.findall(text)])


def permute_index_list(
    values: tuple[int, ...], order: Order, kind: ListKind, base: int = 1
) -> tuple[int, ...]:
    """The list that says of the permuted images what ``values`` says of the images before.

    Raises:
        UnsoundRewriteError: a rank list of another length than the order, or a value that is no
            image number.

    >>> permute_index_list((3, 1, 2), (2, 0, 1), "rank")
    (2, 3, 1)
    >>> permute_index_list((3, 1, 2), (2, 0, 1), "sequence")
    (1, 2, 3)
    """
    if kind == "rank":
        if len(values) != len(order):
            raise UnsoundRewriteError("rank list of the wrong length", where=str(values),
                                      expected=f"{len(order)} ranks", got=len(values))  # fmt: skip
        return tuple([values[slot] for slot in order])
    if min(values) < base or max(values) >= base + len(order):
        raise UnsoundRewriteError("sequence list names no image", where=str(values),
                                  expected=f"{base}..{base + len(order) - 1}", got=values)  # fmt: skip
    return tuple([order.index(value - base) + base for value in values])


def rewrite_index_list(text: str, order: Order, kind: ListKind, base: int = 1) -> str:
    """``text``, an index list, for the permuted images; brackets and separators are kept.

    >>> rewrite_index_list("3→1→2", (2, 0, 1), "sequence")
    '1→2→3'
    """
    values = parse_index_list(text)
    if values is None:
        raise UnsoundRewriteError("not an index list", expected="such as 3-1-2", got=repr(text))
    *before, after = _around_numbers(text)
    rewritten = permute_index_list(values, order, kind, base)
    return (
        "".join([f"{piece}{value}" for piece, value in zip(before, rewritten, strict=True)]) + after
    )


@lru_cache(maxsize=4096)
def _around_numbers(text: str) -> tuple[str, ...]:
    """What stands before, between and after the numbers of a list."""
    return tuple(_NUMBER.split(text))
