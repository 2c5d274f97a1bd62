"""The evaluation of order-robustness during training, as a training run's YAML file names it.

evaluation:
  evaluation_interval: 10
  evaluation_config: {env_config: {split: test}}
  order_robustness: {limit: 200, orders: 4, repeats: 2}

``order_robustness`` stands for RLlib's ``custom_evaluation_function``; its keys are the attributes of
``evals.rllib_evaluation.OrderRobustness``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from agents.grpo_config import check_keys
from agents.run_config import as_number, section_keys
from evals.rllib_evaluation import ORDER_ROBUSTNESS, OrderRobustness
from perl_env.errors import InputError

_SECTION = "evaluation"


def with_order_robustness(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings as ``agents.run_config`` takes them, with the function that they describe.

    Raises:
        InputError: an unknown key (the nearest known one is told), an unusable value, or an evaluation
            that would never take place.

    >>> with_order_robustness({"evaluation": {"evaluation_interval": 5, "order_robustness": {"orders": 3}}})
    {'evaluation': {'evaluation_interval': 5, 'custom_evaluation_function': OrderRobustness(limit=64, orders=3, \
repeats=2, temperature=None, instruction=None, seed=0, prompts_per_call=64)}}
    """
    section = settings.get(_SECTION) if isinstance(settings, Mapping) else None
    if not isinstance(section, Mapping):
        return settings
    known = [*section_keys(_SECTION), ORDER_ROBUSTNESS]
    check_keys(_SECTION, section, known, known)
    if ORDER_ROBUSTNESS not in section:
        return settings
    function = _function(section[ORDER_ROBUSTNESS])
    if "evaluation_interval" not in section:
        raise InputError("evaluation that never takes place", where=f"{_SECTION}.evaluation_interval",
                         expected="the steps between two evaluations", got="nothing")  # fmt: skip
    rest = {key: value for key, value in section.items() if key != ORDER_ROBUSTNESS}
    return {**settings, _SECTION: {**rest, "custom_evaluation_function": function}}


def _function(values: Any) -> OrderRobustness:
    where = f"{_SECTION}.{ORDER_ROBUSTNESS}"
    if not isinstance(values, Mapping | None):
        raise InputError("section without keys", where=where, expected="key: value lines", got=values)  # fmt: skip
    values = values or {}
    known = [field.name for field in dataclasses.fields(OrderRobustness)]
    check_keys(where, values, known, known)
    text = ("instruction",)
    return OrderRobustness(**{
        name: value if name in text else as_number(value) for name, value in values.items()
    })  # fmt: skip
