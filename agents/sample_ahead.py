"""Samples that are drawn while the learners work on earlier ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
S = TypeVar("S")


@dataclass(frozen=True)
class Pending(Generic[T, S]):
    """A sample on its way.

    Attributes:
        before: the state from which it can be drawn again; known once it is begun.
        sample: the sample itself.
    """

    before: Future[S]
    sample: Future[T]


class SampleAhead(Generic[T, S]):
    """Draws samples one after the other in a thread, at most ``ahead`` of them before they are asked for.

    Args:
        draw: draws the next sample.
        state: what ``draw`` starts from, told before each one.
        ahead: how many samples may wait; 0 draws each when it is asked for, in the caller's thread.

    >>> numbers = iter(range(9))
    >>> ahead = SampleAhead(lambda: next(numbers), lambda: None, ahead=0)
    >>> ahead.take(), ahead.take()
    (0, 1)
    """

    def __init__(self, draw: Callable[[], T], state: Callable[[], S], ahead: int):
        self._draw, self._state, self._ahead = draw, state, ahead
        self._pending: deque[Pending[T, S]] = deque()
        self._thread = ThreadPoolExecutor(1, "sample-ahead") if ahead else None

    def take(self) -> T:
        """The oldest sample; those that may be drawn ahead are begun."""
        if self._thread is None:
            return self._draw()
        self._fill(max(1, self._ahead))
        sample = self._pending[0].sample.result()
        self._pending.popleft()
        self._fill(self._ahead)
        return sample

    def _fill(self, count: int) -> None:
        while len(self._pending) < count:
            before: Future[S] = Future()
            assert self._thread is not None
            self._pending.append(Pending(before, self._thread.submit(self._begin, before)))

    def _begin(self, before: Future[S]) -> T:
        before.set_result(self._state())
        return self._draw()

    def state(self) -> S:
        """What the next sample that is taken starts from: all that wait would be drawn again."""
        return self._pending[0].before.result() if self._pending else self._state()

    def drop(self) -> None:
        """Wait for what is being drawn and forget all that waits."""
        for pending in self._pending:
            pending.sample.cancel()
        for pending in self._pending:
            if not pending.sample.cancelled():
                pending.sample.exception()
        self._pending.clear()

    def close(self) -> None:
        """Drop everything and end the thread."""
        self.drop()
        if self._thread is not None:
            self._thread.shutdown()
