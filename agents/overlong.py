"""DAPO's soft punishment of overlong replies (arXiv 2503.14476, equation 13)."""

from __future__ import annotations


def overlong_penalty(length: int, max_new_tokens: int, buffer: int) -> float:
    """What is added to the reward of a reply.

    Nothing up to ``max_new_tokens - buffer`` tokens; from there it falls evenly to -1 at
    ``max_new_tokens``, where a reply is cut.

    Args:
        length: of the reply, in tokens.
        max_new_tokens: where a reply is cut.
        buffer: how long before that the punishment begins; 0 for none at all.

    >>> [overlong_penalty(length, 100, 20) for length in (50, 80, 85, 100)]
    [0.0, 0.0, -0.25, -1.0]
    """
    if not buffer:
        return 0.0
    free = max_new_tokens - buffer
    return max(min(free - length, 0) / buffer, -1.0)
