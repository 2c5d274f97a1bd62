"""What an update computes log-probabilities of."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from agents.processing import EncodedPrompt


@dataclass(frozen=True)
class ReplyBatch:
    """Replies and the prompts that they answer.

    Attributes:
        prompts: each held once, however many replies it has.
        parents: [B], which prompt each reply answers, in ascending order.
        reply_ids: int64 [B, T], padded on the right.
        reply_mask: float32 [B, T], 1 at a reply's tokens, 0 at padding.
        suppressed: int64, tokens that the sampler may not draw, such as image tokens.
        temperature: of the sampler.
    """

    prompts: tuple[EncodedPrompt, ...]
    parents: tuple[int, ...]
    reply_ids: torch.Tensor
    reply_mask: torch.Tensor
    suppressed: torch.Tensor
    temperature: float = 1.0

    @property
    def lengths(self) -> list[int]:
        """Tokens of each reply."""
        return self.reply_mask.sum(dim=1).int().tolist()
