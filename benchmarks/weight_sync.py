"""Host memory and time of sending weights from a learner to two runners on one machine.

The plain way copies the learner's state dict and puts it as one object; ours puts it in buckets. Counted is
what is held at the peak beyond the three models: memory of all processes' own and Ray's shared memory.

    python -m benchmarks.weight_sync
"""

from __future__ import annotations

import json
import os
import threading
import time

import psutil
import ray
import torch
from rich.console import Console
from rich.table import Table

from agents.weight_buckets import put_weights
from agents.weights import load_tensors, tensor_to_array
from benchmarks.results import FOLDER, machine

GIGABYTE = 10**9
TENSORS = 50
RUNNERS = 2
REPEATS = 5


def _model(fill: float) -> dict[str, torch.Tensor]:
    return {
        f"layer {i}": torch.full((GIGABYTE // TENSORS // 4,), fill) for i in range(TENSORS)
    }  # fmt: skip


@ray.remote
class Learner:
    """Holds the weights that are sent."""

    def __init__(self):
        self.model = _model(1.0)

    def plain(self):
        """All weights copied, then put as one object."""
        return [ray.put({name: tensor_to_array(t) for name, t in self.model.items()})]

    def buckets(self):
        """Put in buckets."""
        return [put_weights(self.model.items())]


@ray.remote
class Runner:
    """Takes the weights into its own model."""

    def __init__(self):
        self.model = _model(0.0)

    def take(self, sent):
        """Copy the weights into the model in place."""
        (weights,) = sent
        load_tensors(
            self.model, ray.get(weights) if isinstance(weights, ray.ObjectRef) else weights
        )
        return float(self.model["layer 0"][0])


class Peak(threading.Thread):
    """Watches the memory that this process, its children and Ray's object store hold."""

    def __init__(self):
        super().__init__(daemon=True)
        self.most, self._done = 0, threading.Event()

    def run(self) -> None:
        """Look every few milliseconds."""
        while not self._done.is_set():
            self.most = max(self.most, held())
            time.sleep(0.005)

    def stop(self) -> int:
        """The peak in bytes."""
        self._done.set()
        self.join()
        return self.most


def held() -> int:
    """Bytes of this process' and its children's own, and what lies in shared memory.

    Pages of shared memory that only one process has touched yet are private to the kernel, hence not counted as
    a process' own.
    """
    own = 0
    for process in _processes():
        try:
            memory = process.memory_info()
        except psutil.Error:
            continue
        own += memory.rss - memory.shared
    shared = os.statvfs("/dev/shm")
    return own + (shared.f_blocks - shared.f_bfree) * shared.f_frsize


def _processes() -> list[psutil.Process]:
    names = ("ray::", "raylet", "plasma")
    own = psutil.Process()
    found = [own, *own.children(recursive=True)]
    return [p for p in found if p.pid == own.pid or any(n in " ".join(p.cmdline()) for n in names)]


def _measure(way: str, learner, runners, before: int) -> tuple[float, float]:
    """Copies held at the peak beyond what was held before anything was sent, and seconds."""
    watch = Peak()
    watch.start()
    started = time.perf_counter()
    sent = ray.get(getattr(learner, way).remote())
    assert ray.get([runner.take.remote(sent) for runner in runners]) == [1.0] * RUNNERS
    seconds = time.perf_counter() - started
    copies = (watch.stop() - before) / GIGABYTE
    del sent
    time.sleep(1.0)  # until the object store has let go
    return copies, seconds


def _settled(learner, runners) -> int:
    """What is held once all models are there. Later the object store keeps the pages that it has used."""
    ray.get([actor.__ray_ready__.remote() for actor in (learner, *runners)])
    time.sleep(2.0)
    return held()


def measure_way(way: str) -> list[tuple[float, float]]:
    """Several syncs in one Ray session of its own, as in a run; the first is counted too."""
    ray.init(num_cpus=RUNNERS + 1, object_store_memory=4 * GIGABYTE, include_dashboard=False)
    learner, runners = Learner.remote(), [Runner.remote() for _ in range(RUNNERS)]
    before = _settled(learner, runners)
    found = [_measure(way, learner, runners, before) for _ in range(REPEATS)]
    ray.shutdown()
    return found


def main() -> None:
    """Measure both ways, one after the other."""
    measured = {way: measure_way(way) for way in ("plain", "buckets")}
    figures = {}
    table = Table("way", "copies in host memory", "seconds", title="1 GB to two runners")
    for way, found in measured.items():
        copies, seconds = (sorted(values) for values in zip(*found, strict=True))
        figures[way] = {
            "copies": {"median": copies[REPEATS // 2], "min": copies[0], "max": copies[-1]},
            "seconds": {"median": seconds[REPEATS // 2], "min": seconds[0], "max": seconds[-1]},
        }
        table.add_row(
            way, *(f"{figures[way][k]['median']:.2f} ({figures[way][k]['min']:.2f} … "
                   f"{figures[way][k]['max']:.2f})" for k in ("copies", "seconds"))
        )  # fmt: skip
    Console().print(table)
    content = {
        "machine": machine(),
        "command": "python -m benchmarks.weight_sync",
        "figures": figures,
    }
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "weight_sync.json").write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
