"""An event loop in a thread of its own, so that asynchronous work serves callers that are not."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


class BackgroundLoop:
    """An event loop that lives as long as its owner wants; works in notebooks, too.

    The thread ends with ``close``, and does not keep the process alive.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="http")
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def iterate(
        self, work: Callable[[Callable[[T], None]], Coroutine[Any, Any, None]]
    ) -> Iterator[T]:
        """What ``work(emit)`` emits, as it comes; then its exception, if there is one.

        Whoever leaves the iterator early cancels the work, and goes on when it has ended.
        """
        found: queue.SimpleQueue = queue.SimpleQueue()
        end = object()

        async def to_the_end() -> None:
            try:
                await work(found.put)
            finally:
                found.put(end)

        running = asyncio.run_coroutine_threadsafe(to_the_end(), self._loop)
        try:
            while (item := found.get()) is not end:
                yield item
            running.result()
        finally:
            if not running.done():
                running.cancel()
                while found.get() is not end:
                    pass

    def close(self) -> None:
        """End the thread."""
        if not self._loop.is_closed():
            self.call(self._finish())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _finish(self) -> None:
        """Let connections that were closed just now end, and the loop's own threads."""
        await asyncio.sleep(0)
        await self._loop.shutdown_default_executor()
