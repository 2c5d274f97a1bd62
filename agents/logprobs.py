"""Log-probabilities of replies under a model, with the prompts' part computed once a prompt."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class ReplyBatch:
    """Replies and the prompts that they answer, padded.

    Attributes:
        prompts: model inputs of P prompts, padded on the left: ``input_ids``, ``attention_mask`` and
            ``mm_token_type_ids`` [P, L], ``pixel_values``, ``image_grid_thw``.
        parents: int64 [B], the row in ``prompts`` that each reply answers.
        reply_ids: int64 [B, T], padded on the right.
        reply_mask: float32 [B, T], 1 at a reply's tokens, 0 at padding.
        suppressed: int64, tokens that the sampler may not draw, such as image tokens.
        temperature: of the sampler.
    """

    prompts: dict[str, torch.Tensor]
    parents: torch.Tensor
    reply_ids: torch.Tensor
    reply_mask: torch.Tensor
    suppressed: torch.Tensor
    temperature: float = 1.0


def reply_logprobs(model: torch.nn.Module, batch: ReplyBatch) -> dict[str, torch.Tensor]:
    """Log-probability of each reply token, and the entropy of the distribution it was drawn from.

    The distribution is the sampler's: logits divided by the temperature, suppressed tokens left out.
    A prompt with its pictures passes through the model once, whatever the number of its replies, which
    continue from its keys and values; gradients flow through both parts.

    Returns:
        "logprobs" and "entropy", float32 [B, T]; "entropy" carries no gradient. Values at padding
        are finite and mean nothing.
    """
    logits = _reply_logits(model, batch).float() / (batch.temperature or 1.0)
    # The least finite number, not -inf: 0 * -inf would spoil the entropy.
    logits = logits.index_fill(-1, batch.suppressed, torch.finfo(logits.dtype).min)
    log_distribution = torch.log_softmax(logits, dim=-1)
    logprobs = log_distribution.gather(-1, batch.reply_ids.unsqueeze(-1)).squeeze(-1)
    with torch.no_grad():
        entropy = -(log_distribution.exp() * log_distribution).sum(dim=-1)
    return {"logprobs": logprobs, "entropy": entropy}


def _reply_logits(model: torch.nn.Module, batch: ReplyBatch) -> torch.Tensor:
    """Logits [B, T, V] from which the replies' tokens are drawn."""
    output = model(**batch.prompts, use_cache=True, logits_to_keep=1)
    first = output.logits[batch.parents]
    if batch.reply_ids.shape[1] == 1:
        return first
    cache = output.past_key_values
    cache.batch_select_indices(batch.parents)
    mask = batch.prompts["attention_mask"][batch.parents]
    rest = model(
        input_ids=batch.reply_ids[:, :-1],
        attention_mask=torch.cat([mask, batch.reply_mask[:, :-1].to(mask.dtype)], dim=1),
        position_ids=_reply_positions(model, mask, batch),
        past_key_values=cache,
        use_cache=True,
    ).logits
    return torch.cat([first, rest], dim=1)


def _reply_positions(
    model: torch.nn.Module, prompt_mask: torch.Tensor, batch: ReplyBatch
) -> torch.Tensor:
    """Positions of the replies' tokens: they go on where the prompt ended."""
    steps = torch.arange(batch.reply_ids.shape[1] - 1, device=prompt_mask.device)
    positions = prompt_mask.sum(dim=1, keepdim=True) + steps
    deltas = getattr(getattr(model, "model", None), "rope_deltas", None)
    if deltas is None:
        return positions
    # M-RoPE: a picture takes fewer positions than tokens; text has all three coordinates alike.
    return (positions + deltas[batch.parents]).expand(3, -1, -1)
