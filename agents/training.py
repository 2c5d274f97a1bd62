"""One training run from start to end, into one folder.

config.yaml        the configuration as it ran
progress.jsonl     one line a training step
tensorboard/       the same as scalars
checkpoint/        RLlib's, from which the run continues
model/             the result, a plain Hugging Face folder with processor
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.tune.trainable import trainable

from agents.export import export_model
from agents.grpo import GRPO
from agents.model_shape import read_model_shape
from agents.preflight import PreflightReport
from agents.run_budget import Budget, Workload, count_budget, device_bytes
from agents.run_config import Run
from agents.setting_checks import check_gpus
from perl_env.errors import InputError
from perl_env.questions import QuestionSource
from perl_env.registration import make_env

CHECKPOINT, MODEL, PROGRESS, TENSORBOARD, CONFIG = (
    "checkpoint", "model", "progress.jsonl", "tensorboard", "config.yaml",
)  # fmt: skip
logger = logging.getLogger(__name__)

_OBJECT_STORE_BYTES = 400 * 2**20

#: Called after each training step with its number and its metrics by slash-separated names.
OnStep = Callable[[int, Mapping[str, float]], None]


def train(run: Run, out: Path, on_step: OnStep | None = None, config_text: str = "") -> Path:
    """Train, or go on where a run in the same folder was stopped; returns the model's folder.

    Args:
        run: what to train and for how many steps.
        out: the run's folder; nothing is written elsewhere but Ray's own temporary files.
        on_step: called after each step.
        config_text: the configuration as YAML. A folder with a run of another one is refused.

    Raises:
        InputError: the folder holds something else.
    """
    out = out.absolute()
    check_budget(run)
    _claim(out, config_text)
    with started_ray(run), ray_results_in(out / "ray"):
        algorithm = _built(run, out / CHECKPOINT)
        try:
            with ProgressLog(out, algorithm.iteration) as log:
                while algorithm.iteration < run.settings.steps:
                    metrics = flat_metrics(algorithm.train())
                    log.write(algorithm.iteration, metrics)
                    if on_step:
                        on_step(algorithm.iteration, metrics)
                    every = run.settings.checkpoint_every
                    if every and algorithm.iteration % every == 0:
                        save_checkpoint(algorithm, out / CHECKPOINT)
            save_checkpoint(algorithm, out / CHECKPOINT)
            return export_model(algorithm, out / MODEL)
        finally:
            algorithm.stop()
            shutil.rmtree(out / "ray", ignore_errors=True)


def check_budget(run: Run) -> Budget:
    """What the run needs, checked against the memory of its devices where that is known.

    Raises:
        InputError: it cannot fit.
    """
    source = _check_environment(run)
    if (there := _count_gpus()) is not None:
        check_gpus(run.config, there)
    # Of tasks that are not ours nothing is known before they are asked.
    images, pixels = getattr(source, "max_images", 4), getattr(source, "max_pixels", 1024 * 1024)
    budget = count_budget(run.config, Workload(images, pixels))
    memory = device_bytes(run.settings.device_memory_gib)
    if memory is not None:
        budget.check(memory)
    return budget


def dry_run(run: Run) -> PreflightReport:
    """Build everything that a run needs, compare engine and learner, and train nothing.

    Raises:
        InputError: the run could not start, or engine and learner disagree (``PreflightError``).
    """
    check_budget(run)
    with tempfile.TemporaryDirectory() as scratch, ray_results_in(Path(scratch)), started_ray(run):
        algorithm: GRPO = run.config.build_algo()  # type: ignore[assignment]
        try:
            report = algorithm.preflight()
        finally:
            algorithm.stop()
    report.check()
    return report


def _count_gpus() -> float | None:
    """How many GPUs Ray has, or will have; None where it runs elsewhere and was not asked yet."""
    if ray.is_initialized():
        return ray.cluster_resources().get("GPU", 0)
    return None if os.environ.get("RAY_ADDRESS") else torch.cuda.device_count()


def _check_environment(run: Run) -> QuestionSource | None:
    """Find wrong names and arguments of our own tasks here, where they are told in one line."""
    if run.config.evaluation_interval:
        _questions_of(run.config.get_evaluation_config_object())
    return _questions_of(run.config)


def _questions_of(config: AlgorithmConfig) -> QuestionSource | None:
    env, settings = config.env, dict(config.env_config)
    if env is None:
        raise InputError("nothing to train on", where="environment, env",
                         expected="a task's name, a folder or a mixture", got="none")  # fmt: skip
    if isinstance(env, str) and env.removeprefix("perl_env:").startswith("perl/"):
        source = make_env(env.removeprefix("perl_env:"), **settings).source
        for how in ("excluded", "malformed"):
            if counts := getattr(source, f"{how}_counts", None):
                logger.warning("%s: %s rows left out, by reason: %s", env, how, dict(counts))
        if not isinstance(source, QuestionSource):
            raise InputError("questions of unknown number", where="environment.env_config.streaming",
                             expected="questions by index", got="a stream")  # fmt: skip
        return source
    return None


def _claim(out: Path, config_text: str) -> None:
    """Make the folder ours, or find that it is already."""
    ours = out / CONFIG
    if out.exists() and not out.is_dir():
        raise InputError("output is no folder", where="--out", expected="a folder", got=out)
    if ours.exists():
        if ours.read_text(encoding="utf-8") != config_text:
            raise InputError("folder holds a run of another configuration", where=str(out),
                             expected=f"the configuration in {ours}, or a new folder", got="another one")  # fmt: skip
    elif out.exists() and any(out.iterdir()):
        raise InputError("folder is not empty", where=str(out), expected="a new or empty folder, or a run's",
                         got=f"{sum(1 for _ in out.iterdir())} other files")  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    ours.write_text(config_text, encoding="utf-8")


def _built(run: Run, checkpoint: Path) -> GRPO:
    """The algorithm, from its checkpoint where there is one."""
    recover_checkpoint(checkpoint)
    if checkpoint.exists():
        return GRPO.from_checkpoint(str(checkpoint))  # type: ignore[return-value]
    return run.config.build_algo()  # type: ignore[return-value]


def recover_checkpoint(path: Path) -> None:
    """Put the last checkpoint back where a run was killed while it was exchanging it."""
    old = path.with_suffix(".old")
    if not path.exists() and old.exists():
        old.rename(path)


def save_checkpoint(algorithm: GRPO, path: Path) -> None:
    """Write a checkpoint; the one before it is dropped only when the new one is complete."""
    fresh, old = path.with_suffix(".new"), path.with_suffix(".old")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    algorithm.save_to_path(str(fresh))
    if path.exists():
        path.rename(old)
    fresh.rename(path)
    shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def started_ray(run: Run) -> Iterator[None]:
    """Ray for as long as it is needed, with room for every process that the run asks for.

    With too few logical CPUs RLlib would wait for ever. A Ray that runs already is used and left.
    """
    if ray.is_initialized():
        yield
        return
    config = run.config
    runners = (config.num_env_runners, config.evaluation_num_env_runners, config.num_learners)
    wanted = 1 + sum(number or 0 for number in runners)
    local = not os.environ.get("RAY_ADDRESS")
    settings: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if local:
        settings |= {
            "num_cpus": max(os.cpu_count() or 1, wanted),
            "include_dashboard": False,
            "object_store_memory": _object_store_bytes(run),
        }
    ray.init(**settings)
    try:
        yield
    finally:
        ray.shutdown()


def _object_store_bytes(run: Run) -> int:
    """Room for rollouts, and for the weights on their way to the runners, old and new ones for a moment."""
    if run.config.lora is not None:
        return _OBJECT_STORE_BYTES
    return _OBJECT_STORE_BYTES + 2 * 4 * read_model_shape(run.config.model_path).total_parameters


@contextlib.contextmanager
def ray_results_in(folder: Path) -> Iterator[None]:
    """RLlib makes a folder for each algorithm; here instead of in the user's home."""
    before = trainable.DEFAULT_STORAGE_PATH
    trainable.DEFAULT_STORAGE_PATH = str(folder)
    try:
        yield
    finally:
        trainable.DEFAULT_STORAGE_PATH = before


class ProgressLog:
    """Writes each step's metrics as a JSON line and for TensorBoard.

    Args:
        out: the run's folder.
        done: steps that are done; later lines of an interrupted run are dropped.
    """

    def __init__(self, out: Path, done: int):
        from tensorboardX import SummaryWriter

        path = out / PROGRESS
        kept = []
        if path.exists():
            kept = [
                line
                for line in path.read_text(encoding="utf-8").splitlines()
                if _step_of(line) <= done
            ]
        path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        self._file = path.open("a", encoding="utf-8")
        self._writer = SummaryWriter(str(out / TENSORBOARD), purge_step=done + 1)

    def __enter__(self) -> ProgressLog:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._writer.close()

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Append one step."""
        self._file.write(json.dumps({"step": step, **metrics}) + "\n")
        self._file.flush()
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)


def _step_of(line: str) -> float:
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return float("inf")  # cut off while it was written


def flat_metrics(result: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The finite numbers of a nested result, by slash-separated names; configuration is left out.

    >>> flat_metrics({"learners": {"loss": 0.5, "name": "x"}, "config": {"lr": 1}})
    {'learners/loss': 0.5}
    """
    flat: dict[str, float] = {}
    for key, value in result.items():
        if key in ("config", "trial_id", "pid"):
            continue
        if isinstance(value, Mapping):
            flat |= flat_metrics(value, f"{prefix}{key}/")
        elif isinstance(value, (int, float, np.number)) and np.isfinite(value):
            flat[f"{prefix}{key}"] = float(value)
    return flat
