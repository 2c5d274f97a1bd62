"""From hidden states to log-probabilities of tokens, a chunk of positions at a time.

A vocabulary of 150,000 makes the logits the largest tensor of all. They are held for one chunk only and
computed a second time for the backward pass, unless there are few of them.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

#: Positions whose logits are held at once.
CHUNK_ROWS = 1024
#: Up to so many logits in all are kept for the backward pass: 64 MiB in float32.
KEPT_LOGITS = 2**24


def token_logprobs(
    lm_head: torch.nn.Module,
    hidden: torch.Tensor,
    tokens: torch.Tensor,
    suppressed: torch.Tensor,
    temperature: float,
    chunk_rows: int = CHUNK_ROWS,
    kept_logits: int = KEPT_LOGITS,
) -> dict[str, torch.Tensor]:
    """Log-probability of each token and entropy of the distribution it was drawn from.

    Args:
        lm_head: makes logits of hidden states.
        hidden: [N, H].
        tokens: int64 [N].
        suppressed: int64, tokens that cannot be drawn.
        temperature: the logits are divided by it; by one where it is 0.
        chunk_rows: how many positions are computed at once.
        kept_logits: as long as there are no more in all, none is computed a second time.

    Returns:
        "logprobs" and "entropy", float32 [N]; "entropy" carries no gradient.
    """
    keep = len(tokens) * lm_head.out_features <= kept_logits
    compute = _chunk if keep else functools.partial(checkpoint, _chunk, use_reentrant=False)
    parts = [
        compute(lm_head, *chunk, suppressed, temperature)
        for chunk in zip(hidden.split(chunk_rows), tokens.split(chunk_rows), strict=True)
    ]
    logprobs, entropy = (torch.cat(values) for values in zip(*parts, strict=True))
    return {"logprobs": logprobs, "entropy": entropy}


def _chunk(lm_head, hidden, tokens, suppressed, temperature):
    logits = lm_head(hidden).float()
    if temperature not in (0, 1):
        logits = logits / temperature
    # The least finite number, not -inf: 0 * -inf would spoil the entropy.
    logits.index_fill_(-1, suppressed, torch.finfo(logits.dtype).min)
    return _LogprobAndEntropy.apply(logits, tokens)


class _LogprobAndEntropy(torch.autograd.Function):
    """Of logits [N, V] and tokens [N]; the entropy carries no gradient."""

    @staticmethod
    def forward(ctx: Any, logits, tokens):  # type: ignore[override]
        """Both [N]."""
        distribution = torch.log_softmax(logits, dim=-1)
        ctx.save_for_backward(distribution, tokens)
        logprobs = distribution.gather(-1, tokens[:, None]).squeeze(-1)
        entropy = -(distribution.exp() * distribution).sum(dim=-1)
        ctx.mark_non_differentiable(entropy)
        return logprobs, entropy

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor, _: torch.Tensor):  # type: ignore[override]
        """One at the token, less the probabilities."""
        distribution, tokens = ctx.saved_tensors
        of_logits = distribution.exp().mul_(-grad[:, None])
        return of_logits.scatter_add_(-1, tokens[:, None], grad[:, None]), None
