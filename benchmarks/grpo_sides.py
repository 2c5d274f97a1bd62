"""The two sides of ``benchmarks.grpo_step``, each in a process of its own, alone on the machine.

python -m benchmarks.grpo_sides ours MODEL '{"sizes": {}, "way": {"engine": "vllm"}, "steps": 3}' STEPS.json
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.grpo_task import NoiseEnv, prompts_of

#: Steps of a process that are not measured: caches fill, kernels are chosen.
WARM_UP = 2
#: What passes through the model at once; each side's fastest of several (TRL: 1 to 8 parts of a step, ours:
#: 1 to 3), with small pictures and with large ones.
THEIR_QUESTIONS_AT_ONCE, OUR_TOKENS_AT_ONCE = 2, 6_000


@dataclass(frozen=True)
class StepSizes:
    """What one step works on.

    Attributes:
        questions: asked in a step.
        replies: to each.
        new_tokens: of each reply.
        picture_side: in pixels; a square of 28 is a token.
    """

    questions: int = 8
    replies: int = 12
    new_tokens: int = 64
    picture_side: int = 168


@dataclass(frozen=True)
class Way:
    """How our side works, and on how many threads both do.

    Attributes:
        engine: what generates.
        threads: of each side.
        overlapped: the next step's rollouts are made by an EnvRunner of one thread while the learner
            works on the others. A step ends when both are done.
    """

    engine: str = "transformers"
    threads: int = 1
    overlapped: bool = False

    @property
    def name(self) -> str:
        """Of the results."""
        parts = [
            "grpo_step",
            self.engine if self.engine != "transformers" else "",
            f"{self.threads}_threads" if self.threads > 1 else "",
            "overlapped" if self.overlapped else "",
        ]
        return "_".join(filter(None, parts))

    @property
    def measured(self) -> dict[str, tuple[str, ...]]:
        """Which parts of a step are told, by kind of second: overlapped ones cannot be told apart."""
        if self.overlapped:
            return {"clock": ("whole",)}
        return dict.fromkeys(("processor", "clock"), ("whole", "rollout", "update"))


class Stopwatch:
    """Seconds by part, of the clock and of this process' threads, one value a step."""

    def __init__(self):
        self.steps: list[dict[str, tuple[float, float]]] = []

    def begin(self) -> None:
        """A step begins."""
        self.steps.append(defaultdict(lambda: (0.0, 0.0)))

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Adds what is done inside to a part of the step."""
        started = time.perf_counter(), time.process_time()
        yield
        taken = time.perf_counter() - started[0], time.process_time() - started[1]
        if self.steps:
            clock, processor = self.steps[-1][name]
            self.steps[-1][name] = clock + taken[0], processor + taken[1]

    def timed(self, name: str, work: Callable) -> Callable:
        """``work``, which adds its time to a part."""

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self.part(name):
                return work(*args, **kwargs)

        return wrapped


class Ours:
    """Our algorithm.

    Args:
        folder: model and processor.
        sizes: of a step.
        way: how it works.
        orders: of each question; 1 is the canonical one alone.
    """

    def __init__(self, folder: Path, sizes: StepSizes, way: Way, orders: int = 1):
        from agents import GRPOConfig

        self.watch = Stopwatch()
        settings = {"max_model_len": 1024} if way.engine == "vllm" else {}
        env = {"questions": sizes.questions, "picture_side": sizes.picture_side}
        self.algorithm = (
            GRPOConfig()
            .environment(NoiseEnv, env_config=env)
            .pretrained(folder, dtype="float32")
            .training(
                orders_per_question=orders,
                rollouts_per_order=sizes.replies // orders,
                questions_per_step=sizes.questions,
                minibatches=1,
                micro_batch_tokens=OUR_TOKENS_AT_ONCE,
                kl_coefficient=0.0,
                async_steps=int(way.overlapped),
            )
            .env_runners(
                num_env_runners=int(way.overlapped),
                max_new_tokens=sizes.new_tokens,
                engine=way.engine,
                engine_settings=settings,
                preflight=False,
            )
            .learners(num_learners=0)
            .debugging(seed=0, log_level="ERROR")
            .build_algo()
        )
        algorithm: Any = self.algorithm
        algorithm._ahead.take = self.watch.timed("rollout", algorithm._ahead.take)
        algorithm._learn = self.watch.timed("update", algorithm._learn)
        algorithm._sync_weights = self.watch.timed("sync", algorithm._sync_weights)

    def step(self) -> None:
        """Sample, update, send weights."""
        self.watch.begin()
        with self.watch.part("whole"):
            result = self.algorithm.train()
        self.tokens = result["learners"]["default_policy"]["tokens"]


def train_ours(folder: Path, sizes: StepSizes, way: Way, steps: int) -> Stopwatch:
    """Our algorithm for so many steps."""
    import torch

    torch.set_num_threads(way.threads - way.overlapped)
    ours = Ours(folder, sizes, way)
    for _ in range(steps):
        ours.step()
        assert ours.tokens == sizes.questions * sizes.replies * sizes.new_tokens
    ours.algorithm.stop()
    return ours.watch


def train_theirs(folder: Path, sizes: StepSizes, way: Way, steps: int) -> Stopwatch:
    """TRL's trainer for so many steps."""
    import torch
    from datasets import Dataset
    from transformers import AutoModelForImageTextToText, AutoProcessor, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    torch.set_num_threads(way.threads)
    watch = Stopwatch()
    processor = AutoProcessor.from_pretrained(str(folder))

    class Trainer(GRPOTrainer):
        """Notes when it samples."""

        def _generate_and_score_completions(self, inputs):
            with watch.part("rollout"):
                self.sampled = super()._generate_and_score_completions(inputs)
            return self.sampled

    class Timed(TrainerCallback):
        """Times a step."""

        def on_step_begin(self, args, state, control, **kwargs):
            watch.begin()
            self._part = watch.part("whole")
            self._part.__enter__()

        def on_step_end(self, args, state, control, **kwargs):
            self._part.__exit__(None, None, None)
            _check_batch(trainer.sampled, folder, sizes)

    trainer = Trainer(
        model=AutoModelForImageTextToText.from_pretrained(str(folder), dtype=torch.float32),
        processing_class=processor,
        reward_funcs=_their_reward,
        args=GRPOConfig(
            output_dir=str(folder.parent / "trainer"),
            per_device_train_batch_size=THEIR_QUESTIONS_AT_ONCE * sizes.replies,
            gradient_accumulation_steps=sizes.questions // THEIR_QUESTIONS_AT_ONCE,
            num_generations=sizes.replies,
            max_completion_length=sizes.new_tokens,
            max_steps=steps,
            loss_type="grpo",
            beta=0.0,
            gradient_checkpointing=False,
            bf16=False,
            use_cpu=True,
            generation_kwargs={"suppress_tokens": _never_sampled(folder)},
            report_to="none",
            save_strategy="no",
            logging_steps=steps + 1,
            disable_tqdm=True,
            seed=0,
        ),
        train_dataset=Dataset.from_list(_their_rows(sizes)),
        callbacks=[Timed()],
    )
    trainer.train()
    for step in watch.steps:
        step["update"] = tuple(np.subtract(step["whole"], step["rollout"]))
    return watch


def _check_batch(output: dict[str, Any], folder: Path, sizes: StepSizes) -> None:
    """Their prompts must be ours, token by token, and no reply of theirs may end early."""
    shape = sizes.questions * sizes.replies, sizes.new_tokens
    assert tuple(output["completion_mask"].shape) == shape
    assert output["completion_mask"].all()
    theirs = {
        tuple(ids[mask.bool()].tolist())
        for ids, mask in zip(output["prompt_ids"], output["prompt_mask"], strict=True)
    }
    assert theirs == prompts_of(folder, sizes.questions, sizes.picture_side)


def _never_sampled(folder: Path) -> list[int]:
    from agents.processing import PromptProcessor

    return sorted(PromptProcessor(folder).image_token_ids)


def _their_reward(completions, **kwargs) -> list[float]:
    from benchmarks.grpo_task import reply_reward

    return [reply_reward(completion[0]["content"]) for completion in completions]


def _their_rows(sizes: StepSizes) -> list[dict]:
    """The questions as TRL takes them: the same messages that our processor makes."""
    from PIL import Image

    from agents.processing import chat_content
    from benchmarks.grpo_task import questions

    return [
        {
            "prompt": [
                {"role": "user", "content": chat_content(len(question.images), question.text)}
            ],
            "images": [Image.fromarray(np.asarray(image)) for image in question.images],
        }
        for question in questions(sizes.questions, sizes.picture_side)
    ]


def main(arguments: list[str]) -> None:
    """Run one side and write the seconds of its measured steps, by part: of the clock, of the processor."""
    side, folder, described, out = arguments
    given = json.loads(described)
    sizes, way = StepSizes(**given["sizes"]), Way(**given["way"])
    train = {"ours": train_ours, "theirs": train_theirs}[side]
    watch = train(Path(folder), sizes, way, WARM_UP + given["steps"])
    Path(out).write_text(json.dumps(watch.steps[WARM_UP:]))


if __name__ == "__main__":
    main(sys.argv[1:])
