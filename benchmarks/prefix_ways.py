"""Four ways from a group of replies to the states that predict their tokens, with the same gradients.

``plain``: every reply in a row with its own prompt and pictures, as trainers commonly do. ``cache``: each
prompt once, its replies go on from its keys and values. ``mask``: prompts and replies in one row under a
boolean mask of its length squared. ``shared``: the same row without a mask, which is what we train with.
"""

from __future__ import annotations

import numpy as np
import torch

from agents.logprobs import plain_hidden_states
from agents.processing import EncodedPicture, EncodedPrompt
from agents.reply_batch import ReplyBatch
from agents.shared_prefix import PackedRow, pack, shared_hidden_states


def cached_hidden_states(model: torch.nn.Module, batch: ReplyBatch) -> torch.Tensor:
    """Prompts of one length once, then all replies as a batch that goes on from their cache."""
    prompts, device = batch.prompts, batch.reply_ids.device
    stacked = {
        name: torch.from_numpy(np.stack([getattr(prompt, name) for prompt in prompts])).to(device)
        for name in ("input_ids", "mm_token_type_ids")
    } | {
        name: torch.from_numpy(np.concatenate([getattr(p, name) for p in prompts])).to(device)
        for name in ("pixel_values", "image_grid_thw")
    }
    first = model.model(**stacked, use_cache=True)
    parents = torch.tensor(batch.parents, device=device)
    cache = first.past_key_values
    cache.batch_select_indices(parents)
    steps = torch.arange(batch.reply_ids.shape[1] - 1, device=device)
    positions = stacked["input_ids"].shape[1] + steps + model.model.rope_deltas[parents]
    prompt_mask = torch.ones_like(stacked["input_ids"])[parents]
    rest = model.model(
        input_ids=batch.reply_ids[:, :-1],
        attention_mask=torch.cat([prompt_mask, batch.reply_mask[:, :-1].long()], dim=1),
        position_ids=positions.expand(3, -1, -1),
        past_key_values=cache,
        use_cache=True,
    ).last_hidden_state
    states = torch.cat([first.last_hidden_state[parents, -1:], rest], dim=1)
    return states[batch.reply_mask.bool()]


def masked_hidden_states(model: torch.nn.Module, batch: ReplyBatch) -> torch.Tensor:
    """The packed row of the shared pass, under a mask."""
    row = pack(model, batch)
    mask = _mask(row)[None, None].to(batch.reply_ids.device)
    output = model.model.language_model(**row.inputs, attention_mask=mask, use_cache=False)
    return output.last_hidden_state[0, row.sources]


def _mask(row: PackedRow) -> torch.Tensor:
    """Which token of the row looks at which, [L, L]."""
    length = row.segments[-1].end
    mask = torch.zeros(length, length, dtype=torch.bool)
    for segment in row.segments:
        start = segment.suffix
        _look_back(mask, segment.start, segment.suffix)
        for count in segment.replies:
            mask[start : start + count, segment.start : segment.suffix] = True
            _look_back(mask, start, start + count)
            start += count
    return mask


def _look_back(mask: torch.Tensor, start: int, end: int) -> None:
    mask[start:end, start:end] = torch.ones(end - start, end - start, dtype=torch.bool).tril()


WAYS = {
    "plain": plain_hidden_states,
    "cache": cached_hidden_states,
    "mask": masked_hidden_states,
    "shared": shared_hidden_states,
}


def random_group(
    model: torch.nn.Module,
    prompt: int,
    images: int,
    side: int,
    replies: int,
    reply: int,
    orders: int,
) -> ReplyBatch:
    """A question with random words and pictures.

    Args:
        model: for which it is made.
        prompt: tokens of each order's prompt.
        images: pictures of the question.
        side: a picture takes so many tokens each way.
        replies: to all orders together.
        reply: tokens of each reply.
        orders: orders of the pictures that are asked.
    """
    rng = np.random.default_rng(0)
    config = model.config
    vision = config.vision_config
    merge = vision.spatial_merge_size
    grid = np.array([1, side * merge, side * merge])
    values = 3 * vision.temporal_patch_size * vision.patch_size**2
    shape = int(grid.prod()), values
    pictures = [
        EncodedPicture(rng.normal(size=shape).astype(np.float32), grid) for _ in range(images)
    ]
    special = {config.image_token_id, config.video_token_id, config.vision_start_token_id,
               config.vision_end_token_id}  # fmt: skip
    words = np.array([i for i in range(config.text_config.vocab_size) if i not in special])
    framed = [config.vision_start_token_id, *[config.image_token_id] * side**2,
              config.vision_end_token_id]  # fmt: skip
    ids = np.array([*framed * images, *rng.choice(words, prompt - len(framed) * images)])
    types = (ids == config.image_token_id).astype(np.int64)
    prompts = tuple(
        EncodedPrompt(ids, types, tuple(pictures[i] for i in rng.permutation(images)))
        for _ in range(orders)
    )
    device = next(model.parameters()).device
    return ReplyBatch(
        prompts=prompts,
        parents=tuple(order for order in range(orders) for _ in range(replies // orders)),
        reply_ids=torch.from_numpy(rng.choice(words, (replies, reply))).to(device),
        reply_mask=torch.ones(replies, reply, device=device),
        suppressed=torch.tensor(sorted(special), device=device),
    )
