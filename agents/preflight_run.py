"""Asks the engine of a run's players and its learners, and sends changed weights there and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import ray
import torch
from ray.rllib.core import COMPONENT_RL_MODULE, DEFAULT_MODULE_ID

from agents.engines.base import Prompt, TrainableEngine
from agents.losses import Totals
from agents.order_schedule import GroupPlan
from agents.preflight import (
    CANDIDATES,
    EngineAnswer,
    LearnerAnswer,
    PreflightReport,
    Variant,
    ask_engine,
    choose_questions,
    compare_digests,
    compare_logprobs,
    compare_prompts,
    image_runs,
    largest_difference,
    mean_difference,
    tolerance_for,
)
from agents.training_data import Group, OrderRollouts
from perl_env.errors import InputError

if TYPE_CHECKING:
    from agents.env_runner import GroupEnvRunner
    from agents.grpo import GRPO
    from agents.learner import GRPOTorchLearner


def run_preflight(algorithm: GRPO) -> PreflightReport:
    """Compare a run's engine and learner; afterwards both have the weights that they had.

    Prompts and pictures come from the run's environment in canonical order. Weights that all differ are
    sent to the engine by the run's own way, compared, and the first ones are sent again.

    Raises:
        InputError: an engine that cannot be compared, or that does not take the task's prompts.
    """
    prompts, engine = _ask_engine(algorithm)
    learner = _ask_learner(algorithm, prompts, engine)
    tolerance = algorithm.config.preflight_tolerance
    if tolerance is None:
        tolerance = tolerance_for(engine, learner)
    counts = sorted({len(prompt.images) for prompt in prompts})
    compared = [
        f"engine {engine.name} in {engine.dtype}, learner in {learner.dtype}; {len(prompts)} prompts "
        f"with {', '.join(map(str, counts))} pictures"
    ]
    findings = compare_prompts(engine.token_ids, learner.token_ids, learner.image_token_id)
    if findings:  # then log-probabilities differ, too, and say nothing
        return PreflightReport(tuple(compared), tuple(findings))
    runs = [n for ids in learner.token_ids for n in image_runs(ids, learner.image_token_id)[1]]
    compared.append(
        f"prompt token ids: equal; image tokens a picture: equal, {min(runs, default=0)} to "
        f"{max(runs, default=0)}"
    )
    compared.append(_distance("log-probabilities", engine, learner, tolerance))
    if mean_difference(engine, learner) > tolerance:
        variants: tuple[Variant, ...] = ("no temperature", "image tokens possible")
        answers = {v: _ask_learner(algorithm, prompts, engine, v) for v in variants}
        findings = compare_logprobs(engine, {"configured": learner, **answers}, tolerance)
        return PreflightReport(tuple(compared), tuple(findings))
    lines, findings = _compare_synced(algorithm, engine, tolerance)
    return PreflightReport((*compared, *lines), tuple(findings))


def _compare_synced(algorithm: GRPO, before: EngineAnswer, tolerance: float):
    """The same with other weights, which travel by the run's own way; then back to the first."""
    weights, _ = algorithm._weights()
    moved_weights = algorithm.learner_group.foreach_learner(_move_weights)
    all_trained = moved_weights.result_or_errors[0].get()
    try:
        algorithm._sync_weights()
        prompts, moved = _ask_engine(algorithm)
        learner = _ask_learner(algorithm, prompts, moved)
    finally:
        algorithm.learner_group.foreach_learner(_set_weights, state=weights)
        algorithm._sync_weights()
    back = _ask_engine(algorithm)[1]
    lines = [
        _distance("log-probabilities after a sync of other weights", moved, learner, tolerance),
        f"parameters of the engine that were compared: {len(before.digests)}, equal after the way back",
    ]
    findings = compare_logprobs(moved, {"configured": learner}, tolerance, synced=True)
    differing = compare_digests(before.digests, moved.digests, back.digests, all_trained)
    return (lines[:1] if differing else lines), findings + differing


def _distance(what: str, engine: EngineAnswer, learner: LearnerAnswer, tolerance: float) -> str:
    return (
        f"{what}: mean difference {mean_difference(engine, learner):.2g}, largest "
        f"{largest_difference(engine, learner):.2g} (mean at most {tolerance:g})"
    )


# ------------------------------------------------------------------------------ in the players


def _ask_engine(algorithm: GRPO) -> tuple[tuple[Prompt, ...], EngineAnswer]:
    """What the first player's engine says; all have the same."""
    runners = algorithm.env_runner_group
    if runners.num_remote_env_runners() == 0:
        answer = _ask_on_runner(runners.local_env_runner)
    else:
        answers = runners.foreach_env_runner(
            _ask_on_runner,
            remote_worker_ids=runners.healthy_env_runner_ids()[:1],
            local_env_runner=False,
            timeout_seconds=None,
        )
        if not answers:
            raise RuntimeError("the EnvRunner failed in the preflight; its log says why "
                               "(num_env_runners=0 shows the error itself)")  # fmt: skip
        answer = answers[0]
    if isinstance(answer, InputError):
        raise answer
    return answer


def _ask_on_runner(runner: GroupEnvRunner) -> Any:
    """Runs in the player's process. An InputError is handed back: raised, it would restart the process."""
    try:
        if not isinstance(runner.engine, TrainableEngine):
            raise InputError("engine that cannot be compared with a learner", where="engine",
                             expected="one that takes weights", got=runner.config.engine)  # fmt: skip
        candidates = range(min(CANDIDATES, len(runner.source)))
        counts = [len(runner.source[index].images) for index in candidates]
        prompts = tuple(runner.canonical_prompt(index) for index in choose_questions(counts))
        return prompts, ask_engine(runner.engine, prompts, runner.config.temperature)
    except InputError as error:
        return error


# ----------------------------------------------------------------------------- in the learners


def _ask_learner(
    algorithm: GRPO,
    prompts: Sequence[Prompt],
    engine: EngineAnswer,
    variant: Variant = "configured",
) -> LearnerAnswer:
    """What the learners say; all compute the same, since they may hold one model together."""
    results = algorithm.learner_group.foreach_learner(
        _ask_on_learner, prompts=tuple(prompts), engine=engine, variant=variant
    )
    return results.result_or_errors[0].get()


def _ask_on_learner(
    learner: GRPOTorchLearner,
    prompts: Sequence[Prompt],
    engine: EngineAnswer,
    variant: Variant = "configured",
) -> LearnerAnswer:
    """Runs in the learner's process: the very pass that its updates make."""
    processor = learner._processor
    return LearnerAnswer(
        dtype=str(next(learner._model.parameters()).dtype).removeprefix("torch."),
        token_ids=tuple(encoded.input_ids for encoded in processor.encode_many(prompts)),
        logprobs=tuple(
            _logprobs(learner, prompt, reply.token_ids, reply.logprobs, variant)
            for prompt, reply in zip(prompts, engine.replies, strict=True)
        ),
        image_token_id=processor.image_token_id,
    )


def _logprobs(
    learner: GRPOTorchLearner,
    prompt: Prompt,
    token_ids: np.ndarray,
    logprobs: np.ndarray,
    variant: Variant,
) -> np.ndarray:
    """By the learner, of one reply: a group of its own."""
    nothing = np.zeros(1, dtype=np.float32)
    order = tuple(range(len(prompt.images)))
    rollouts = OrderRollouts(order, prompt, (token_ids,), (logprobs,), nothing)
    group = Group(GroupPlan(0, 0, 0, 0.0, 0), "", nothing, nothing > 0, None, (rollouts,))
    totals = Totals(groups=1, replies=1, tokens=len(token_ids))
    (batch,) = learner._batches([group], totals, reference=False)
    replies = batch.replies
    if variant == "no temperature":
        replies = dataclasses.replace(replies, temperature=1.0)
    elif variant == "image tokens possible":
        replies = dataclasses.replace(replies, suppressed=replies.suppressed[:0])
    batch = dataclasses.replace(batch, replies=replies)
    out = learner.module.forward_inference({DEFAULT_MODULE_ID: batch})
    return out[DEFAULT_MODULE_ID]["logprobs"][0, : len(token_ids)].float().cpu().numpy()


@torch.no_grad()
def _move_weights(learner: GRPOTorchLearner) -> bool:
    """Change every parameter that is trained, each by another factor, and little: 2 to 6 per cent.

    Large changes would make a deep model chaotic, and rounding look like a mismatch.

    Returns:
        Whether all parameters are trained.
    """
    parameters = list(learner._model.parameters())
    for number, parameter in enumerate(p for p in parameters if p.requires_grad):
        parameter.mul_(1.02 + 0.01 * (number % 5))
        largest = parameter.abs().amax()
        if hasattr(largest, "full_tensor"):  # a parameter that is split over learners
            largest = largest.full_tensor()
        if not largest:
            parameter.add_(1e-3)
    return all(parameter.requires_grad for parameter in parameters)


def _set_weights(learner: GRPOTorchLearner, state: Any) -> None:
    state = ray.get(state) if isinstance(state, ray.ObjectRef) else state
    weights = state[COMPONENT_RL_MODULE]
    learner.module[DEFAULT_MODULE_ID].unwrapped().set_state(weights.get(DEFAULT_MODULE_ID, weights))
