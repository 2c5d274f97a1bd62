"""What both sides of ``benchmarks.grpo_step`` train: a tiny model that never ends a reply, and questions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from agents.processing import PromptProcessor
from agents.tiny_vlm import build_model, build_processor
from perl_env.env import QuestionEnv
from perl_env.question import Question
from perl_env.questions import QuestionList

IMAGES = 4
#: A token that neither side samples: as the end of a reply it makes all replies equally long.
NEVER_SAMPLED = "<|image_pad|>"
_TEXT = (
    "These pictures were drawn at random from one and the same distribution. Look at every picture in "
    "turn, say what you see in it, and then say in one short sentence which of them are most alike. "
    "Question"
)


def build_folder(path: Path, picture_side: int) -> Path:
    """A random model of the embedded one's architecture, and its processor.

    Args:
        path: where it is written.
        picture_side: of the pictures in pixels.
    """
    from transformers import GenerationConfig

    processor = build_processor([f"{_TEXT} 0 1 2 3 4 5 6 7 8 9 Image : Answer"])
    processor.image_processor.size = dict.fromkeys(
        ("shortest_edge", "longest_edge"), picture_side**2
    )
    model = build_model(processor.tokenizer, seed=0)
    processor.tokenizer.eos_token = NEVER_SAMPLED
    model.generation_config = GenerationConfig(
        eos_token_id=processor.tokenizer.eos_token_id, pad_token_id=processor.tokenizer.pad_token_id
    )
    model.save_pretrained(str(path))
    processor.save_pretrained(str(path))
    return path


def questions(count: int, picture_side: int) -> list[Question]:
    """Questions with four pictures of noise each."""
    rng = np.random.default_rng(0)
    side = (picture_side, picture_side, 3)
    return [
        Question(
            images=tuple(rng.integers(0, 256, side, dtype=np.uint8) for _ in range(IMAGES)),
            text=f"{_TEXT} {number}?",
            answer=str(number % 2),
            order_class="invariant",
            key=str(number),
        )
        for number in range(count)
    ]


class NoiseEnv(QuestionEnv):
    """Rewards each reply by its share of even characters, so that advantages are not all zero."""

    def __init__(self, config):
        super().__init__(
            QuestionList(questions(config["questions"], config["picture_side"])), instruction=""
        )

    def step(self, action):
        """Graded as always, then rewarded for something that a random model does."""
        observation, _, terminated, truncated, info = super().step(action)
        return observation, reply_reward(action), terminated, truncated, info


def reply_reward(text: str) -> float:
    """The share of its characters with even code points."""
    return sum(ord(letter) % 2 == 0 for letter in text) / max(1, len(text))


def prompts_of(folder: Path, count: int, picture_side: int) -> set[tuple[int, ...]]:
    """The token ids of the questions' prompts, as our processor makes them."""
    from agents.engines.base import Prompt

    processor = PromptProcessor(folder)
    asked = [Prompt(question.images, question.text) for question in questions(count, picture_side)]
    return {tuple(encoded.input_ids.tolist()) for encoded in processor.encode_many(asked)}
