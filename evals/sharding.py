"""An evaluation over a Ray cluster: several copies of one engine, each answering whole calls.

The rows are those of an evaluation alone: the calls are the same, every prompt has its own random stream,
and the table is sorted by what was asked, not by when it was answered.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import ray
from ray.exceptions import RayActorError

from agents.engines.base import Engine, Prompt, Reply, SamplingParams, reply_counts

logger = logging.getLogger(__name__)

_OBJECT_STORE_BYTES = 512 * 2**20

#: An actor with one call in its hands has the next one waiting.
_CALLS_PER_ACTOR = 2
#: So many deaths of actors without a single answer between them are no accident.
_MAX_DEATHS_IN_A_ROW = 5


class _Shard:
    """One copy of the engine, in a process of its own."""

    def __init__(self, model: str, kind: str, settings: Mapping[str, Any]):
        from agents.engines import make_engine

        self.engine: Engine = make_engine(model, kind=kind, **settings)

    def generate(
        self, prompts: Sequence[Prompt], counts: Sequence[int], sampling: SamplingParams
    ) -> list[list[Reply]]:
        return self.engine.generate(prompts, counts, sampling)


class RayShards:
    """An engine whose calls are shared by several actors.

    A call whose actor dies is given to another; what was answered stays answered. An exception that the
    engine itself raises is not tried again: it is raised here.

    Args:
        model: a model folder that every machine of the cluster can read.
        shards: how many actors.
        kind: of engine, as for ``agents.make_engine``.
        settings: the engine's own.
        gpus_per_shard: what each actor asks the cluster for; by default one where it has any.
        cpus_per_shard: the same, one by default.

    Ray has to run: ``ray.init`` before, on one machine or into a cluster. Close it after use, or use it as
    a context manager: its actors end.
    """

    def __init__(
        self,
        model: str,
        shards: int,
        kind: str = "transformers",
        settings: Mapping[str, Any] | None = None,
        gpus_per_shard: float | None = None,
        cpus_per_shard: float = 1,
    ):
        self.name = kind
        if gpus_per_shard is None:
            gpus_per_shard = 1 if ray.cluster_resources().get("GPU") else 0
        actor = ray.remote(num_cpus=cpus_per_shard, num_gpus=gpus_per_shard)(_Shard)
        self._make = lambda: actor.remote(model, kind, dict(settings or {}))
        self.actors: list[Any] = [self._make() for _ in range(shards)]

    def __enter__(self) -> RayShards:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def generate(
        self,
        prompts: Sequence[Prompt],
        replies_per_prompt: int | Sequence[int] = 1,
        sampling: SamplingParams = SamplingParams(),  # noqa: B008 - frozen
    ) -> list[list[Reply]]:
        """One call, by one actor."""
        counts = reply_counts(replies_per_prompt, len(prompts))
        ((_, replies),) = self.answer([prompts], [counts], sampling)
        return replies

    def answer(
        self,
        calls: Sequence[Sequence[Prompt]],
        counts: Sequence[Sequence[int]],
        sampling: SamplingParams,
    ) -> Iterator[tuple[int, list[list[Reply]]]]:
        """The number of each call with its replies, as they come.

        Raises:
            RuntimeError: actors keep dying.
        """
        waiting = iter(range(len(calls)))
        lost: list[int] = []
        busy: dict[Any, tuple[int, int]] = {}
        deaths = 0

        def give(place: int) -> None:
            number = lost.pop() if lost else next(waiting, None)
            if number is not None:
                call = self.actors[place].generate.remote(calls[number], counts[number], sampling)
                busy[call] = (place, number)

        for place in itertools.islice(
            itertools.cycle(range(len(self.actors))), _CALLS_PER_ACTOR * len(self.actors)
        ):
            give(place)
        while busy:
            (done,), _ = ray.wait(list(busy), num_returns=1)
            place, number = busy.pop(done)
            try:
                replies = ray.get(done)
            except RayActorError as error:
                deaths += 1
                if deaths > _MAX_DEATHS_IN_A_ROW:
                    raise RuntimeError(f"workers keep dying: {error}") from error
                logger.warning("a worker died; its call is asked again: %s", error)
                held = [call for call, (where, _) in busy.items() if where == place]
                lost += [number, *(busy.pop(call)[1] for call in held)]
                self.actors[place] = self._make()
                for _ in range(1 + len(held)):
                    give(place)
                continue
            deaths = 0
            give(place)
            yield number, replies

    def set_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Not offered: each actor reads the model folder.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("sharded evaluation reads its weights from the model folder")

    def close(self) -> None:
        """End the actors."""
        for actor in self.actors:
            ray.kill(actor)
        self.actors = []


@contextlib.contextmanager
def started_ray(shards: int) -> Iterator[None]:
    """Ray for as long as it is needed: the cluster that RAY_ADDRESS names, else this machine.

    A Ray that runs already in this process is used and left.
    """
    if ray.is_initialized():
        yield
        return
    settings: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if not os.environ.get("RAY_ADDRESS"):
        settings |= {
            "num_cpus": max(os.cpu_count() or 1, shards),
            "include_dashboard": False,
            "object_store_memory": _OBJECT_STORE_BYTES,
        }
    ray.init(**settings)
    try:
        yield
    finally:
        ray.shutdown()
