"""From a YAML file to a configured run: sections are ``GRPOConfig``'s methods, keys their arguments.

run: {steps: 100, seed: 0}
environment: {env: "perl_env:perl/Shapes-v0", env_config: {split: train}}  # or a folder, or "task: 22, task: 36"
pretrained: {path: models/Qwen2.5-VL-7B-Instruct}
training: {lr: 1.0e-6, orders_per_question: 2}
env_runners: {num_env_runners: 4, max_new_tokens: 2048}
learners: {num_learners: 8, num_gpus_per_learner: 1}
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from agents.grpo_config import GRPOConfig, check_keys, settings_of
from agents.setting_checks import registered
from perl_env.argument_checks import check_number, check_whole
from perl_env.errors import InputError
from perl_env.registration import TASKS
from perl_env.tasks.mixture import parse_mixture

#: Methods of ``GRPOConfig`` that may be sections, in the order in which they are called.
SECTIONS = (
    "environment", "pretrained", "training", "env_runners", "learners", "evaluation", "resources",
    "fault_tolerance", "reporting",
)  # fmt: skip


@dataclass(frozen=True)
class RunSettings:
    """What a run needs beside the algorithm's configuration.

    Attributes:
        steps: training steps; also the length of a linear order schedule that names none.
        seed: of questions, orders and replies.
        checkpoint_every: steps between checkpoints; 0 writes one at the end only.
        device_memory_gib: of each GPU, against which the run's needs are checked; this machine's own
            GPU is asked where it is left out.
    """

    steps: int = 100
    seed: int = 0
    checkpoint_every: int = 0
    device_memory_gib: float | None = None

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("seed", 0), ("checkpoint_every", 0)):
            check_whole(getattr(self, name), f"run.{name}", least)
        if self.device_memory_gib is not None:
            check_number(self.device_memory_gib, "run.device_memory_gib", above=0)


@dataclass(frozen=True)
class Run:
    """A run that could start.

    Attributes:
        settings: of the run.
        config: of the algorithm, validated.
    """

    settings: RunSettings
    config: GRPOConfig


def load_run(path: str | Path, overrides: Iterable[str] = ()) -> Run:
    """The run that a YAML file describes, with ``section.key=value`` overrides.

    Raises:
        InputError: no such file, no YAML, or a setting that is unknown or cannot work.
    """
    return config_from_dict(read_settings(path, overrides))


def read_settings(path: str | Path, overrides: Iterable[str] = ()) -> dict[str, Any]:
    """The settings in a YAML file, with ``section.key=value`` overrides.

    Raises:
        InputError: no such file, or no YAML.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            "no such configuration", where=str(path), expected="a YAML file", got="nothing there"
        )
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(
            "not readable as YAML", where=str(path), expected="sections with keys", got=error
        ) from error
    return apply_overrides(settings or {}, overrides)


def config_from_dict(settings: Mapping[str, Any]) -> Run:
    """The run that nested settings describe.

    Raises:
        InputError: an unknown section or key (the nearest known one is told) or an unusable value.

    >>> config_from_dict({"trainning": {}})
    Traceback (most recent call last):
    perl_env.errors.InputError: unknown setting: configuration: expected 'training' (the nearest), got 'trainning'
    """
    if not isinstance(settings, Mapping):
        raise InputError(
            "no configuration", expected="sections with keys", got=type(settings).__name__
        )
    known = ("run", *SECTIONS)
    check_keys("configuration", settings, known, known)
    for section, keys in settings.items():
        _check_section(section, keys)
    run = RunSettings(**(settings.get("run") or {}))
    config = GRPOConfig().debugging(seed=run.seed)
    for section in SECTIONS:
        if keys := settings.get(section):
            if section == "environment":
                keys = _with_task(keys)
            if section == "evaluation":
                keys = _checked_evaluation(keys)
            if section in ("training", "env_runners"):
                keys = {name: as_number(value) for name, value in keys.items()}
            try:
                getattr(config, section)(**keys)
            except (TypeError, ValueError) as error:
                if isinstance(error, InputError):
                    raise
                raise InputError(
                    "unusable section", where=section, expected="its settings", got=error
                ) from error
    if config.order_schedule == "linear" and config.total_steps is None:
        config.training(total_steps=run.steps)
    try:
        config.validate()
        config.get_evaluation_config_object()  # would else be told when all is loaded
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            "configuration cannot work", expected="consistent settings", got=error
        ) from error
    return Run(run, config)


def _with_task(keys: Mapping[str, Any]) -> dict[str, Any]:
    """The environment's settings; a folder, or "task: weight, task: weight", is the task that loads it."""
    keys = dict(keys)
    env, given = keys.get("env"), keys.get("env_config")
    if given is None:
        keys.pop("env_config", None)
    elif not isinstance(given, Mapping):
        return keys  # refused where it is set
    if not isinstance(env, str) or env.removeprefix("perl_env:") in TASKS or registered(env):
        return keys
    if Path(env).is_dir():
        keys["env"] = "perl_env:perl/Folder-v0"
        keys["env_config"] = {"path": str(Path(env).absolute())} | dict(given or {})
    elif (weights := parse_mixture(env)) is not None:
        keys["env"] = "perl_env:perl/Mixture-v0"
        keys["env_config"] = {"tasks": weights} | dict(given or {})
    return keys


def _checked_evaluation(keys: Mapping[str, Any]) -> dict[str, Any]:
    """The evaluation's settings; its environment, too, may be a mixture."""
    interval, changed = keys.get("evaluation_interval"), keys.get("evaluation_config")
    if interval is not None:
        check_whole(interval, "evaluation.evaluation_interval", 0)
    if changed is None:
        return dict(keys)
    if not isinstance(changed, Mapping):
        raise InputError("section without keys", where="evaluation.evaluation_config",
                         expected="key: value lines", got=changed)  # fmt: skip
    return {**keys, "evaluation_config": _with_task(changed)}


def _check_section(section: str, keys: Any) -> None:
    if keys is None:
        return
    if not isinstance(keys, Mapping):
        raise InputError(
            "section without keys", where=section, expected="key: value lines", got=keys
        )
    known = section_keys(section)
    check_keys(section, keys, known, known)


def section_keys(section: str) -> list[str]:
    """The keys that a section may have."""
    if section == "run":
        return [field.name for field in dataclasses.fields(RunSettings)]
    if section == "pretrained":
        return [
            name for name in inspect.signature(GRPOConfig.pretrained).parameters if name != "self"
        ]
    return settings_of(section)


def apply_overrides(settings: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """``settings`` with each ``section.key=value`` put in; values are read as YAML.

    Raises:
        InputError: an override of another form.

    >>> apply_overrides({"training": {"lr": 1.0}}, ["training.lr=0.5", "run.steps=3"])
    {'training': {'lr': 0.5}, 'run': {'steps': 3}}
    """
    if not isinstance(settings, Mapping):
        raise InputError(
            "no configuration", expected="sections with keys", got=type(settings).__name__
        )
    result = copy.deepcopy(dict(settings))
    for override in overrides:
        dotted, equals, value = override.partition("=")
        *parents, key = dotted.split(".")
        if not equals or not parents or not key:
            raise InputError(
                "unusable override", where="--set", expected="section.key=value", got=repr(override)
            )
        place = result
        for parent in parents:
            if not isinstance(place.setdefault(parent, {}), dict):
                place[parent] = {}
            place = place[parent]
        place[key] = _value(value)
    return result


def _value(text: str) -> Any:
    """A value as YAML reads it."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(
            "unusable value", where="--set", expected="a YAML value", got=repr(text)
        ) from error


def as_number(value: Any) -> Any:
    """``value`` as a number where it is text that means one: YAML takes ``1e-4`` for text.

    >>> as_number("1e-4"), as_number("linear"), as_number([0, "1e3"])
    (0.0001, 'linear', [0, 1000.0])
    """
    if isinstance(value, list):
        return [as_number(entry) for entry in value]
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value
