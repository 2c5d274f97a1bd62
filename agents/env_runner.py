"""Plays whole groups: asks a question in its orders, has the engine reply, lets the environment judge."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import ray
from ray.rllib.callbacks.utils import make_callback
from ray.rllib.core import COMPONENT_RL_MODULE, DEFAULT_MODULE_ID
from ray.rllib.env import INPUT_ENV_SINGLE_SPACES, INPUT_ENV_SPACES
from ray.rllib.env.env_context import EnvContext
from ray.rllib.env.env_runner import EnvRunner
from ray.rllib.env.single_agent_episode import SingleAgentEpisode
from ray.rllib.utils import force_list
from ray.rllib.utils.annotations import override
from ray.rllib.utils.checkpoints import Checkpointable
from ray.rllib.utils.metrics import SAMPLE_TIMER, WEIGHTS_SEQ_NO

import perl_env  # noqa: F401 - registers the environments, in every process that plays them
from agents.advantages import group_advantages
from agents.engines import Prompt, Reply, SamplingParams, make_engine
from agents.group_filter import GroupFilter
from agents.lora import merge_into
from agents.models import load_model
from agents.order_schedule import GroupPlan, spread
from agents.overlong import overlong_penalty
from agents.rollout_metrics import Outcome, log_outcomes
from agents.training_data import Group, OrderRollouts
from agents.weights import get_weights
from perl_env.errors import InputError, UnsoundRewriteError
from perl_env.question import Order
from perl_env.questions import QuestionSource

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """One question in one order, ready to be answered.

    Attributes:
        index: of the question.
        order: of its images.
        prompt: for the engine.
        replies: how many are wanted.
    """

    index: int
    order: Order
    prompt: Prompt
    replies: int


class GroupEnvRunner(EnvRunner, Checkpointable):
    """Plays the groups that it is told to play, with the weights that it was given last.

    The environment is any that shows ``{"images", "text"}``, takes a reply as its action, ends after
    it, accepts ``reset(options={"index", "order"})`` and has its questions in ``unwrapped.source``,
    as ``perl_env.env.QuestionEnv`` does. Rewards are the environment's.
    """

    @override(EnvRunner)
    def __init__(self, *, config: Any, **kwargs: Any):
        super().__init__(config=config, **kwargs)
        self._env_creator = kwargs["env_creator"]
        self._callbacks = [make() for make in force_list(self.config.callbacks_class)]
        self._filter = GroupFilter.from_setting(self.config.filter_groups)
        #: Number of the weights that the engine has; -1 before it was given any.
        self._weights_seq_no = -1
        self._next_evaluated = 0
        self.engine: Any = None
        self.make_env()
        if self.worker_index or self.config.num_env_runners == 0:
            self.make_module()

    # --------------------------------------------------------------------------- components

    @override(EnvRunner)
    def make_env(self) -> None:
        """Make the one environment in which all groups are played, one after the other."""
        context = EnvContext(
            self.config.env_config,
            worker_index=self.worker_index or 0,
            num_workers=self.num_workers,
        )
        self.env: gymnasium.Env = self._env_creator(context)
        self.source: QuestionSource = question_source(self.env)
        self._callback("on_environment_created", env=self.env, env_context=context)

    @override(EnvRunner)
    def make_module(self) -> None:
        """Make the engine that replies."""
        settings = {"max_images": self.source.max_images, **self.config.engine_settings}
        if self.config.max_pixels is not None:
            settings["max_pixels"] = self.config.max_pixels
        self.engine = make_engine(self.config.model_path, kind=self.config.engine, **settings)
        if self.config.lora is not None:
            #: What adapters are merged into: engines take whole weights.
            self._base_weights = get_weights(load_model(self.config.model_path))

    @override(EnvRunner)
    def get_spaces(self) -> dict[str, Any]:
        """The environment's spaces, as RLlib wants them."""
        spaces = (self.env.observation_space, self.env.action_space)
        return {
            INPUT_ENV_SPACES: spaces,
            INPUT_ENV_SINGLE_SPACES: spaces,
            DEFAULT_MODULE_ID: spaces,
        }

    @override(EnvRunner)
    def assert_healthy(self) -> None:
        """Called by RLlib from time to time."""
        assert self.env is not None

    @override(EnvRunner)
    def stop(self) -> None:
        """Close environment and engine."""
        self.env.close()
        if self.engine is not None:
            self.engine.close()

    def _callback(self, which: str, **kwargs: Any) -> None:
        """An EnvRunner has to call the user's callbacks itself."""
        make_callback(
            which,
            callbacks_objects=self._callbacks,
            callbacks_functions=getattr(self.config, f"callbacks_{which}"),
            kwargs={"env_runner": self, "metrics_logger": self.metrics, **kwargs},
        )

    # ------------------------------------------------------------------------------- groups

    def play_groups(self, plans: Sequence[GroupPlan]) -> list[Group]:
        """All rollouts of the planned groups, those that the filter drops without their replies."""
        asked = [self._ask(plan) for plan in plans]
        flat = [one for group in asked for one in group]
        with self.metrics.log_time(SAMPLE_TIMER):
            replies = iter(self._generate(flat, self.config.temperature))
            outcomes = [
                [(one, self._judge(one, next(replies))) for one in group] for group in asked
            ]
        everything = [out for group in outcomes for _, outs in group for out in outs]
        self._finish(everything)
        self.metrics.log_value(WEIGHTS_SEQ_NO, self._weights_seq_no, reduce="mean")
        return [self._group(plan, played) for plan, played in zip(plans, outcomes, strict=True)]

    def _ask(self, plan: GroupPlan) -> list[Asked]:
        """The group's question in each of its orders.

        However many orders it has (one where it has a single image), the group has the same number of
        rollouts: so every question weighs the same.
        """
        question = self.source[plan.question_index]
        shown: list[tuple[Order, Prompt]] = []
        for order in plan.draw_orders(question, self.config.orders_per_question):
            try:
                observation = self._reset(plan.question_index, order)
            except UnsoundRewriteError as error:
                # The canonical order needs no rewriting, so there is always one that works.
                logger.warning("question %d is not asked in order %s: %s",
                               plan.question_index, order, error)  # fmt: skip
                self.metrics.log_value("orders_refused", 1, reduce="sum")
                continue
            images = observation["images"]
            if shown:
                images = shared_pictures(images, order, *shown[0])
            seed = plan.sampling_seed(len(shown))
            shown.append((order, Prompt(tuple(images), observation["text"], seed)))
        total = self.config.orders_per_question * self.config.rollouts_per_order
        return [
            Asked(plan.question_index, order, prompt, replies)
            for (order, prompt), replies in zip(shown, spread(total, len(shown)), strict=True)
        ]

    def _reset(self, index: int, order: Order) -> dict[str, Any]:
        observation, self._info = self.env.reset(options={"index": index, "order": order})
        return observation

    def _generate(self, asked: Sequence[Asked], temperature: float) -> list[list[Reply]]:
        sampling = SamplingParams(
            temperature=temperature, max_new_tokens=self.config.max_new_tokens
        )
        return self.engine.generate(
            [one.prompt for one in asked], [one.replies for one in asked], sampling
        )

    def _judge(self, asked: Asked, replies: Sequence[Reply]) -> list[Outcome]:
        """What the environment says to each reply."""
        outcomes = []
        task = self.source.task_of(asked.index) if hasattr(self.source, "task_of") else ""
        for reply in replies:
            self._reset(asked.index, asked.order)
            _, reward, _, _, info = self.env.step(reply.text)
            outcomes.append(Outcome(asked.order, reply, float(reward), self._info | info, task))
        return outcomes

    def _group(self, plan: GroupPlan, played: list[tuple[Asked, list[Outcome]]]) -> Group:
        outcomes = [outcome for _, outcomes in played for outcome in outcomes]
        positions = np.repeat(np.arange(len(played)), [len(outs) for _, outs in played])
        rewards = np.array([outcome.reward + self._penalty(outcome) for outcome in outcomes])
        correct = np.array([outcome.correct for outcome in outcomes])
        advantages = group_advantages(
            rewards, positions, self.config.advantage_baseline, self.config.scale_advantages,
            self.config.leave_one_out,
        )  # fmt: skip
        reason = self._filter.drop_reason(rewards, correct, advantages)
        order_class = str(outcomes[0].info.get("order_class", ""))
        if reason is not None:
            return Group(plan, order_class, rewards, correct, reason)
        orders = tuple(
            OrderRollouts(
                order=asked.order,
                prompt=asked.prompt,
                token_ids=tuple(outcome.reply.token_ids for outcome in outs),
                logprobs=tuple(outcome.reply.logprobs for outcome in outs),
                advantages=advantages[positions == position],
            )
            for position, (asked, outs) in enumerate(played)
        )
        return Group(plan, order_class, rewards, correct, None, orders)

    def _penalty(self, outcome: Outcome) -> float:
        """For a reply that is nearly or quite as long as it may be."""
        return overlong_penalty(
            len(outcome.reply.token_ids), self.config.max_new_tokens, self.config.overlong_buffer
        )

    # --------------------------------------------------------------------------- evaluation

    @override(EnvRunner)
    def sample(
        self,
        *,
        num_timesteps: int | None = None,
        num_episodes: int | None = None,
        explore: bool | None = None,
        force_reset: bool = False,
        **kwargs: Any,
    ) -> list[SingleAgentEpisode]:
        """Answer the next questions in canonical order, greedily; RLlib's evaluation calls this.

        Several runners take every so-manieth question. An evaluation starts from the first one.
        """
        if force_reset or not self.worker_index:
            self._next_evaluated = 0
        asked = [self._next_to_evaluate() for _ in range(num_episodes or num_timesteps or 1)]
        replies = self._generate(asked, self.config.temperature if explore else 0.0)
        outcomes = [
            out
            for one, reply in zip(asked, replies, strict=True)
            for out in self._judge(one, reply)
        ]
        return self._finish(outcomes)

    def _next_to_evaluate(self) -> Asked:
        runners, first = max(1, self.num_workers), max(0, (self.worker_index or 1) - 1)
        index = (first + runners * self._next_evaluated) % len(self.source)
        self._next_evaluated += 1
        prompt = self.canonical_prompt(index)
        return Asked(index, tuple(range(len(prompt.images))), prompt, replies=1)

    def canonical_prompt(self, index: int) -> Prompt:
        """A question as the environment shows it in canonical order."""
        order = tuple(range(len(self.source[index].images)))
        observation = self._reset(index, order)
        return Prompt(tuple(observation["images"]), observation["text"], index)

    # ------------------------------------------------------------------------------ metrics

    def _finish(self, outcomes: Sequence[Outcome]) -> list[SingleAgentEpisode]:
        """Log all outcomes, call the user's callbacks, and give an episode for each outcome."""
        log_outcomes(self.metrics, outcomes)
        episodes = [outcome.as_episode() for outcome in outcomes]
        for episode in episodes:
            self._callback("on_episode_end", episode=episode, prev_episode_chunks=[],
                           env=self.env, env_index=0, rl_module=None)  # fmt: skip
        self._callback("on_sample_end", samples=episodes)
        return episodes

    @override(EnvRunner)
    def get_metrics(self) -> dict[str, Any]:
        """The figures since the last call."""
        return self.metrics.reduce()

    # -------------------------------------------------------------------------------- state

    @override(Checkpointable)
    def get_state(self, components=None, *, not_components=None, **kwargs: Any) -> dict[str, Any]:
        """Nothing but the weights' number: the driver owns the schedule, the learners the weights."""
        return {WEIGHTS_SEQ_NO: self._weights_seq_no}

    @override(Checkpointable)
    def set_state(self, state: dict[str, Any]) -> None:
        """Take weights; also older ones, as when a checkpoint is restored."""
        if COMPONENT_RL_MODULE not in state or self.engine is None:
            return
        weights = state[COMPONENT_RL_MODULE]
        if isinstance(weights, ray.ObjectRef):
            weights = ray.get(weights)
        weights = weights.get(DEFAULT_MODULE_ID, weights)
        if not weights:  # RLlib's own first state of a model that is split over learners
            return
        if self.config.lora is not None:
            weights = {
                **self._base_weights,
                **merge_into(self._base_weights, weights, self.config.lora),
            }
        self.engine.set_weights(weights)
        self._weights_seq_no = state.get(WEIGHTS_SEQ_NO, 0)

    @override(Checkpointable)
    def get_ctor_args_and_kwargs(self) -> tuple[tuple, dict[str, Any]]:
        """How to make another one."""
        return (), {"config": self.config, "env_creator": self._env_creator}


def question_source(env: gymnasium.Env) -> QuestionSource:
    """The questions of an environment.

    Raises:
        InputError: it has none.
    """
    source = getattr(env.unwrapped, "source", None)
    if not isinstance(source, QuestionSource):
        raise InputError("environment without questions", where="env.unwrapped.source",
                         expected="a QuestionSource, as perl_env's environments have", got=type(source).__name__)  # fmt: skip
    return source


def shared_pictures(
    images: Sequence[np.ndarray], order: Order, first_order: Order, first: Prompt
) -> tuple[np.ndarray, ...]:
    """``images``, with the arrays of another prompt in place of equal ones.

    So a picture that is shown in several orders is held, and sent to the learners, once. A wrapper
    that changes pictures by their slot keeps its own.
    """
    slots = [first_order.index(source) for source in order]
    return tuple(
        first.images[slot] if np.array_equal(image, first.images[slot]) else image
        for image, slot in zip(images, slots, strict=True)
    )
