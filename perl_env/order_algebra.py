"""Orders as permutations: the identity, the inverse, one after another.

An order ``o`` puts the image of slot ``o[j]`` into slot ``j``.
"""

from __future__ import annotations

from functools import lru_cache

from perl_env.question import Order


@lru_cache(maxsize=256)
def identity(n: int) -> Order:
    """The order that moves nothing."""
    return tuple(range(n))


@lru_cache(maxsize=4096)
def inverse(order: Order) -> Order:
    """The order that undoes ``order``: ``inverse(order)[s]`` is where the image of slot s went.

    >>> inverse((2, 0, 1))
    (1, 2, 0)
    """
    result = [0] * len(order)
    for new, old in enumerate(order):
        result[old] = new
    return tuple(result)


def compose(first: Order, then: Order) -> Order:
    """The order that has the effect of ``first`` followed by ``then``."""
    return tuple([first[slot] for slot in then])
