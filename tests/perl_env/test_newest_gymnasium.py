"""Ray pins a Gymnasium; users may have a newer one."""

import os
import subprocess
import sys

import pytest

CODE = """
import gymnasium, perl_env
from gymnasium.utils.env_checker import check_env
from tests.perl_env.benchmark_fixtures import FIXTURES, fixture_path

assert gymnasium.__file__.startswith({folder!r}), gymnasium.__file__
for task in ("perl/Shapes-v0", "perl/Digits-v0", "perl/Mixture-v0", *FIXTURES):
    arguments = {{"path": fixture_path(task)}} if task in FIXTURES else {{}}
    check_env(gymnasium.make(task, render_mode="rgb_array", **arguments).unwrapped)
    for mode in ("sync", "async"):
        envs = gymnasium.make_vec(task, num_envs=2, vectorization_mode=mode, **arguments)
        observations, _ = envs.reset(seed=3)
        expected, _ = gymnasium.make(task, **arguments).reset(seed=3)
        assert observations["text"][0] == expected["text"]
        envs.step(("A", "B"))
        envs.close()
print(gymnasium.__version__)
"""


@pytest.mark.slow
def test_every_environment_passes_with_the_newest_gymnasium(tmp_path):
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade")
    subprocess.run(
        [*pip, "--target", tmp_path, "gymnasium"], check=True, timeout=300, capture_output=True
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CODE.format(folder=str(tmp_path))],
        env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() >= "1.3"
