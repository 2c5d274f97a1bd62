"""From hidden states to log-probabilities of tokens, a chunk of positions at a time.

A vocabulary of 150,000 makes the logits the largest tensor of all. They are held for one chunk only and
computed a second time for the backward pass.
"""

from __future__ import annotations

import torch
from torch.utils.checkpoint import checkpoint

#: Positions whose logits are held at once.
CHUNK_ROWS = 1024


def token_logprobs(
    lm_head: torch.nn.Module,
    hidden: torch.Tensor,
    tokens: torch.Tensor,
    suppressed: torch.Tensor,
    temperature: float,
    chunk_rows: int = CHUNK_ROWS,
) -> dict[str, torch.Tensor]:
    """Log-probability of each token and entropy of the distribution it was drawn from.

    Args:
        lm_head: makes logits of hidden states.
        hidden: [N, H].
        tokens: int64 [N].
        suppressed: int64, tokens that cannot be drawn.
        temperature: the logits are divided by it; by one where it is 0.
        chunk_rows: how many positions are computed at once.

    Returns:
        "logprobs" and "entropy", float32 [N]; "entropy" carries no gradient.
    """
    parts = [
        checkpoint(
            _chunk, lm_head, hidden[start : start + chunk_rows], tokens[start : start + chunk_rows],
            suppressed, temperature, use_reentrant=False,
        )
        for start in range(0, len(tokens), chunk_rows)
    ]  # fmt: skip
    logprobs, entropy = (torch.cat(values) for values in zip(*parts, strict=True))
    return {"logprobs": logprobs, "entropy": entropy.detach()}


def _chunk(lm_head, hidden, tokens, suppressed, temperature):
    logits = lm_head(hidden).float() / (temperature or 1.0)
    # The least finite number, not -inf: 0 * -inf would spoil the entropy.
    logits = logits.index_fill(-1, suppressed, torch.finfo(logits.dtype).min)
    log_distribution = torch.log_softmax(logits, dim=-1)
    logprobs = log_distribution.gather(-1, tokens[:, None]).squeeze(-1)
    with torch.no_grad():
        entropy = -(log_distribution.exp() * log_distribution).sum(dim=-1)
    return logprobs, entropy
