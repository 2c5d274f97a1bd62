"""What all tests share: a tiny model with random weights, one Ray session."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

os.environ["HF_DATASETS_CACHE"] = tempfile.mkdtemp(prefix="perl-datasets-")
os.environ["HF_HUB_OFFLINE"] = "1"  # before transformers is imported: models are folders here
os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"

import hypothesis
import pytest

_OWNER = os.getpid()


@atexit.register
def _forget_datasets():
    """What `datasets` made of parquet files goes away with the tests."""
    if os.getpid() == _OWNER:
        shutil.rmtree(os.environ["HF_DATASETS_CACHE"], ignore_errors=True)


# Examples are drawn from a fixed seed, and are not timed: the machine may be busy.
hypothesis.settings.register_profile("perl", deadline=None, derandomize=True)
hypothesis.settings.load_profile("perl")

#: The words that the tiny model's tokenizer is trained on.
TEXTS = [
    "Which image is the same as the reference image? the red one image 1 image 2 image 3 " * 20
]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """A folder with a random Qwen2.5-VL of a million parameters."""
    from agents.tiny_vlm import build_tiny_vlm

    return build_tiny_vlm(tmp_path_factory.mktemp("model") / "tiny", seed=0, texts=TEXTS)


@pytest.fixture(scope="session")
def ray_session():
    """Ray, started once for all tests that need actors; eight logical processors on any machine."""
    import ray

    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    ray.init(
        num_cpus=8,
        include_dashboard=False,
        object_store_memory=200 * 2**20,
        logging_level="ERROR",
        log_to_driver=False,
    )
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def served_model(tmp_path_factory):
    """The address of vLLM's own OpenAI-compatible server with the embedded model, started once."""
    from agents.model_folder import EMBEDDED_MODEL
    from tests.vllm_server import vllm_server

    with vllm_server(EMBEDDED_MODEL, tmp_path_factory.mktemp("vllm") / "log") as url:
        yield url
