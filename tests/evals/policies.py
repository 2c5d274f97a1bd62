"""Questions made by hand, and engines that follow a rule: what comes out can be worked out exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from agents.engines.base import Prompt, Reply, SamplingParams, reply_counts
from perl_env.question import Question

COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 160, 60),
    "blue": (40, 80, 220),
    "yellow": (230, 200, 40),
}


def picture(colour: str) -> np.ndarray:
    return np.full((12, 12, 3), COLOURS[colour], dtype=np.uint8)


def colour_of(image: np.ndarray) -> str:
    return next(name for name, value in COLOURS.items() if tuple(image[0, 0]) == value)


def which_image(key: str, gold: int = 0, n: int = 3) -> Question:
    """Which of ``n`` images is red? The gold stands in slot ``gold``."""
    others = [colour for colour in COLOURS if colour != "red"]
    colours = [*others[:gold], "red", *others[gold : n - 1]]
    return Question(tuple(map(picture, colours)), "Which image is red?", f"Image {gold + 1}",
                    order_class="slot-naming", kind="which", key=key)  # fmt: skip


def how_many(key: str) -> Question:
    """An invariant question with options."""
    pictures = tuple(map(picture, ("red", "red", "blue")))
    return Question(pictures, "How many images are red?", "B", options=("one", "two", "three"),
                    order_class="invariant", kind="count", key=key)  # fmt: skip


def unrewritable(key: str) -> Question:
    """A rank list that is too short for its images."""
    pictures = tuple(map(picture, ("red", "green", "blue")))
    return Question(pictures, "Rank the images.", "2-1", order_class="index-list", index_list="rank",
                    kind="rank", key=key)  # fmt: skip


def boxed(answer: object) -> str:
    return f"<think>I looked.</think>\\boxed{{{answer}}}"


class PolicyEngine:
    """Replies what ``policy(prompt, rng)`` says; remembers every prompt it was given."""

    def __init__(self, policy: Callable[[Prompt, np.random.Generator], str], name: str = "policy"):
        self.policy = policy
        self.name = name
        self.prompts: list[Prompt] = []
        self.replies_asked = 0

    def generate(
        self,
        prompts: Sequence[Prompt],
        replies_per_prompt: int | Sequence[int] = 1,
        sampling: SamplingParams = SamplingParams(),  # noqa: B008 - frozen
    ) -> list[list[Reply]]:
        counts = reply_counts(replies_per_prompt, len(prompts))
        self.prompts += prompts
        self.replies_asked += sum(counts)
        replies = []
        for prompt, n in zip(prompts, counts, strict=True):
            rng = np.random.default_rng([sampling.seed, prompt.seed])
            replies.append([_reply(self.policy(prompt, rng)) for _ in range(n)])
        return replies

    def set_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        raise AssertionError("a fixed policy has no weights to set")

    def close(self) -> None:
        pass


def _reply(text: str) -> Reply:
    tokens = np.arange(len(text.split()), dtype=np.int64)
    return Reply(text, tokens, np.zeros(len(tokens), dtype=np.float32), "stop")


def look(prompt: Prompt, rng: np.random.Generator | None = None) -> str:
    """The right answer, found by looking at the pictures."""
    colours = [colour_of(image) for image in prompt.images]
    if "How many" in prompt.text:
        return boxed("ABC"[colours.count("red") - 1])
    return boxed(f"Image {colours.index('red') + 1}")


def first_slot(prompt: Prompt, rng: np.random.Generator | None = None) -> str:
    """Always the first image, or the first option."""
    return boxed("A" if "How many" in prompt.text else "Image 1")


def silent(prompt: Prompt, rng: np.random.Generator | None = None) -> str:
    return "<think>I do not know which"


def guess(prompt: Prompt, rng: np.random.Generator) -> str:
    """Any image or option, whatever the pictures show."""
    if "How many" in prompt.text:
        return boxed(rng.choice(list("ABC")))
    return boxed(f"Image {rng.integers(len(prompt.images)) + 1}")
