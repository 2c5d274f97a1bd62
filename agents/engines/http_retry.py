"""When a request over HTTP is sent again, and how long is waited before."""

from __future__ import annotations

import asyncio
import email.utils
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import numpy as np

from perl_env.errors import InputError

#: A server that wants a longer pause than this is not waited for (seconds).
LONGEST_RETRY_AFTER = 600.0


class TransientError(RuntimeError):
    """A request failed in a way that another attempt may mend.

    Attributes:
        retry_after: how many seconds the server asks to wait; ``None`` where it does not say.
    """

    def __init__(self, message: str, retry_after: float | None = None):
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True)
class Clock:
    """Time in seconds, and how it passes; tests have one that does not take long.

    Attributes:
        now: seconds since some moment.
        sleep: waits for so many seconds.
        wall: seconds since 1970, for dates that a server names.
    """

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    wall: Callable[[], float] = time.time


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential back-off with jitter.

    Attributes:
        max_retries: how often a request is sent again after its first attempt.
        first_delay: the mean pause before the first repetition, in seconds; it doubles each time.
        longest_delay: no pause is longer, but one that the server asks for.
    """

    max_retries: int = 6
    first_delay: float = 0.5
    longest_delay: float = 60.0

    def __post_init__(self) -> None:
        if self.max_retries < 0:
            raise InputError("too few retries", where="max_retries", expected="at least 0",
                             got=self.max_retries)  # fmt: skip

    def delay(self, retries: int, retry_after: float | None, rng: np.random.Generator) -> float:
        """The pause after as many repetitions, in seconds.

        Half of it is drawn, so that requests that failed together do not come back together. A pause
        that the server asks for is kept, and at most a tenth longer.

        >>> policy, rng = RetryPolicy(first_delay=1.0), np.random.default_rng(0)
        >>> [round(policy.delay(n, None, rng), 1) for n in range(4)], policy.delay(0, 20.0, rng) >= 20
        ([1.1, 1.5, 2.2, 4.1], True)
        """
        if retry_after is not None:
            return retry_after * (1 + 0.1 * rng.random())
        return min(self.first_delay * 2.0**retries, self.longest_delay) * (0.5 + rng.random())


class Pace:
    """Keeps requests apart: so many a minute, and none while the server asks for a pause.

    Args:
        requests_per_minute: at most as many are begun; ``None`` for no limit of ours.
        clock: what tells and passes the time.
    """

    def __init__(self, requests_per_minute: float | None, clock: Clock):
        if requests_per_minute is not None and not requests_per_minute > 0:
            raise InputError("no requests allowed", where="requests_per_minute",
                             expected="more than 0", got=requests_per_minute)  # fmt: skip
        self._gap = 60.0 / requests_per_minute if requests_per_minute else 0.0
        self._clock = clock
        self._next = -float("inf")
        self._paused_until = -float("inf")

    def pause(self, seconds: float) -> None:
        """Begin no request for so long."""
        self._paused_until = max(self._paused_until, self._clock.now() + seconds)

    async def turn(self, stop: asyncio.Event) -> None:
        """Wait until the next request may begin, or until ``stop`` is set."""
        while (wait := max(self._next, self._paused_until) - self._clock.now()) > 0:
            if stop.is_set():
                return
            await pause(wait, self._clock, stop)
        self._next = self._clock.now() + self._gap


async def pause(seconds: float, clock: Clock, stop: asyncio.Event) -> None:
    """Wait for so long, or until ``stop`` is set."""
    waits = {asyncio.ensure_future(clock.sleep(seconds)), asyncio.ensure_future(stop.wait())}
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


def retry_after_seconds(headers: Mapping[str, str], clock: Clock) -> float | None:
    """The pause that a response asks for: a number of seconds, or until a date.

    >>> retry_after_seconds({"retry-after": "3"}, Clock()), retry_after_seconds({}, Clock())
    (3.0, None)
    """
    text = headers.get("retry-after")
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - clock.wall()
        except ValueError:
            return None
    return max(0.0, seconds) if np.isfinite(seconds) else None
