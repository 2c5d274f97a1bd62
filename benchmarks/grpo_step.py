"""One optimizer step of ours and of TRL's ``GRPOTrainer`` on the same model, prompts and sizes.

Needs the extra ``bench``. Both run by turns, on one thread if not told otherwise: after each of its steps
TRL's trainer lets ours make one. The first step of each is left out. All questions are asked in canonical order,
so that both see the same prompts, and no reply ends before its last token.

    python -m benchmarks.grpo_step
    python -m benchmarks.grpo_step --engine vllm
    python -m benchmarks.grpo_step --engine vllm --threads 2
    python -m benchmarks.grpo_step --engine vllm --threads 2 --overlapped
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.grpo_task import NoiseEnv, build_folder, prompts_of
from benchmarks.results import called, write_results

REPEATS = 7


@dataclass(frozen=True)
class StepSizes:
    """What one step works on.

    Attributes:
        questions: asked in a step.
        replies: to each.
        new_tokens: of each reply.
        picture_side: in pixels; 28 of them are a token.
    """

    questions: int = 8
    replies: int = 12
    new_tokens: int = 64
    picture_side: int = 168


SIZES, TINY_SIZES = StepSizes(), StepSizes(2, 3, 4, 56)


@dataclass(frozen=True)
class Way:
    """How our side works, and on how many threads both do.

    Attributes:
        engine: what generates.
        threads: of each side.
        overlapped: the next step's rollouts are made by an EnvRunner of one thread while the learner
            works on the others. A step ends when both are done, so that nothing of ours runs in TRL's turn.
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
        self._threads = way.threads - way.overlapped
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
        with torch_threads(self._threads):
            self.watch.begin()
            with self.watch.part("whole"):
                result = self.algorithm.train()
        self.tokens = result["learners"]["default_policy"]["tokens"]


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Inside, torch computes with so many threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train_theirs(
    folder: Path, sizes: StepSizes, steps: int, after_step: Callable[[], None]
) -> Stopwatch:
    """TRL's trainer for so many steps; ``after_step`` is called after each."""
    import torch
    from datasets import Dataset
    from transformers import AutoModelForImageTextToText, AutoProcessor, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    watch = Stopwatch()
    processor = AutoProcessor.from_pretrained(str(folder))

    class Trainer(GRPOTrainer):
        """Notes when it samples."""

        def _generate_and_score_completions(self, inputs):
            with watch.part("rollout"):
                self.sampled = super()._generate_and_score_completions(inputs)
            return self.sampled

    class Turns(TrainerCallback):
        """Times a step, then lets the other side make one."""

        def on_step_begin(self, args, state, control, **kwargs):
            watch.begin()
            self._part = watch.part("whole")
            self._part.__enter__()

        def on_step_end(self, args, state, control, **kwargs):
            self._part.__exit__(None, None, None)
            _check_batch(trainer.sampled, folder, sizes)
            after_step()

    trainer = Trainer(
        model=AutoModelForImageTextToText.from_pretrained(str(folder), dtype=torch.float32),
        processing_class=processor,
        reward_funcs=_their_reward,
        args=GRPOConfig(
            output_dir=str(folder.parent / "trainer"),
            per_device_train_batch_size=sizes.questions * sizes.replies,
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
        callbacks=[Turns()],
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


def figures_of(watch: Stopwatch, way: Way) -> dict[str, dict[str, dict[str, float]]]:
    """By kind of second and part: median, least and most, the first step left out."""
    return {
        kind: {part: _summary(_seconds(watch, kind, part)) for part in parts}
        for kind, parts in way.measured.items()
    }


def ratios(theirs: Stopwatch, ours: Stopwatch, way: Way) -> dict[str, dict[str, dict[str, float]]]:
    """Theirs to ours, step by step, by kind of second and part."""
    return {
        kind: {
            part: _summary(np.divide(_seconds(theirs, kind, part), _seconds(ours, kind, part)))
            for part in parts
        }
        for kind, parts in way.measured.items()
    }


def _seconds(watch: Stopwatch, kind: str, part: str) -> list[float]:
    return [step[part][("clock", "processor").index(kind)] for step in watch.steps[1:]]


def _summary(values: Iterable[float]) -> dict[str, float]:
    values = [float(value) for value in values]
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def compare(sizes: StepSizes, way: Way, repeats: int, folder: Path) -> dict[str, Any]:
    """Both sides by turns, and what they took."""
    build_folder(folder, sizes.picture_side)
    with torch_threads(way.threads):
        ours = Ours(folder, sizes, way)
        theirs = train_theirs(folder, sizes, repeats + 1, ours.step)
    assert ours.tokens == sizes.questions * sizes.replies * sizes.new_tokens
    ours.algorithm.stop()
    prompts = prompts_of(folder, sizes.questions, sizes.picture_side)
    return {
        "sizes": vars(sizes) | {"prompt_tokens": min(len(ids) for ids in prompts)},
        **vars(way),
        "repeats": repeats,
        "seconds": {"theirs": figures_of(theirs, way), "ours": figures_of(ours.watch, way)},
        "ratios": ratios(theirs, ours.watch, way),
    }


def print_table(found: dict[str, Any]) -> None:
    print(f"prompt of {found['sizes']['prompt_tokens']} tokens, engine of ours: {found['engine']}")
    for kind, parts in found["ratios"].items():
        print(f"{kind:10} {'TRL s':>24} {'ours s':>24} {'times':>24}")
        for part, ratio in parts.items():
            cells = [found["seconds"][side][kind][part] for side in ("theirs", "ours")]
            cells.append(ratio)
            print(f"{part:10}", *(f"{c['median']:10.2f} ({c['min']:.2f}–{c['max']:.2f})".rjust(24) for c in cells))  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", choices=("transformers", "vllm"), default="transformers")
    parser.add_argument("--threads", type=int, default=1, help="of each side")
    parser.add_argument("--overlapped", action="store_true", help="sample while the learner learns")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--tiny", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--out", type=Path, help="where the results are written")
    given = parser.parse_args(arguments)
    if given.overlapped and given.threads < 2:
        parser.error("--overlapped: needs --threads 2, one for the EnvRunner")
    way = Way(given.engine, given.threads, given.overlapped)
    with tempfile.TemporaryDirectory() as folder:
        sizes = TINY_SIZES if given.tiny else SIZES
        found = compare(sizes, way, given.repeats, Path(folder) / "model")
    print_table(found)
    write_results(way.name, found, "seconds", given.out, called())


if __name__ == "__main__":
    main()
