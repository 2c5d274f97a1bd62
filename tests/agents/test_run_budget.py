"""The budget of a run, from its configuration alone."""

from pathlib import Path

import pytest

from agents.memory_budget import GIB
from agents.run_budget import Workload, count_budget, device_bytes
from agents.run_config import load_run
from perl_env.errors import InputError
from scripts.write_scaling_docs import END, PAGE, RUNS, START, tables

ROOT = Path(__file__).parents[2]
WORKLOAD = Workload(4, 1024 * 1024)


def _budget(config, *overrides):
    shape = f"pretrained.path={ROOT / RUNS[config]}"
    return count_budget(load_run(ROOT / config, [shape, *overrides]).config, WORKLOAD)


@pytest.mark.parametrize("config", RUNS)
def test_the_large_configurations_fit_on_their_devices(config):
    run = load_run(ROOT / config)
    budget = _budget(config)
    budget.check(device_bytes(run.settings.device_memory_gib))
    assert budget.step.image_tokens == 262_144 // 28**2
    assert budget.flops.shared_update < budget.flops.plain_update


def test_a_run_that_cannot_fit_is_refused():
    budget = _budget("configs/qwen2_5_vl_7b_perl.yaml", "learners.shard_weights=false")
    with pytest.raises(InputError, match="learner's device"):
        budget.check(80 * GIB)


def test_the_parameters_are_the_published_ones():
    sizes = [_budget(config).model.total_parameters for config in RUNS]
    assert sizes == [8_292_166_656, 3_754_622_976]


def test_a_dry_run_tells_the_budget_and_refuses_what_cannot_fit():
    from agents.training import check_budget

    tiny = ROOT / "configs/tiny_shapes.yaml"
    budget = check_budget(load_run(tiny))
    assert any("billion parameters" in line for line in budget.lines())
    with pytest.raises(InputError, match="does not fit"):
        check_budget(load_run(tiny, ["run.device_memory_gib=0.01"]))


def test_the_page_says_what_is_counted():
    text = PAGE.read_text(encoding="utf-8")
    assert text.split(START)[1].split(END)[0].strip() == tables().strip()
