"""GRPO over groups of orders, as an RLlib algorithm.

A training step: the driver draws questions from its schedule; the EnvRunners play them as whole groups;
groups that teach nothing are replaced; the learners update; the new weights travel to the runners.
"""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.fs
import torch.distributed as dist
from ray import tune
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.core import COMPONENT_LEARNER_GROUP, COMPONENT_RL_MODULE, DEFAULT_MODULE_ID
from ray.rllib.env.env_context import EnvContext
from ray.rllib.utils.annotations import override
from ray.rllib.utils.metrics import (
    ENV_RUNNER_RESULTS,
    ENV_RUNNER_SAMPLING_TIMER,
    EVALUATION_RESULTS,
    LEARNER_RESULTS,
    LEARNER_UPDATE_TIMER,
    NUM_ENV_STEPS_SAMPLED_LIFETIME,
    SYNCH_WORKER_WEIGHTS_TIMER,
    TIMERS,
    WEIGHTS_SEQ_NO,
)

from agents.env_runner import GroupEnvRunner, question_source
from agents.group_filter import FilterCounts
from agents.grpo_config import GRPOConfig
from agents.order_schedule import GroupPlan, OrderSchedule
from agents.preflight import PreflightReport
from agents.preflight_run import run_preflight
from agents.processing import PromptProcessor
from agents.sample_ahead import SampleAhead
from agents.training_data import Group, GroupTrainingData, split_minibatches
from agents.weight_buckets import put_weights

__all__ = ["GRPO", "GRPOConfig"]

logger = logging.getLogger(__name__)

_SCHEDULE = "order_schedule"
_MINIBATCH_STREAM = 3
#: So many rounds of lost groups in a row end the run: then it is no accident.
_MAX_FAILED_ROUNDS = 10
_GROUPS = "groups"


@dataclass(frozen=True)
class Sample:
    """What a training step learns from.

    Attributes:
        groups: those that the filter kept.
        counts: what it saw and dropped.
        metrics: of the runners that played.
        weights_seq_no: number of the weights that they played with.
    """

    groups: list[Group]
    counts: FilterCounts
    metrics: list[dict]
    weights_seq_no: int


class GRPO(Algorithm):
    """Group relative policy optimization in which a group holds several orders of a question.

    The driver owns what is asked (``OrderSchedule``), so the number of EnvRunners does not matter,
    and a group that is lost with its runner is played by another. The state of a checkpoint is the
    learners' plus the schedule's counter; all randomness follows from the seed and that counter.
    With 0 EnvRunners on a CPU two runs of one seed are equal bit for bit; with more, random streams
    are the same, but batches differ and with them the last bits of log-probabilities.
    """

    config: GRPOConfig

    @classmethod
    @override(Algorithm)
    def get_default_config(cls) -> GRPOConfig:
        """PeRL's settings."""
        return GRPOConfig()

    @override(Algorithm)
    def setup(self, config: GRPOConfig) -> None:
        """Build runners and learners; called by RLlib."""
        self._synced_seq_no = 0
        self._last_sent: Any = None
        self._holds_gathered = False
        #: Held while groups are played: their weights may not change meanwhile.
        self._sampling = threading.RLock()
        super().setup(config)
        self._schedule = OrderSchedule(
            self._num_questions(),
            self.config.seed or 0,
            self.config.order_schedule,
            self.config.order_probability,
            self.config.total_steps,
        )
        self._steps = 0
        self._sampled_steps = 0
        self._ahead = SampleAhead(self._sample, self._schedule_state, self.config.async_steps)
        self._sync_weights()
        self._preflight_is_due = self.config.preflight

    @override(Algorithm)
    def cleanup(self) -> None:
        """Wait for what is being sampled, then free everything."""
        if hasattr(self, "_ahead"):  # not where setting up failed
            self._ahead.close()
        super().cleanup()

    def _num_questions(self) -> int:
        local = self.env_runner_group.local_env_runner
        if local is not None:
            return len(local.source)
        env = self.env_creator(EnvContext(self.config.env_config, worker_index=0))
        try:
            return len(question_source(env))
        finally:
            env.close()

    @override(Algorithm)
    def step(self) -> dict[str, Any]:
        """One iteration; called by RLlib.

        An evaluation is told in the step in which it took place: RLlib's logger would give its figures
        to the next step a second time.
        """
        result = super().step()
        interval = self.config.evaluation_interval
        if not (interval and (self.iteration + 1) % interval == 0):
            result.pop(EVALUATION_RESULTS, None)
        return result

    @override(Algorithm)
    def training_step(self) -> None:
        """Sample, filter, update, send weights; with ``async_steps`` the next samples meanwhile.

        Before the first time, engine and learner are compared.
        """
        if self._preflight_is_due:
            self.preflight().check()
        with self.metrics.log_time((TIMERS, ENV_RUNNER_SAMPLING_TIMER)):
            sample = self._ahead.take()
        self._log_sample(sample)
        if sample.groups:
            with self.metrics.log_time((TIMERS, LEARNER_UPDATE_TIMER)):
                self._learn(sample.groups)
            with self.metrics.log_time((TIMERS, SYNCH_WORKER_WEIGHTS_TIMER)), self._sampling:
                self._sync_weights()
        self._steps += 1

    def preflight(self) -> PreflightReport:
        """Compare engine and learner; called by itself before a run's first update.

        Raises:
            InputError: an engine that cannot be compared, or that does not take the task's prompts.
        """
        with self._sampling:
            report = run_preflight(self)
        self._preflight_is_due = False
        logger.info("preflight\n%s", report)
        return report

    def _learn(self, groups: Sequence[Group]) -> None:
        rng = np.random.default_rng([self._schedule.seed, _MINIBATCH_STREAM, self._steps])
        sampled = (ENV_RUNNER_RESULTS, NUM_ENV_STEPS_SAMPLED_LIFETIME)
        results = self.learner_group.update(
            training_data=GroupTrainingData(
                minibatches=split_minibatches(groups, self.config.minibatches, rng)
            ),
            timesteps={NUM_ENV_STEPS_SAMPLED_LIFETIME: self.metrics.peek(sampled, default=0)},
        )
        self.metrics.aggregate(results, key=LEARNER_RESULTS)

    # ------------------------------------------------------------------------------ sampling

    def _sample(self) -> Sample:
        """The step's groups; those that the filter drops are replaced, up to a number of rounds."""
        with self._sampling:
            return self._sample_with(self._synced_seq_no)

    def _sample_with(self, weights_seq_no: int) -> Sample:
        counts = FilterCounts()
        kept: list[Group] = []
        metrics: list[dict] = []
        missing = self.config.questions_per_step
        while True:
            plans = self._schedule.next_groups(missing, self._sampled_steps)
            groups = self._play(plans, metrics)
            for group in groups:
                counts.add(group.order_class, group.drop_reason)
            kept += [group for group in groups if group.drop_reason is None]
            missing = self.config.questions_per_step - len(kept)
            if missing == 0 or counts.refill_rounds == self.config.max_refill_rounds:
                break
            counts.refill_rounds += 1
        self._sampled_steps += 1
        return Sample(kept, counts, metrics, weights_seq_no)

    def _log_sample(self, sample: Sample) -> None:
        self.metrics.aggregate(sample.metrics, key=ENV_RUNNER_RESULTS)
        self.metrics.log_dict(sample.counts.metrics(), key=_GROUPS, reduce="mean")
        log, kept = self.metrics.log_value, sample.groups
        behind = self._synced_seq_no - sample.weights_seq_no
        log((_GROUPS, "off_policy_steps"), behind, reduce="mean")
        log((_GROUPS, "groups_learned_from"), len(kept), reduce="mean")
        if kept:
            spreads = [float(np.std(group.rewards)) for group in kept]
            log((_GROUPS, "reward_std"), float(np.mean(spreads)), reduce="mean")
            log((_GROUPS, "order_probability"), kept[0].plan.order_probability, reduce="mean")

    def _play(self, plans: Sequence[GroupPlan], metrics: list[dict]) -> list[Group]:
        """The planned groups, in the sequence of their plans, whoever played them.

        The runners' metrics are added to ``metrics``.
        """
        local = self.env_runner_group.local_env_runner
        if self.env_runner_group.num_remote_env_runners() == 0:
            groups = local.play_groups(plans)
            metrics.append(local.get_metrics())
            return groups
        played: dict[int, Group] = {}
        failed_rounds = 0
        while pending := [plan for plan in plans if plan.counter not in played]:
            groups, theirs = self._play_remotely(pending)
            metrics.extend(theirs)
            played |= {group.plan.counter: group for group in groups}
            failed_rounds = 0 if groups else failed_rounds + 1
            if failed_rounds > _MAX_FAILED_ROUNDS:
                raise RuntimeError(
                    f"{len(pending)} groups could not be played: EnvRunners keep failing; their "
                    "logs say why (num_env_runners=0 shows the error itself)"
                )
        return [played[plan.counter] for plan in plans]

    def _play_remotely(self, plans: Sequence[GroupPlan]) -> tuple[list[Group], list[dict]]:
        """One round: what the healthy runners make of the plans. Some or all may get lost."""
        workers = self.env_runner_group.healthy_env_runner_ids()
        if not workers:
            self._wait_for_a_runner()
            return [], []
        work = {worker: list(plans[i :: len(workers)]) for i, worker in enumerate(workers)}
        answers = self.env_runner_group.foreach_env_runner(
            _play_on_runner,
            kwargs={"work": work, "weights_seq_no": self._synced_seq_no},
            remote_worker_ids=[worker for worker in workers if work[worker]],
            local_env_runner=False,
            timeout_seconds=self.config.sample_timeout_s,
        )
        # Ray restarts a runner that died between two calls, and RLlib does not notice: it would play
        # with the weights of the beginning. It says so instead, gets the weights and plays next round.
        if stale := [worker for worker, groups, _ in answers if groups is None]:
            self._send_weights(self.env_runner_group, stale)
        answers = [answer for answer in answers if answer[1] is not None]
        return [g for _, groups, _ in answers for g in groups], [m for _, _, m in answers]

    def _wait_for_a_runner(self) -> None:
        """All runners are gone: until Ray has restarted one, or for as long as the user allows."""
        deadline = time.monotonic() + self.config.env_runner_restore_timeout_s
        while not self.restore_env_runners(self.env_runner_group):
            if time.monotonic() > deadline:
                raise RuntimeError("all EnvRunners are lost and none came back")
            time.sleep(0.2)

    # ------------------------------------------------------------------------------- weights

    def _weights(self) -> tuple[dict[str, Any], int]:
        """The learners' weights, put into the object store once, and their number."""
        if self.learner_group.is_local and self.env_runner_group.num_remote_env_runners() == 0:
            state = _module_state(self.learner_group._learner)
            return state, state[WEIGHTS_SEQ_NO]
        if self.learner_group.is_local:
            found = _put_weights(self.learner_group._learner)
            assert found is not None
            return found
        # Learners that share a model give it together; the first one has it.
        everyone = self.learner_group._worker_manager.actor_ids()
        givers = everyone if self.config.shard_weights else everyone[:1]
        answers = self.learner_group.foreach_learner(_put_weights, remote_actor_ids=givers)
        return next(found for answer in answers if (found := answer.get()) is not None)

    def _sync_weights(self, group: Any = None) -> None:
        """Send the weights of now and wait: RLlib's own way drops them where one is still on its way."""
        weights, self._synced_seq_no = self._weights()
        # Whoever samples ahead may lose a runner while the learners are at work: it gets these again.
        self._last_sent = weights if self.config.async_steps else None
        self._send(weights, group or self.env_runner_group, None)

    def _send_weights(self, group: Any, worker_ids: Collection[int]) -> None:
        """Send runners that came back the weights that all others have."""
        weights = self._weights()[0] if self._last_sent is None else self._last_sent
        self._send(weights, group, worker_ids)

    def _send(self, weights: Any, group: Any, worker_ids: Collection[int] | None) -> None:
        if group.num_remote_env_runners() > 0:
            group.foreach_env_runner(
                "set_state",
                kwargs={"state": weights},  # references to weights: each runner reads them itself
                remote_worker_ids=worker_ids,
                local_env_runner=False,
                timeout_seconds=None,
            )
        if group.local_env_runner is not None:
            group.local_env_runner.set_state(weights)

    @override(Algorithm)
    def restore_env_runners(self, env_runner_group: Any) -> list[int]:
        """Bring back runners that were restarted: with the weights of now."""
        if env_runner_group is None:
            return []
        with self._sampling:
            restored = env_runner_group.probe_unhealthy_env_runners() or []
            if restored:
                self._send_weights(env_runner_group, restored)
        return restored

    @override(Algorithm)
    def _before_evaluate(self) -> None:
        if self.eval_env_runner_group is not None:
            self._sync_weights(self.eval_env_runner_group)

    # ---------------------------------------------------------------------------------- state

    @override(Algorithm)
    def get_state(self, components=None, *, not_components=None, **kwargs: Any) -> dict[str, Any]:
        """RLlib's state and the schedule's."""
        with self._gathered_state():
            state = super().get_state(components, not_components=not_components, **kwargs)
        # What has been sampled ahead is not saved: its questions are asked again.
        state[_SCHEDULE] = {**self._ahead.state(), "steps": self._steps}
        return state

    @contextmanager
    def _gathered_state(self) -> Iterator[None]:
        """Inside, the first learner can be asked for the state of a model that all share."""
        if not self.config.shard_weights or self._holds_gathered:
            yield
            return
        self._holds_gathered = True
        try:
            self.learner_group.foreach_learner(lambda learner: learner.gather_state())
            yield
        finally:
            self.learner_group.foreach_learner(lambda learner: learner.drop_gathered_state())
            self._holds_gathered = False

    def _schedule_state(self) -> dict[str, Any]:
        return {"sampled_steps": self._sampled_steps, **self._schedule.get_state()}

    @override(Algorithm)
    def set_state(self, state: dict[str, Any]) -> None:
        """Go on where another run stood."""
        self._ahead.drop()
        super().set_state(state)
        if _SCHEDULE in state:
            self._schedule.set_state(state[_SCHEDULE])
            self._steps = state[_SCHEDULE]["steps"]
            self._sampled_steps = state[_SCHEDULE]["sampled_steps"]
        if COMPONENT_LEARNER_GROUP in state:
            self._sync_weights()

    @override(Algorithm)
    def save_to_path(
        self, path: str | Path | None = None, *, filesystem: Any = None, **kwargs: Any
    ) -> str:
        """Write a checkpoint, to an absolute path or a URI; it also holds the processor."""
        with self._gathered_state():
            saved = super().save_to_path(path, filesystem=filesystem, **kwargs)
        if filesystem is None:
            filesystem, _ = pyarrow.fs.FileSystem.from_uri(str(path or saved))
        place = f"{saved}/processor"
        filesystem.create_dir(place)
        with tempfile.TemporaryDirectory() as folder:
            PromptProcessor(self.config.model_path, self.config.max_pixels).save(folder)
            pyarrow.fs.copy_files(folder, place, destination_filesystem=filesystem)
        return saved

    @override(Algorithm)
    def restore_from_path(self, path: str | Path, *args: Any, **kwargs: Any) -> None:
        """Read a checkpoint and give its weights to all runners."""
        super().restore_from_path(path, *args, **kwargs)
        self._sync_weights()


def _play_on_runner(
    runner: GroupEnvRunner, work: dict[int, list[GroupPlan]], weights_seq_no: int
) -> tuple[int, list[Group] | None, dict | None]:
    """Runs in the runner's process; None instead of groups where it has other weights."""
    if runner._weights_seq_no != weights_seq_no:
        return runner.worker_index, None, None
    groups = runner.play_groups(work[runner.worker_index])
    return runner.worker_index, groups, runner.get_metrics()


def _module_state(learner: Any) -> dict[str, Any]:
    state = learner.get_state(components=[COMPONENT_RL_MODULE], inference_only=True)
    return {key: state[key] for key in (COMPONENT_RL_MODULE, WEIGHTS_SEQ_NO)}


def _put_weights(learner: Any) -> tuple[dict[str, Any], int] | None:
    """Runs in the learners' processes, so that the weights never pass through the driver."""
    if learner._sharded and dist.get_rank() > 0:
        for _ in learner.weights_to_send():
            pass
        return None
    weights, number = put_weights(learner.weights_to_send()), learner._weights_seq_no
    return {COMPONENT_RL_MODULE: {DEFAULT_MODULE_ID: weights}, WEIGHTS_SEQ_NO: number}, number


tune.register_trainable("GRPO", GRPO)
