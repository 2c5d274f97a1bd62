"""Which values the settings of a training run may have, each by itself; all in one place.

RLlib takes most values as they come: text where a number belongs fails somewhere within it, a rate of -1,
its mark of deprecated settings, is dropped when the algorithm rebuilds its configuration, and the default
taken.
"""

from __future__ import annotations

import importlib.util
import numbers
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gymnasium
from ray.tune.registry import ENV_CREATOR, _global_registry

import perl_env  # noqa: F401 - registers the environments
from perl_env.argument_checks import check_number, check_truth, check_whole, is_number
from perl_env.errors import InputError, nearest
from perl_env.registration import TASKS

if TYPE_CHECKING:
    from agents.grpo_config import GRPOConfig

#: Whole numbers, and the least that each may be.
_WHOLE = {
    "orders_per_question": 1, "rollouts_per_order": 1, "questions_per_step": 1, "minibatches": 1,
    "epochs": 1, "micro_batch_tokens": 1, "max_new_tokens": 1, "max_refill_rounds": 0,
    "async_steps": 0, "overlong_buffer": 0, "num_learners": 0, "num_env_runners": 0,
}  # fmt: skip
#: Finite numbers of at least 0.
_NOT_NEGATIVE = (
    "clip_low", "clip_high", "kl_coefficient", "weight_decay", "temperature", "order_probability",
    "num_gpus_per_learner", "num_gpus_per_env_runner", "num_cpus_per_env_runner",
)  # fmt: skip
_TRUTHS = ("scale_advantages", "leave_one_out", "preflight", "shard_weights")


def check_values(config: GRPOConfig) -> None:
    """Check each setting's own value; how they go together is ``GRPOConfig.validate``'s.

    Raises:
        InputError: a value that cannot work.
    """
    for name, least in _WHOLE.items():
        check_whole(getattr(config, name), name, least)
    for name in _NOT_NEGATIVE:
        check_number(getattr(config, name), name, least=0)
    for name in _TRUTHS:
        check_truth(getattr(config, name), name)
    if config.total_steps is not None:
        check_whole(config.total_steps, "total_steps", 1)
    if config.preflight_tolerance is not None:
        check_number(config.preflight_tolerance, "preflight_tolerance", least=0)
    if config.grad_clip is not None:
        check_number(config.grad_clip, "grad_clip", above=0)
    _check_learning_rate(config.lr)
    if not isinstance(config.engine_settings, Mapping):
        raise InputError("unusable value", where="engine_settings", expected="settings by their names",
                         got=repr(config.engine_settings))  # fmt: skip


def _check_learning_rate(rate: Any) -> None:
    """A number, or RLlib's schedule over lifetime environment steps. 0 learns nothing but measures all."""
    if not isinstance(rate, (list, tuple)):
        check_number(rate, "lr", least=0)
        return
    pairs = [pair for pair in rate if isinstance(pair, (list, tuple)) and len(pair) == 2]
    sound = len(pairs) == len(rate) >= 2 and pairs[0][0] == 0
    if not sound or not all(is_number(v) and v >= 0 for pair in pairs for v in pair):
        raise InputError("unusable schedule", where="lr",
                         expected="[[0, rate], [step, rate], …], numbers of at least 0", got=repr(rate))  # fmt: skip


def check_types(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Check that RLlib's own settings have the type of their defaults, where those are numbers or truths.

    Args:
        given: the settings' values by name.
        defaults: what each is by default.

    Raises:
        InputError: text where a number belongs, and the like.
    """
    for name, value in given.items():
        default = defaults.get(name)
        if value is None or default is None or (isinstance(value, str) and value == "auto"):
            continue
        is_real = isinstance(value, numbers.Real) and not isinstance(value, bool)
        if isinstance(default, bool):
            check_truth(value, name)
        elif (isinstance(default, numbers.Real) or default == "auto") and not is_real:
            raise InputError(
                "unusable value", where=name, expected=f"a number, as {default}", got=repr(value)
            )


def check_environment(env: Any) -> None:
    """Check that there is an environment of this name.

    Args:
        env: a name that Gymnasium or Tune knows, a class, or None.

    Raises:
        InputError: a name that nobody knows; the nearest task is told.
    """
    if env is None or callable(env):
        return
    if not isinstance(env, str):
        raise InputError("unusable environment", where="environment, env",
                         expected="a task's name, a folder or a mixture", got=repr(env))  # fmt: skip
    short = env.removeprefix("perl_env:")
    ours = short.startswith("perl/") or short != env
    if not (short in TASKS if ours else registered(env) or _says_its_module(env)):
        raise InputError("unknown task", where="environment, env",
                         expected=nearest(short, list(TASKS)), got=repr(env))  # fmt: skip


def registered(env: str) -> bool:
    """Whether Gymnasium or Tune knows an environment of this name."""
    return env in gymnasium.registry or _global_registry.contains(ENV_CREATOR, env)


def _says_its_module(env: str) -> bool:
    """Whether this is "module:name" or "module.Class" of a module that there is."""
    module = env.partition(":")[0] if ":" in env else env.rpartition(".")[0]
    try:
        return bool(module) and importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def check_gpus(config: GRPOConfig, there: float) -> None:
    """Check that there are as many GPUs as the processes of a run want.

    Args:
        config: a validated configuration.
        there: how many there are.

    Raises:
        InputError: there are fewer.
    """
    learners, runners = config.num_learners, config.num_env_runners
    for names, wanted in (
        ("num_gpus_per_learner", config.num_gpus_per_learner),
        ("num_learners * num_gpus_per_learner + num_env_runners * num_gpus_per_env_runner",
         learners * config.num_gpus_per_learner + runners * config.num_gpus_per_env_runner),
    ):  # fmt: skip
        if wanted > there:
            raise InputError("not enough GPUs", where=names, expected=f"at most {there:g}, as there are here",
                             got=f"{wanted:g}")  # fmt: skip
