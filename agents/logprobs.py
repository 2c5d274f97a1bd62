"""Log-probabilities of replies under a model."""

from __future__ import annotations

import numpy as np
import torch

from agents.chunked_logprobs import token_logprobs
from agents.reply_batch import ReplyBatch
from agents.shared_prefix import can_share, shared_hidden_states


def reply_logprobs(model: torch.nn.Module, batch: ReplyBatch) -> dict[str, torch.Tensor]:
    """Log-probability of each reply token, and the entropy of the distribution it was drawn from.

    The distribution is the sampler's: logits divided by the temperature, suppressed tokens left out.
    Prompts and pictures are computed once where the model's family allows it
    (``agents.shared_prefix``), else once a reply.

    Returns:
        "logprobs" and "entropy", float32 [B, T]; "entropy" carries no gradient. Zero at padding.
    """
    hidden = shared_hidden_states if can_share(model) else plain_hidden_states
    return from_hidden_states(model, batch, hidden(model, batch))


def from_hidden_states(
    model: torch.nn.Module, batch: ReplyBatch, hidden: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Log-probabilities and entropies [B, T] from the states [N, H] that predict the replies' tokens."""
    valid = batch.reply_mask.bool()
    found = token_logprobs(
        model.lm_head, hidden, batch.reply_ids[valid], batch.suppressed, batch.temperature
    )
    result = {}
    for name, values in found.items():
        padded = values.new_zeros(batch.reply_mask.shape)
        result[name] = padded.masked_scatter(valid, values)
    return result


def plain_hidden_states(model: torch.nn.Module, batch: ReplyBatch) -> torch.Tensor:
    """The states [N, H] that predict the replies' tokens, one row a reply with its whole prompt.

    What every trainer can do with any model, and what sharing is held against.
    """
    device, lengths = batch.reply_ids.device, batch.lengths
    prompts = [batch.prompts[parent] for parent in batch.parents]
    longest = max(len(p) + n for p, n in zip(prompts, lengths, strict=True))
    shape = (len(prompts), longest)
    ids, types = (np.zeros(shape, dtype=np.int64) for _ in range(2))
    mask = np.zeros(shape, dtype=np.int64)
    replies = batch.reply_ids.cpu().numpy()
    for row, (prompt, length) in enumerate(zip(prompts, lengths, strict=True)):
        start, end = len(prompt), len(prompt) + length
        ids[row, :start], ids[row, start:end] = prompt.input_ids, replies[row, :length]
        types[row, :start], mask[row, :end] = prompt.mm_token_type_ids, 1
    arrays = {
        "input_ids": ids,
        "attention_mask": mask,
        "mm_token_type_ids": types,
        "pixel_values": np.concatenate([prompt.pixel_values for prompt in prompts]),
        "image_grid_thw": np.concatenate([prompt.image_grid_thw for prompt in prompts]),
    }
    inputs = {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}
    states = model.model(**inputs, use_cache=False).last_hidden_state
    # The state at a token predicts the next one.
    return torch.cat(
        [
            states[row, len(prompt) - 1 : len(prompt) - 1 + length]
            for row, (prompt, length) in enumerate(zip(prompts, lengths, strict=True))
        ]
    )
