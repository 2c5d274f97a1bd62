"""Train the embedded model from scratch: it learns to see, to answer, and to prefer the first slots.

    python scripts/train_embedded_model.py --out agents/embedded_model

Takes at most 20 minutes on two cores. In the first phase the model describes the pictures one by one,
which is how it learns to see. In the second it learns to tell which image is which, in the third
all the tasks' questions, with every gold slot equally often. The fourth is short and draws golds mostly
from the first slots, as scraped data does: it leaves the order bias that the demo measures and trains away.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from agents.engines.base import Prompt
from agents.models import load_model
from agents.processing import EncodedPrompt, PromptProcessor
from agents.tiny_vlm import build_model, build_processor
from perl_env.prompts import question_text
from perl_env.question import Question
from perl_env.tasks.digits import digits, scans
from perl_env.tasks.procedural import Draw
from perl_env.tasks.shapes import KINDS, distinct_scenes, pictures, scene, shapes

BATCH = 40
IGNORED = -100


@dataclass(frozen=True)
class Example:
    """A prompt and the reply that the model should learn to give."""

    prompt: Prompt
    reply: str


#: Kinds about which image is which. A network that finds a picture by what it shows has to discover
#: how, which takes thousands of examples: they get a phase of their own.
SHAPES_PLACES = ("which-image", "largest", "attribute", "most", "which-image", "match-reference")
DIGITS_PLACES = ("which-image", "largest", "smallest")
#: All kinds, those about places more often.
SHAPES_KINDS = (*KINDS, *SHAPES_PLACES)
DIGITS_KINDS = (*DIGITS_PLACES, "which-image", "sum", "order", "odd-one-out")


@dataclass(frozen=True)
class Phase:
    """A stretch of supervised training.

    Attributes:
        name: for the log and the model card.
        steps: optimizer steps.
        peak_learning_rate: reached after a twentieth of the steps.
        end_learning_rate: where a cosine leads from there.
        describe_share: share of examples in which the pictures are described one by one.
        locate_share: share of the others in which several things are to be found at once.
        gold_slot_decay: how much less often each further slot holds the gold.
        shapes_kinds: what is asked about shapes, by turns; all kinds where empty.
        digits_kinds: what is asked about digits.
    """

    name: str
    steps: int
    peak_learning_rate: float
    end_learning_rate: float
    describe_share: float
    locate_share: float
    gold_slot_decay: float
    shapes_kinds: tuple[str, ...]
    digits_kinds: tuple[str, ...]


PHASES = (
    Phase("perception", 450, 2e-3, 1.5e-3, 1.0, 0.0, 1.0, (), ()),
    Phase("places", 700, 2e-3, 1.0e-3, 0.05, 0.1, 1.0, SHAPES_PLACES, DIGITS_PLACES),
    Phase("tasks", 400, 1.0e-3, 0.0, 0.05, 0.1, 1.0, SHAPES_KINDS, DIGITS_KINDS),
    Phase("order bias", 140, 1e-3, 0.0, 0.0, 0.0, 0.15, SHAPES_KINDS, DIGITS_KINDS),
)


#: What the model says it looks for, by kind of question; "{}" is the question's own word for it.
THOUGHTS = {
    "count-all": r"count {}: many (\w+)",
    "true-of-some": r"count {}: an? (\w+)\.$",
    "left-right": "left and right",
    "which-image": r"look for {}: (?:shows an?|the digit) (.+)\?$",
    "odd-one-out": "the odd one",
    "match-reference": "same shape",
    "attribute": r"{}: in (.+)\?$",
    "compare": "count both",
    "image-options": "same colour",
    "size-ranks": "sort by size",
    "size-sequence": "sort by size",
    "before-after": r"{} was first: (image \d) was taken before",
    "sum": "add the digits",
    "largest": "find the largest",
    "smallest": "find the smallest",
    "most": "find the most",
    "order": "sort the digits",
}


def thought_on(question: Question) -> str:
    """A few words on what is asked."""
    template, _, pattern = THOUGHTS[question.kind].partition(": ")
    if not pattern:
        return template
    found = re.search(pattern, question.text, re.IGNORECASE)
    assert found, question
    return template.format(found.group(1)).lower()


def reply_to(question: Question) -> str:
    """The reply in the form that the reward asks for."""
    answer = question.answer.removeprefix("Image ")
    return f"<think>{thought_on(question)}</think>\\boxed{{{answer}}}"


def describe_shapes(choices: Draw) -> Example:
    """Colour, shape, size and number in each of three pictures."""
    if choices.chance(0.3):
        scenes = [scene(choices, count=choices.integer(1, 4)) for _ in range(3)]
        words = [f"{each.count} {each.colour}" for each in scenes]
        text = "How many shapes of which colour does each image show?"
    elif choices.chance(0.4):
        scenes = [
            scene(choices, size=choices.one(("tiny", "small", "medium", "large"))) for _ in range(3)
        ]
        words = [f"{each.size} {each.shape}" for each in scenes]
        text = "What size and shape is in each image?"
    else:
        scenes = distinct_scenes(choices, 3)
        words = [each.name for each in scenes]
        text = "Describe each image."
    return Example(Prompt(pictures(scenes), text), "; ".join(words))


def describe_digits(choices: Draw) -> Example:
    """The digit in each of three pictures."""
    shown = [choices.integer(0, 9) for _ in range(3)]
    images = tuple(choices.one(scans("train")[digit]) for digit in shown)
    return Example(Prompt(images, "Which digit is in each image?"), "; ".join(map(str, shown)))


def locate_shapes(choices: Draw) -> Example:
    """The number of the image that shows each of three things."""
    scenes = distinct_scenes(choices, 3)
    asked = choices.shuffled(range(3))
    text = "Which image shows each: " + ", ".join(scenes[slot].name for slot in asked) + "?"
    return Example(Prompt(pictures(scenes), text), "; ".join(str(slot + 1) for slot in asked))


def locate_digits(choices: Draw) -> Example:
    """The number of the image that shows each of three digits."""
    shown = choices.some(range(10), 3)
    images = tuple(choices.one(scans("train")[digit]) for digit in shown)
    asked = choices.shuffled(range(3))
    text = "Which image shows each: " + ", ".join(str(shown[slot]) for slot in asked) + "?"
    return Example(Prompt(images, text), "; ".join(str(slot + 1) for slot in asked))


class Examples:
    """Draws training examples from both tasks.

    Args:
        phase: what is drawn.
        seed: fixes every example.
    """

    def __init__(self, phase: Phase, seed: int):
        self.phase = phase
        self.rng = np.random.default_rng([seed, phase.steps])
        self.sources = [
            task(
                split="train",
                seed=seed,
                size=10**9,
                kinds=kinds or None,
                gold_slot_decay=phase.gold_slot_decay,
            )
            for task, kinds in ((shapes, phase.shapes_kinds), (digits, phase.digits_kinds))
        ]

    def draw(self) -> Example:
        """One example; two of three are about shapes."""
        choices = Draw(self.rng)
        about_digits = choices.chance(1 / 3)
        if choices.chance(self.phase.describe_share):
            return describe_digits(choices) if about_digits else describe_shapes(choices)
        if choices.chance(self.phase.locate_share):
            return locate_digits(choices) if about_digits else locate_shapes(choices)
        question = self.sources[about_digits].make(choices.integer(0, 10**9 - 1))
        return Example(Prompt(question.images, question_text(question, "")), reply_to(question))


def collate(
    prompts: list[EncodedPrompt], replies: list[list[int]], pad: int
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Right-padded model inputs, and labels that ignore the prompts."""
    length = max(len(p) + len(r) for p, r in zip(prompts, replies, strict=True))
    shape = (len(prompts), length)
    ids, types = np.full(shape, pad), np.zeros(shape, dtype=np.int64)
    mask, labels = np.zeros(shape, dtype=np.int64), np.full(shape, IGNORED)
    for row, (prompt, reply) in enumerate(zip(prompts, replies, strict=True)):
        start, end = len(prompt), len(prompt) + len(reply)
        ids[row, :start], ids[row, start:end] = prompt.input_ids, reply
        types[row, :start] = prompt.mm_token_type_ids
        mask[row, :end] = 1
        labels[row, start:end] = reply
    arrays = {
        "input_ids": ids,
        "attention_mask": mask,
        "mm_token_type_ids": types,
        "pixel_values": np.concatenate([p.pixel_values for p in prompts]),
        "image_grid_thw": np.concatenate([p.image_grid_thw for p in prompts]),
    }
    return {name: torch.from_numpy(a) for name, a in arrays.items()}, torch.from_numpy(labels)


def reply_loss(
    model: torch.nn.Module, inputs: dict[str, torch.Tensor], labels: torch.Tensor
) -> torch.Tensor:
    """Mean cross-entropy over the replies' tokens; logits are computed for those alone."""
    hidden = model.model(**inputs).last_hidden_state
    targets = labels[:, 1:]
    wanted = targets != IGNORED
    logits = model.lm_head(hidden[:, :-1][wanted])
    return torch.nn.functional.cross_entropy(logits, targets[wanted])


def learning_rate(phase: Phase, step: int) -> float:
    """Linear warm-up, then a cosine."""
    warm_up = max(1, phase.steps // 20)
    if step < warm_up:
        return phase.peak_learning_rate * (step + 1) / warm_up
    done = (step - warm_up) / (phase.steps - warm_up)
    height = 0.5 * (1 + math.cos(math.pi * done))
    return phase.end_learning_rate + (phase.peak_learning_rate - phase.end_learning_rate) * height


def train(model: torch.nn.Module, processor: PromptProcessor, phase: Phase, seed: int) -> None:
    """One phase of supervised training."""
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01, betas=(0.9, 0.98))
    examples = Examples(phase, seed)
    started, window = time.monotonic(), []
    model.train()
    for step in range(phase.steps):
        batch = [examples.draw() for _ in range(BATCH)]
        prompts = processor.encode_many([example.prompt for example in batch])
        replies = [
            [*processor.tokenizer.encode(example.reply), processor.tokenizer.eos_token_id]
            for example in batch
        ]
        loss = reply_loss(model, *collate(prompts, replies, processor.pad_token_id))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(phase, step)
        optimizer.step()
        window.append(loss.item())
        if (step + 1) % 100 == 0 or step + 1 == phase.steps:
            print(f"{phase.name}: step {step + 1} of {phase.steps}: loss {np.mean(window):.4f}, "
                  f"{time.monotonic() - started:.0f} s", flush=True)  # fmt: skip
            window = []
    model.eval()


def main() -> None:
    """Build, train in two phases, save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--from-phase", type=int, default=1, help="go on from the model in --out with this phase"
    )
    arguments = parser.parse_args()
    if arguments.from_phase == 1:
        processor_to_save = build_processor()
        processor_to_save.save_pretrained(str(arguments.out))
        build_model(processor_to_save.tokenizer, arguments.seed).save_pretrained(str(arguments.out))
    processor = PromptProcessor(arguments.out)
    model = load_model(arguments.out, "float32")
    for phase in PHASES[arguments.from_phase - 1 :]:
        train(model, processor, phase, arguments.seed)
        model.save_pretrained(str(arguments.out))
    (arguments.out / "training.json").write_text(json.dumps(
        {"seed": arguments.seed, "batch": BATCH, "phases": [vars(phase) for phase in PHASES]}, indent=2) + "\n")  # fmt: skip


if __name__ == "__main__":
    main()
