"""The demo, small: the same path, too few steps to learn anything."""

import json

import pytest

from evals.demo import MODELS, DemoSettings, run_demo, training_run


def test_the_two_arms_differ_in_nothing_but_the_orders():
    plain, perl = (training_run(name, DemoSettings()).config.to_dict() for name in MODELS[1:])
    different = {key for key in plain if plain[key] != perl[key]}
    assert different == {"order_probability"}
    assert (plain["order_probability"], perl["order_probability"]) == (0.0, 1.0)


def test_training_and_held_out_questions_come_from_different_splits():
    environment = training_run("PeRL", DemoSettings()).config.env_config
    assert environment["split"] == "train"
    assert all(each["gold_slot_decay"] < 1 for each in environment["arguments"].values())


@pytest.mark.slow
def test_the_demo_measures_three_models_and_writes_its_report(tmp_path):
    stages = []
    settings = DemoSettings(steps=1, questions=4, orders=2, repeats=2)
    result = run_demo(tmp_path / "demo", settings, lambda *seen: stages.append(seen))
    assert tuple(each.name for each in result.results) == MODELS
    assert {stage for stage, _, _ in stages} >= {"training GRPO", "training PeRL"}
    assert all(len(each.table) == len(result.results[0].table) for each in result.results)
    keys = [["question", "order", "repeat", "gold_slot"]] * 3
    tables = [each.table[k] for each, k in zip(result.results, keys, strict=True)]
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])
    found = json.loads((tmp_path / "demo" / "results.json").read_text())
    assert set(found["models"]) == set(MODELS)
    assert result.report.read_text().startswith("<!")
    for name in ("grpo", "perl"):
        assert (tmp_path / "demo" / name / "training" / "model" / "model.safetensors").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
