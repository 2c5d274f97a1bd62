"""The loggers that people use with Ray Tune see what a run logs: W&B (offline) and MLflow (local files)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

# As in docs/training.md; in a process of its own, because both loggers leave threads and settings behind.
SCRIPT = """
import sys
from ray import tune
from ray.air.integrations.mlflow import MLflowLoggerCallback
from ray.air.integrations.wandb import WandbLoggerCallback
from agents import GRPO, GRPOConfig

config = GRPOConfig().environment("perl_env:perl/Shapes-v0").pretrained("embedded")
config.training(questions_per_step=2, rollouts_per_order=2, kl_coefficient=0.0)
config.env_runners(max_new_tokens=12)
results = tune.Tuner(
    GRPO,
    param_space=config,
    run_config=tune.RunConfig(
        storage_path=sys.argv[1] + "/tune",
        stop={"training_iteration": 2},
        callbacks=[
            WandbLoggerCallback(project="perl"),
            MLflowLoggerCallback(sys.argv[2], experiment_name="perl"),
        ],
    ),
).fit()
assert not results.errors
"""


def test_wandb_and_mlflow_see_what_a_run_logs(tmp_path, monkeypatch):
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # a database would want SQLAlchemy
    store = (tmp_path / "mlflow").as_uri()
    environment = os.environ | {
        "WANDB_MODE": "offline",
        "WANDB_DIR": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), store],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    client = MlflowClient(store)
    (run,) = client.search_runs([client.get_experiment_by_name("perl").experiment_id])
    history = client.get_metric_history(run.info.run_id, "env_runners/episode_return_mean")
    assert len(history) == 2
    assert "learners/default_policy/loss" in run.data.metrics
    (offline,) = Path(tmp_path, "wandb").glob("offline-run-*")
    (log,) = offline.glob("*.wandb")
    assert b"env_runners/episode_return_mean" in log.read_bytes()
