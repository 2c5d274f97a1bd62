"""Measure the embedded model on held-out questions and write its model card.

python scripts/write_model_card.py agents/embedded_model
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from agents.engines import SamplingParams, make_engine
from evals.harness import evaluate, merge
from evals.statistics import Estimate
from perl_env.registration import load_questions

QUESTIONS = 360
SEED = 20
METRICS = (
    "accuracy_canonical",
    "accuracy_mean",
    "flip_rate",
    "consistent_accuracy",
    "order_effect",
    "noise_floor",
)

CARD = """# The embedded model

A Qwen2.5-VL of {parameters:.2f} million parameters with its processor, for demos and tests on a CPU. It
answers in the form `<think>…</think>\\boxed{{…}}`, knows the tasks of this package in part, and prefers the
first images: its last training phase drew its questions' golds mostly from the first slots.

- **Data**: `perl/Shapes-v0` and `perl/Digits-v0`, split `train`, difficulty 1, drawn as
  `scripts/train_embedded_model.py` says. The digits are scans from the UCI Optical Recognition of
  Handwritten Digits data set, as scikit-learn carries them (CC BY 4.0).
- **Seed**: {seed}. **Steps**: {steps}, {batch} examples each.
- **Command**: `python scripts/train_embedded_model.py --out agents/embedded_model` (at most 20 minutes on
  two cores).
- **Not for** anything else: it knows no other pictures and few words.

## Measured

Split `test`, {questions} questions of each task, up to six orders of the images, two replies to each,
temperature 1; 95 % intervals clustered by question
(`python scripts/write_model_card.py agents/embedded_model`).

| metric | Shapes and Digits | Shapes | Digits |
|---|---|---|---|
{rows}

Accuracy (mean over orders) by slot of the gold, where the gold is an image: {slots}.

By kind of question, accuracy (mean over orders) and flip rate in per cent:

| kind | accuracy | flip rate |
|---|---|---|
{kinds}
"""


def measure(folder: Path):
    """The model's replies to held-out questions of both tasks."""
    engine = make_engine(folder)
    results = []
    for task in ("perl/Shapes-v0", "perl/Digits-v0"):
        questions = load_questions(task, limit=QUESTIONS, seed=SEED)
        results.append(
            evaluate(engine, questions, sampling=SamplingParams(1.0, 24), instruction="", task=task)
        )
    return merge(results, "embedded")


def shown(estimate: Estimate) -> str:
    """A share in per cent with its interval."""
    return f"{100 * estimate.value:.1f} ({100 * estimate.low:.1f} … {100 * estimate.high:.1f})"


def main(folder: Path) -> None:
    """Measure and write."""
    from agents.models import load_model

    metrics = measure(folder).metrics
    training = json.loads((folder / "training.json").read_text())
    parts = metrics.parts["task"]
    rows = "\n".join(
        f"| {name.replace('_', ' ')} | {shown(metrics[name])} | {shown(parts['perl/Shapes-v0'][name])} "
        f"| {shown(parts['perl/Digits-v0'][name])} |"
        for name in METRICS
    )
    slots = ", ".join(
        f"slot {slot + 1}: {100 * e.value:.1f} %" for slot, e in metrics.gold_slots.items()
    )
    card = CARD.format(
        parameters=sum(p.numel() for p in load_model(folder).parameters()) / 1e6,
        seed=training["seed"],
        steps=" + ".join(str(phase["steps"]) for phase in training["phases"]),
        batch=training["batch"],
        questions=QUESTIONS,
        rows=rows,
        slots=slots,
        kinds="\n".join(
            f"| {kind} | {shown(found['accuracy_mean'])} | {shown(found['flip_rate'])} |"
            for kind, found in sorted(metrics.parts["kind"].items())
        ),
    )
    (folder / "README.md").write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
