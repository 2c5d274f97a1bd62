from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest
import yaml

from agents.run_config import config_from_dict
from evals.rllib_evaluation import OrderRobustness
from evals.training_evaluation import with_order_robustness
from perl_env.errors import InputError

SETTINGS = {"pretrained": {"path": "somewhere"}, "training": {"lr": 1e-4}}


def section(**keys):
    return {**SETTINGS, "evaluation": {"evaluation_interval": 10, **keys}}


def test_the_section_is_the_function_that_python_users_give():
    settings = section(
        evaluation_config={"env_config": {"split": "test"}},
        order_robustness={"limit": 200, "orders": 4, "temperature": "1e-1", "instruction": "12"},
    )
    config = config_from_dict(with_order_robustness(settings)).config
    expected = OrderRobustness(limit=200, orders=4, temperature=0.1, instruction="12")
    assert config.custom_evaluation_function == expected
    assert config.evaluation_interval == 10
    assert config.get_evaluation_config_object().env_config == {"split": "test"}
    assert "order_robustness" in settings["evaluation"]  # what was given is left as it is
    assert pickle.loads(pickle.dumps(expected)) == expected  # it goes into the checkpoint


def test_the_defaults_do_and_settings_without_it_are_left():
    for settings in (SETTINGS, section(), {"evaluation": None}, None, ["training"]):
        assert with_order_robustness(settings) == settings
    function = with_order_robustness(section(order_robustness=None))["evaluation"]
    assert function["custom_evaluation_function"] == OrderRobustness()


def test_an_interval_of_none_turns_it_off():
    for interval in (0, None):
        settings = section(order_robustness={}, evaluation_interval=interval)
        assert not config_from_dict(with_order_robustness(settings)).config.evaluation_interval


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"order_robustnes": {}}, r"evaluation: expected 'order_robustness' \(the nearest\)"),
        (
            {"order_robustness": {"order": 4}},
            r"order_robustness: expected 'orders' \(the nearest\)",
        ),
        ({"order_robustness": {"limt": 4}}, "expected 'limit'"),
        ({"order_robustness": {"orders": 0}}, r"order_robustness\.orders: .* at least 1"),
        ({"order_robustness": {"limit": "all"}}, "a whole number"),
        ({"order_robustness": {"temperature": -1}}, "at least 0"),
        ({"order_robustness": {"instruction": 3}}, "expected text"),
        ({"order_robustness": 3}, "key: value"),
    ],
)
def test_what_cannot_be_used_is_told(keys, complaint):
    with pytest.raises(InputError, match=complaint):
        with_order_robustness(section(**keys))


def test_an_evaluation_without_interval_never_takes_place_and_is_told():
    with pytest.raises(InputError, match=r"never takes place.*evaluation_interval"):
        with_order_robustness({"evaluation": {"order_robustness": {}}})


def test_the_documented_section_works():
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    (block,) = [b for b in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "robustness" in b]
    config = config_from_dict(with_order_robustness(SETTINGS | yaml.safe_load(block))).config
    assert config.custom_evaluation_function == OrderRobustness(limit=200, orders=4, repeats=2)
