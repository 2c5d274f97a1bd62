"""Requests that an endpoint refused for what they hold: recorded as such, unless it refuses them all.

One question with too many pictures must not end an evaluation. A wrong model name must, before a single
refusal is recorded, since what is recorded is not asked again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

from agents.engines.base import REFUSED
from evals.plan import Request
from evals.table import Row, order_text
from perl_env.errors import InputError

#: Where so many requests are refused before one is answered, the mistake is not in the requests.
FIRST = 8


def is_refused(row: Mapping[str, Any]) -> bool:
    """Whether a row is of a request that the endpoint refused."""
    return row.get("finish_reason") == REFUSED


def checked(
    chunks: Generator[list[Row]], requests: Sequence[Request], works: bool
) -> Iterator[list[Row]]:
    """The rows as they come; refusals before the first answer are held back until there is one.

    Args:
        chunks: rows, a few at a time.
        requests: what is asked.
        works: whether the endpoint has answered before, so that nothing has to be held back.

    Raises:
        InputError: the first ``FIRST`` requests were refused, or all where there are fewer, and nothing
            was answered.
    """
    first = {(request.key, order_text(request.question.order)) for request in requests[:FIRST]}
    held: list[Row] = []
    with contextlib.closing(chunks):  # what is under way ends before the error is told
        for rows in chunks:
            works = works or not all(map(is_refused, rows))
            held += rows
            if works:
                yield held
                held = []
            elif first <= {(row["question"], row["order"]) for row in held}:
                break
    if held:
        raise InputError("endpoint refuses every request", where=f"the first {len(first)}",
                         expected="an answer to at least one of them", got=held[0]["reply"])  # fmt: skip
