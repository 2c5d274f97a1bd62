from __future__ import annotations

import pytest

from evals.metrics import METRICS

pytestmark = pytest.mark.slow

ARGUMENTS = {"limit": 6, "orders": 3, "repeats": 2}


def config(runners: int = 0):
    from agents import GRPOConfig
    from evals.rllib_evaluation import OrderRobustness

    return (
        GRPOConfig()
        .environment("perl_env:perl/Shapes-v0", env_config={"split": "train"})
        .pretrained("embedded")
        .training(questions_per_step=2, orders_per_question=2, rollouts_per_order=2, minibatches=1)
        .env_runners(num_env_runners=0, max_new_tokens=24)
        .learners(num_learners=0)
        .evaluation(
            evaluation_interval=1,
            evaluation_num_env_runners=runners,
            evaluation_config={"env_config": {"split": "test"}},
            custom_evaluation_function=OrderRobustness(**ARGUMENTS),
        )
        .debugging(seed=0, log_level="ERROR")
    )


def test_learning_curves_show_order_robustness(ray_session) -> None:
    """A step of training with the embedded model: the metrics are those of the weights it has then."""
    import numpy as np

    import evals
    import perl_env
    from agents.engines import SamplingParams

    algorithm = config().build_algo()
    try:
        result = algorithm.train()["evaluation"]
        found = result["order_robustness"]
        assert {"consistent_accuracy", "order_effect", "noise_floor", "flip_rate"} <= found.keys()
        assert found.keys() <= METRICS.keys()
        assert result["env_runners"]["num_episodes"] == 6 * 3 * 2 - _missing(algorithm)
        engine = algorithm.eval_env_runner_group.local_env_runner.engine
        alone = evals.evaluate(
            engine, perl_env.load_questions("perl/Shapes-v0", split="test", limit=6), 3, 2,
            SamplingParams(1.0, 24, 0),
        )  # fmt: skip
        for name, value in found.items():
            np.testing.assert_allclose(value, alone.metrics[name].value, err_msg=name)
        assert algorithm.evaluate()["order_robustness"] == found  # the same questions every time
    finally:
        algorithm.stop()


def _missing(algorithm) -> int:
    """Replies fewer than six questions in three orders: some have but two."""
    source = algorithm.eval_env_runner_group.local_env_runner.source
    from perl_env.permutation import count_orders

    return sum(2 * (3 - min(3, count_orders(source[i]))) for i in range(6))


def test_several_runners_share_the_questions(ray_session) -> None:
    one, two = config().build_algo(), config(runners=2).build_algo()
    try:
        alone, shared = (algorithm.evaluate()["order_robustness"] for algorithm in (one, two))
        assert shared == pytest.approx(alone, abs=1e-6)
    finally:
        one.stop()
        two.stop()
