"""The one small interface behind which text is generated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from perl_env.encodable import encodable

#: The finish reason of a request that an endpoint refused for what it holds.
REFUSED: Literal["refused"] = "refused"


@dataclass(frozen=True)
class Prompt:
    """One request: pictures in the order in which they are shown, and the text below them.

    Attributes:
        images: uint8 arrays (H, W, 3).
        text: the question with its options and the instruction.
        seed: distinguishes this prompt's random stream from others under one sampling seed, so that
            its replies do not depend on which prompts share its batch.
    """

    images: tuple[np.ndarray, ...]
    text: str
    seed: int = 0


@dataclass(frozen=True)
class SamplingParams:
    """How replies are drawn.

    Attributes:
        temperature: divides the logits; 0 takes the most probable token each time.
        max_new_tokens: a reply is cut there (``finish_reason`` "length").
        seed: together with each prompt's own seed fixes the replies.
    """

    temperature: float = 1.0
    max_new_tokens: int = 2048
    seed: int = 0


FinishReason = Literal["stop", "length", "content_filter", "refused"]


@dataclass(frozen=True)
class Reply:
    """One generated reply.

    Attributes:
        text: decoded without special tokens. What cannot be encoded in it, as a server's JSON may bring
            it, is replaced here, so that nobody who writes a reply has to think of it.
        token_ids: int64 [T]; ends with the end-of-sequence token where the reply is finished.
        logprobs: float32 [T], natural logarithm of each token's probability under the policy that
            drew it (its temperature, its suppressed tokens); empty where the engine cannot tell.
        finish_reason: "stop", "length", "content_filter" where an endpoint cut or kept back the reply, or
            ``REFUSED``: then nothing was generated, and ``text`` is what the endpoint said.
    """

    text: str
    token_ids: np.ndarray
    logprobs: np.ndarray
    finish_reason: FinishReason

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", encodable(self.text))


def reply_counts(replies_per_prompt: int | Sequence[int], prompts: int) -> list[int]:
    """How many replies each prompt gets.

    >>> reply_counts(2, 3), reply_counts((1, 4), 2)
    ([2, 2, 2], [1, 4])
    """
    if isinstance(replies_per_prompt, int):
        return [replies_per_prompt] * prompts
    return list(replies_per_prompt)


class Engine(Protocol):
    """Prompts with pictures in, replies out; weights in."""

    name: str

    def generate(
        self,
        prompts: Sequence[Prompt],
        replies_per_prompt: int | Sequence[int] = 1,
        sampling: SamplingParams = SamplingParams(),
    ) -> list[list[Reply]]:
        """For each prompt its replies; ``replies_per_prompt`` may differ by prompt."""

    def set_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Take new weights, by the names of the Hugging Face model's state dict."""

    def close(self) -> None:
        """Free what the engine holds. Further calls are errors."""


@runtime_checkable
class TrainableEngine(Engine, Protocol):
    """An engine that can be compared with a learner; one behind an HTTP address cannot."""

    @property
    def dtype(self) -> str:
        """Of its computation, by torch's name."""

    def prompt_token_ids(self, prompts: Sequence[Prompt]) -> list[np.ndarray]:
        """The token ids that prompts are computed with, image tokens expanded; int64 [L] each."""

    def weight_digests(self) -> dict[str, str]:
        """A digest of each parameter as the engine holds it, by names of the engine's own."""
