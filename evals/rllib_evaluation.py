"""Order-robustness during training: RLlib's evaluation asks held-out questions in several orders.

    from evals.rllib_evaluation import OrderRobustness

    config.evaluation(
        evaluation_interval=10,
        evaluation_config={"env_config": {"split": "test"}},
        custom_evaluation_function=OrderRobustness(limit=200, orders=4),
    )

In a file for ``perl-env train`` the same is ``evaluation: {…, order_robustness: {limit: 200, orders: 4}}``.

Every metric of ``evals.metrics`` is then a learning curve: ``evaluation/order_robustness/order_effect``,
``…/consistent_accuracy`` and so on, beside the reward.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ray.rllib.utils.metrics import ENV_RUNNER_RESULTS, EVALUATION_RESULTS, NUM_EPISODES
from ray.rllib.utils.metrics.metrics_logger import MetricsLogger

from agents.engines.base import SamplingParams
from evals.harness import ask
from evals.metric import mean
from evals.metrics import per_question
from evals.plan import make_plan
from evals.table import Row, build_table
from perl_env.argument_checks import check_number, check_whole
from perl_env.errors import InputError

#: Where RLlib's results hold the metrics, below "evaluation".
ORDER_ROBUSTNESS = "order_robustness"


@dataclass(frozen=True)
class OrderRobustness:
    """What ``config.evaluation(custom_evaluation_function=…)`` takes.

    The evaluation runners, with the weights of now, share the questions; which of them asks what does
    not matter, since every prompt has its own random stream. The questions are the first ones of the
    evaluation's environment, in the same orders every time.

    Attributes:
        limit: at most so many questions.
        orders: at most so many orders of each.
        repeats: how often each order is asked; 2 or more give the noise floor.
        temperature: of the sampler; the training's by default.
        instruction: the last line of every prompt; by default a question's own, else the paper's.
        seed: of orders and replies.
        prompts_per_call: how many prompts an engine is given at a time.

    Raises:
        InputError: a number that cannot be used.
    """

    limit: int = 64
    orders: int = 4
    repeats: int = 2
    temperature: float | None = None
    instruction: str | None = None
    seed: int = 0
    prompts_per_call: int = 64

    def __post_init__(self) -> None:
        for name, least in (("limit", 1), ("orders", 1), ("repeats", 1), ("seed", 0), ("prompts_per_call", 1)):  # fmt: skip
            check_whole(getattr(self, name), f"{ORDER_ROBUSTNESS}.{name}", least)
        if self.temperature is not None:
            check_number(self.temperature, f"{ORDER_ROBUSTNESS}.temperature", 0)
        if not isinstance(self.instruction, str | None):
            raise InputError("unusable value", where=f"{ORDER_ROBUSTNESS}.instruction",
                             expected="text", got=repr(self.instruction))  # fmt: skip

    def __call__(self, algorithm: Any, eval_workers: Any) -> tuple[dict[str, float], int, int]:
        """Called by RLlib. The metrics, and twice the number of replies.

        Raises:
            RuntimeError: no runner answered.
        """
        rows = self._rows(eval_workers or algorithm.env_runner_group)
        if not rows:
            raise RuntimeError("no evaluation runner answered; their logs say why")
        metrics = order_metrics(rows)
        _log(algorithm, metrics, len(rows))
        return metrics, len(rows), len(rows)

    def _rows(self, group: Any) -> list[Row]:
        if group.num_remote_env_runners() == 0:
            return self.rows_of(group.local_env_runner, 0, 1)
        runners = group.healthy_env_runner_ids()
        places = {runner: number for number, runner in enumerate(runners)}
        answers = group.foreach_env_runner(
            lambda runner, this=self, places=places: this.rows_of(
                runner, places[runner.worker_index], len(places)
            ),
            remote_worker_ids=runners,
            local_env_runner=False,
            timeout_seconds=None,
        )
        return [row for answer in answers for row in answer]

    def rows_of(self, runner: Any, number: int, of: int) -> list[Row]:
        """The rows of every ``of``-th question from ``number`` on; runs where the runner is."""
        source = runner.source
        indices = range(number, min(self.limit, len(source)), of)
        if not indices:
            return []
        plan = make_plan([source[i] for i in indices], self.orders, self.repeats, self.seed)
        temperature = runner.config.temperature if self.temperature is None else self.temperature
        sampling = SamplingParams(temperature, runner.config.max_new_tokens, self.seed)
        asked = ask(runner.engine, plan.requests, sampling, self.instruction, self.seed,
                    prompts_per_call=self.prompts_per_call)  # fmt: skip
        return [row for chunk in asked for row in chunk]


def order_metrics(rows: list[Row]) -> dict[str, float]:
    """Every metric that is defined for these rows, by name."""
    values = per_question(build_table(rows))
    found = {str(name): mean(values[name].to_numpy(dtype=float)) for name in values}
    return {name: value for name, value in found.items() if not math.isnan(value)}


def _log(algorithm: Any, metrics: dict[str, float], replies: int) -> None:
    """RLlib reads an evaluation's results from the algorithm's logger, not from what is returned."""
    logger = MetricsLogger()
    for name, value in metrics.items():
        logger.log_value((ORDER_ROBUSTNESS, name), value, reduce="mean", window=1)
    runners = {"accuracy": metrics["accuracy_mean"], NUM_EPISODES: replies}
    for name, value in runners.items():
        logger.log_value((ENV_RUNNER_RESULTS, name), value, reduce="mean", window=1)
    algorithm.metrics.aggregate([logger.reduce()], key=EVALUATION_RESULTS)
