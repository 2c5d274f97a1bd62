"""What came of a reply, and the figures that are logged of many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ray.rllib.core import DEFAULT_AGENT_ID
from ray.rllib.env.single_agent_episode import SingleAgentEpisode
from ray.rllib.utils.metrics import (
    EPISODE_LEN_MEAN,
    EPISODE_RETURN_MAX,
    EPISODE_RETURN_MEAN,
    EPISODE_RETURN_MIN,
    NUM_AGENT_STEPS_SAMPLED,
    NUM_AGENT_STEPS_SAMPLED_LIFETIME,
    NUM_ENV_STEPS_SAMPLED,
    NUM_ENV_STEPS_SAMPLED_LIFETIME,
    NUM_EPISODES,
    NUM_EPISODES_LIFETIME,
)

from agents.engines.base import Reply
from perl_env.question import Order


@dataclass(frozen=True)
class Outcome:
    """One reply and what the environment said to it.

    Attributes:
        order: in which the question was asked.
        reply: of the engine.
        reward: of the environment.
        info: of the environment, after the step.
        task: that the question is from, where several are mixed; else "".
    """

    order: Order
    reply: Reply
    reward: float
    info: dict[str, Any]
    task: str = ""

    @property
    def correct(self) -> bool:
        """Whether the answer is right; an environment that does not tell rewards it, if it is."""
        return bool(self.info.get("correct", self.reward > 0))

    @property
    def permuted(self) -> bool:
        """Whether the images stood in another than their canonical order."""
        return self.order != tuple(range(len(self.order)))

    def as_episode(self) -> SingleAgentEpisode:
        """For RLlib's callbacks. Without spaces and pictures: RLlib cannot handle ragged ones."""
        episode = SingleAgentEpisode()
        episode.add_env_reset(0, {})
        episode.add_env_step(0, self.reply.text, self.reward, self.info, terminated=True)
        return episode


def log_outcomes(metrics: Any, outcomes: Sequence[Outcome]) -> None:
    """Log rewards, accuracies, lengths and counts under the names that RLlib and its tools look for.

    Where several tasks are mixed, the main figures also come per task: ``accuracy/perl/Shapes-v0``.

    Args:
        metrics: a MetricsLogger.
        outcomes: of one call.
    """
    count = len(outcomes)
    for name in (NUM_EPISODES, NUM_ENV_STEPS_SAMPLED, (NUM_AGENT_STEPS_SAMPLED, DEFAULT_AGENT_ID)):
        metrics.log_value(name, count, reduce="sum")
    for name in (NUM_EPISODES_LIFETIME, NUM_ENV_STEPS_SAMPLED_LIFETIME,
                 (NUM_AGENT_STEPS_SAMPLED_LIFETIME, DEFAULT_AGENT_ID)):  # fmt: skip
        metrics.log_value(name, count, reduce="lifetime_sum")
    for outcome in outcomes:
        metrics.log_value(EPISODE_RETURN_MEAN, outcome.reward, reduce="mean")
        metrics.log_value(EPISODE_RETURN_MIN, outcome.reward, reduce="min")
        metrics.log_value(EPISODE_RETURN_MAX, outcome.reward, reduce="max")
        metrics.log_value(EPISODE_LEN_MEAN, 1, reduce="mean")
        metrics.log_value("accuracy", float(outcome.correct), reduce="mean")
        order = "permuted" if outcome.permuted else "canonical"
        metrics.log_value(f"accuracy_{order}_order", float(outcome.correct), reduce="mean")
        if "well_formed" in outcome.info:
            metrics.log_value("well_formed", float(outcome.info["well_formed"]), reduce="mean")
        metrics.log_value("reply_tokens", len(outcome.reply.token_ids), reduce="mean")
        metrics.log_value("cut_off", float(outcome.reply.finish_reason == "length"), reduce="mean")
        if outcome.task:
            _log_of_task(metrics, outcome)


def _log_of_task(metrics: Any, outcome: Outcome) -> None:
    for name, value in (
        (EPISODE_RETURN_MEAN, outcome.reward),
        ("accuracy", float(outcome.correct)),
        ("reply_tokens", len(outcome.reply.token_ids)),
    ):
        metrics.log_value(f"{name}/{outcome.task}", value, reduce="mean")
    metrics.log_value(f"{NUM_EPISODES}/{outcome.task}", 1, reduce="sum")
