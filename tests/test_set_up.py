"""What the set-up step leaves: an environment in which everything can be imported, in every process."""

import importlib.metadata
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_torchvision_is_importable_in_a_fresh_process():
    done = run("import torchvision, torch; print(hasattr(torch.ops.torchvision, 'nms'))")
    assert done.stdout.strip() == "True", done.stderr


def test_what_does_not_fit_this_torch_is_not_installed():
    for name in ("torchaudio", "torchcodec"):
        done = run(
            f"import importlib.util; assert importlib.util.find_spec({name!r})\nimport {name}"
        )
        assert "OSError" not in done.stderr


@pytest.mark.vllm
def test_vllm_is_known_by_its_name_and_finds_its_platform():
    import torch

    version = importlib.metadata.version("vllm")
    if torch.version.cuda is None:
        assert version.endswith("+cpu")
    done = run("from vllm.platforms import current_platform as p; print(p.device_type)")
    assert done.stdout.strip().splitlines()[-1] == ("cpu" if torch.version.cuda is None else "cuda")


@pytest.mark.slow
def test_repairing_twice_changes_nothing():
    site = Path(importlib.metadata.distribution("torch").locate_file(""))
    before = sorted(path.name for path in site.iterdir())
    subprocess.run(
        [sys.executable, ROOT / "scripts" / "repair_environment.py"], check=True, timeout=300
    )
    assert sorted(path.name for path in site.iterdir()) == before


@pytest.mark.slow
def test_the_qwen_processor_loads_in_a_ray_worker(ray_session, tiny_model):
    import ray

    @ray.remote
    def loads(path):
        from agents.processing import PromptProcessor

        return PromptProcessor(path).image_token_id

    assert ray.get(loads.remote(str(tiny_model))) > 0


@pytest.mark.slow
def test_the_wheel_holds_every_module_and_the_embedded_model(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", tmp_path, ROOT],
        check=True, timeout=300, capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "perl_env", "agents", "evals"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert tracked
    assert set(tracked) <= packed
    assert not any(name.startswith(("tests/", "benchmarks/", "scripts/")) for name in packed)
