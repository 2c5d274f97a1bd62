"""What a configured run needs of its devices: memory and operations, counted before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from agents.flops import StepFlops, StepShape, count_step
from agents.grpo_config import GRPOConfig
from agents.memory_budget import (
    GIB,
    EngineSetup,
    Item,
    LearnerSetup,
    check_fits,
    engine_memory,
    learner_memory,
    total_bytes,
)
from agents.model_shape import ModelShape, count_adapters, read_model_shape

#: Of a question and the instruction, pictures apart, where nothing better is known.
TEXT_TOKENS = 256


@dataclass(frozen=True)
class Workload:
    """What a question looks like at most.

    Attributes:
        images: its pictures.
        pixels: of a picture.
        text_tokens: of the prompt beside the pictures.
    """

    images: int
    pixels: int
    text_tokens: int = TEXT_TOKENS


@dataclass(frozen=True)
class Budget:
    """A run's needs.

    Attributes:
        model: the model's sizes.
        step: what one training step works on at most.
        flops: operations of one step.
        learner: memory of one learner's device.
        engine: memory of one rollout engine's device.
        learners: how many learners there are.
        engines: how many rollout engines there are.
    """

    model: ModelShape
    step: StepShape
    flops: StepFlops
    learner: list[Item]
    engine: list[Item]
    learners: int
    engines: int

    def check(self, device_bytes: float) -> None:
        """Check that a learner and an engine each fit on a device of their own.

        Raises:
            InputError: one does not.
        """
        check_fits(self.learner, device_bytes, "memory of a learner's device")
        check_fits(self.engine, device_bytes, "memory of a rollout engine's device")

    def lines(self) -> list[str]:
        """The budget in words and figures, one part a line."""
        step, flops = self.step, self.flops
        lines = [
            f"model {self.model.name}: {self.model.total_parameters / 1e9:,.3g} billion parameters",
            f"a step at most: {step.questions} questions × {step.orders} orders × "
            f"{step.rollouts_per_order} rollouts; prompts of {step.prompt_tokens} tokens "
            f"({step.images} pictures of {step.image_tokens}), replies of {step.reply_tokens}",
            f"operations a step: rollouts {flops.rollouts:.3g}, update {flops.shared_update:.3g} "
            f"(a prompt once a reply: {flops.plain_update:.3g})",
        ]
        for name, count, items in (
            ("learner", self.learners, self.learner), ("rollout engine", self.engines, self.engine),
        ):  # fmt: skip
            lines.append(f"memory of each of {count} {name}s: {total_bytes(items) / GIB:.3g} GiB")
            lines += [f"  {i.what}: {i.bytes / GIB:.3g} GiB ({i.how})" for i in items]
        return lines


def count_budget(config: GRPOConfig, workload: Workload) -> Budget:
    """The needs of a run.

    Raises:
        InputError: the model's folder has no configuration of a model that can be counted.
    """
    settings = config.model_config
    model = read_model_shape(config.model_path)
    pixels = min(workload.pixels, config.max_pixels or workload.pixels)
    step = StepShape(
        questions=config.questions_per_step,
        orders=config.orders_per_question,
        rollouts_per_order=config.rollouts_per_order,
        images=workload.images,
        image_tokens=model.vision.tokens(pixels),
        text_tokens=workload.text_tokens,
        reply_tokens=config.max_new_tokens,
    )
    checkpointing, reference = (
        bool(settings.get("gradient_checkpointing")),
        config.kl_coefficient > 0,
    )
    flops = count_step(model, step, checkpointing=checkpointing, reference=reference)
    adapters = None if config.lora is None else count_adapters(config.model_path, config.lora)
    learner = LearnerSetup(
        learners=max(1, config.num_learners),
        sharded=config.shard_weights,
        compute_bytes=_compute_bytes(config),
        micro_batch_tokens=config.micro_batch_tokens,
        gradient_checkpointing=checkpointing,
        reference=reference,
        trained_parameters=adapters,
    )
    engine = EngineSetup(
        devices=int(config.engine_settings.get("tensor_parallel_size", 1)),
        # One question's group at the least; more make it faster.
        tokens=step.orders * (step.prompt_tokens + step.rollouts_per_order * step.reply_tokens),
    )
    return Budget(
        model, step, flops, learner_memory(model, learner), engine_memory(model, engine),
        learner.learners, max(1, config.num_env_runners),
    )  # fmt: skip


def _compute_bytes(config: GRPOConfig) -> int:
    dtype = config.model_config.get("compute_dtype") or config.model_config.get("dtype", "float32")
    return 4 if dtype == "float32" else 2


def device_bytes(stated_gib: float | None) -> float | None:
    """Memory of a device: as stated, else of this machine's first GPU; ``None`` where there is none."""
    if stated_gib is not None:
        return stated_gib * GIB
    if torch.cuda.is_available():
        return float(torch.cuda.get_device_properties(0).total_memory)
    return None
