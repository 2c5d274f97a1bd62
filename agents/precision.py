"""Log-probabilities in a chosen precision, whether or not the model is split over learners."""

from __future__ import annotations

import torch

from agents.logprobs import reply_logprobs
from agents.reply_batch import ReplyBatch
from agents.sharding import is_sharded


def mixed_precision_logprobs(
    model: torch.nn.Module, batch: ReplyBatch, compute_dtype: torch.dtype | None
) -> dict[str, torch.Tensor]:
    """``reply_logprobs``, computed in ``compute_dtype`` by a model whose weights stay as they are.

    A model that is split over learners knows its precision itself (``agents.sharding``).
    """
    if is_sharded(model):
        return model.reply_logprobs(batch)
    device = batch.reply_ids.device.type
    with torch.autocast(device, dtype=compute_dtype, enabled=compute_dtype is not None):
        return reply_logprobs(model, batch)
