"""The demo: measure the embedded model, train it with and without permutation, measure again.

Both trainings ask the same questions and have the same rollouts and updates; they differ in one
setting, whether a question is also asked with its images in another order. The training questions
carry a skew of gold slots, the held-out ones do not.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from agents.engines import SamplingParams, make_engine
from agents.model_folder import EMBEDDED
from agents.run_config import Run, config_from_dict
from evals.harness import EvaluationResult, merge, run_evaluation
from evals.report import write_report
from perl_env.registration import load_questions

#: Which-image questions that the embedded model sees enough to answer (its card has all kinds).
KINDS = {"perl/Shapes-v0": ("largest", "most"), "perl/Digits-v0": ("smallest",)}
MODELS = (EMBEDDED, "GRPO", "PeRL")
#: What the demo has to show, and which way is better (1: higher).
CLAIMS = {"accuracy_mean": 1, "consistent_accuracy": 1, "flip_rate": -1}

#: Told what happens: a stage's name, how much of it is done, and of how much.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class DemoSettings:
    """How large the demo is.

    Attributes:
        seed: of questions, orders and replies.
        steps: training steps of each arm.
        questions: held-out questions of each task.
        orders: in how many orders each is asked.
        repeats: how often each order, for the noise floor.
    """

    seed: int = 1
    steps: int = 120
    questions: int = 300
    orders: int = 6
    repeats: int = 2


@dataclass(frozen=True)
class Comparison:
    """One claim: a metric of the PeRL model beside another's.

    Attributes:
        metric: its name.
        other: the model that is compared with.
        better: PeRL's value is the better one.
        apart: and the two 95 % intervals do not overlap.
    """

    metric: str
    other: str
    better: bool
    apart: bool


def claims_hold(comparisons: Sequence[Comparison]) -> bool:
    """PeRL is better than the embedded model beyond the intervals, and better than plain GRPO."""
    return all(c.apart if c.other == EMBEDDED else c.better for c in comparisons)


@dataclass(frozen=True)
class DemoResult:
    """What the demo found.

    Attributes:
        results: by model, embedded first.
        comparisons: PeRL with the others.
        report: the HTML file.
        seconds: how long it took.
    """

    results: tuple[EvaluationResult, ...]
    comparisons: tuple[Comparison, ...]
    report: Path
    seconds: float

    @property
    def shown(self) -> bool:
        """Whether the run shows what the demo claims."""
        return claims_hold(self.comparisons)


def training_run(name: str, settings: DemoSettings) -> Run:
    """The configuration of an arm: plain GRPO asks in canonical order only."""
    return config_from_dict(
        {
            "run": {"steps": settings.steps, "seed": settings.seed},
            "environment": {
                "env": "perl_env:perl/Mixture-v0",
                "env_config": {
                    "split": "train", "seed": settings.seed, "instruction": "",
                    "tasks": dict.fromkeys(KINDS, 1.0),
                    "arguments": {
                        task: {"kinds": list(kinds), "gold_slot_decay": 0.3}
                        for task, kinds in KINDS.items()
                    },
                },
            },
            "pretrained": {"path": EMBEDDED},
            "training": {
                "lr": 3e-4, "orders_per_question": 2, "rollouts_per_order": 6,
                "questions_per_step": 16, "minibatches": 1, "micro_batch_tokens": 16_384,
                "kl_coefficient": 0.0, "order_probability": 1.0 if name == "PeRL" else 0.0,
            },
            "env_runners": {"num_env_runners": 0, "max_new_tokens": 20},
            "learners": {"num_learners": 0},
        }
    )  # fmt: skip


def measure(
    name: str, model: str | Path, out: Path, settings: DemoSettings, progress: Progress
) -> EvaluationResult:
    """Evaluate a model on held-out questions of both tasks."""
    engine = make_engine(model)
    results = []
    for task, kinds in KINDS.items():
        source: dict[str, Any] = {"split": "test", "seed": settings.seed, "kinds": list(kinds)}
        questions = load_questions(task, limit=settings.questions, **source)
        stage = f"measuring {name} on {task}"
        results.append(
            run_evaluation(
                engine, questions, out / name.lower() / task.split("/")[1],
                orders=settings.orders, repeats=settings.repeats,
                sampling=SamplingParams(temperature=1.0, max_new_tokens=20, seed=settings.seed),
                instruction="", seed=settings.seed,
                progress=partial(progress, stage),
                model=str(model), task=task, name=name,
                questions_from={"task": task, "limit": settings.questions, **source}, report=False,
            )
        )  # fmt: skip
    engine.close()
    return merge(results, name)


def train_arm(name: str, out: Path, settings: DemoSettings, progress: Progress) -> Path:
    """Train one arm through RLlib; returns the model's folder."""
    from agents.training import train

    run = training_run(name, settings)
    text = json.dumps(dataclasses.asdict(settings) | {"arm": name}) + "\n"
    stage = f"training {name}"
    return train(
        run, out / name.lower() / "training",
        lambda step, _: progress(stage, step, settings.steps), config_text=text,
    )  # fmt: skip


def compare_claims(results: Sequence[EvaluationResult]) -> tuple[Comparison, ...]:
    """PeRL beside each other model in the metrics that the demo is about."""
    perl = results[-1]
    found = []
    for other in results[:-1]:
        for metric, sign in CLAIMS.items():
            ours, theirs = perl.metrics[metric], other.metrics[metric]
            apart = ours.low > theirs.high if sign > 0 else ours.high < theirs.low
            found.append(
                Comparison(metric, other.name, sign * (ours.value - theirs.value) > 0, apart)
            )
    return tuple(found)


def run_demo(out: Path, settings: DemoSettings, progress: Progress) -> DemoResult:
    """Measure, train twice, measure again, write the report."""
    started = time.monotonic()
    results = [measure(EMBEDDED, EMBEDDED, out, settings, progress)]
    for name in MODELS[1:]:
        model = train_arm(name, out, settings, progress)
        results.append(measure(name, model, out, settings, progress))
    report = write_report(
        [result.as_run() for result in results], results[0].questions, out / "report.html"
    )
    comparisons = compare_claims(results)
    seconds = time.monotonic() - started
    summary = {
        "settings": dataclasses.asdict(settings),
        "models": {result.name: result.metrics.as_json() for result in results},
        "comparisons": [dataclasses.asdict(comparison) for comparison in comparisons],
        "seconds": round(seconds, 1),
    }
    (out / "results.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return DemoResult(tuple(results), comparisons, report, seconds)
