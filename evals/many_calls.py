"""What an engine may offer beyond ``generate``: several calls at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from agents.engines.base import Prompt, Reply, SamplingParams


@runtime_checkable
class ManyCalls(Protocol):
    """An engine that has several workers, each of which answers whole calls."""

    def answer(
        self,
        calls: Sequence[Sequence[Prompt]],
        counts: Sequence[Sequence[int]],
        sampling: SamplingParams,
    ) -> Iterator[tuple[int, Sequence[Sequence[Reply]]]]:
        """The number of each call with its replies, as they come.

        Args:
            calls: prompts, call by call.
            counts: how many replies each prompt wants.
            sampling: how replies are drawn.
        """
