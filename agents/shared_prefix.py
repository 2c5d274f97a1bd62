"""One forward pass a group: each prompt and each picture is computed once, however many replies there are.

All replies to one order follow their prompt in one packed row (``agents.prefix_attention``), and all orders
of a question share one encoding of each picture. Gradients flow through both, so they are those of the pass
in which every reply comes with its own prompt and pictures, to rounding. It is done on the models as
transformers has them; nothing of theirs is written anew.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import torch

from agents.prefix_attention import (
    SHARED_PREFIX,
    PackedLayout,
    Segment,
    register_prefix_attention,
)
from agents.processing import EncodedPicture

if TYPE_CHECKING:
    from agents.logprobs import ReplyBatch

logger = logging.getLogger(__name__)

#: Families whose models take encoded pictures and positions from outside.
FAMILIES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl")


def share_prefixes(model: torch.nn.Module) -> bool:
    """Prepare a model for the shared pass; tell whether its family can. Other passes stay as they are."""
    family = getattr(model.config, "model_type", None)
    if family not in FAMILIES:
        logger.warning(
            "%s: prompts and pictures are computed once a reply; they are shared for %s",
            family, ", ".join(FAMILIES),
        )  # fmt: skip
        return False
    register_prefix_attention()
    model.model.language_model.config._attn_implementation = SHARED_PREFIX
    return True


def can_share(model: torch.nn.Module) -> bool:
    """Whether the model has been prepared for the shared pass."""
    language_model = getattr(model.model, "language_model", None)
    if language_model is None:
        return False
    return language_model.config._attn_implementation == SHARED_PREFIX


def shared_hidden_states(model: torch.nn.Module, batch: ReplyBatch) -> torch.Tensor:
    """The states [N, H] that predict the replies' tokens, reply after reply."""
    device, lengths = batch.reply_ids.device, batch.lengths
    segments = _segments(batch, lengths)
    input_ids, sources = _packed(batch, segments, lengths)
    states = model.model(
        input_ids=torch.from_numpy(input_ids)[None].to(device),
        position_ids=_positions(model, batch, segments, device),
        mm_encoder_outputs={"image": _encoded_pictures(model, batch, device)},
        use_cache=False,
        packed_layout=PackedLayout(segments, device),
    ).last_hidden_state[0]
    return states[torch.from_numpy(sources).to(device)]


def _segments(batch: ReplyBatch, lengths: Sequence[int]) -> list[Segment]:
    """Each prompt and its replies. A reply's last token predicts nothing and is left out."""
    segments: list[Segment] = []
    for number, prompt in enumerate(batch.prompts):
        replies = tuple(
            length - 1
            for parent, length in zip(batch.parents, lengths, strict=True)
            if parent == number
        )
        start = segments[-1].end if segments else 0
        segments.append(Segment(start, len(prompt), replies))
    return segments


def _packed(
    batch: ReplyBatch, segments: Sequence[Segment], lengths: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """The row's tokens, and where in the row the state lies that predicts each reply token."""
    replies = batch.reply_ids.cpu().numpy()
    rows = iter(range(len(lengths)))
    tokens, sources = [], []
    for prompt, segment in zip(batch.prompts, segments, strict=True):
        tokens.append(prompt.input_ids)
        start = segment.suffix
        for count in segment.replies:
            tokens.append(replies[next(rows), :count])
            sources += [segment.suffix - 1, *range(start, start + count)]
            start += count
    return np.concatenate(tokens), np.array(sources)


def _positions(
    model: torch.nn.Module,
    batch: ReplyBatch,
    segments: Sequence[Segment],
    device: torch.device,
) -> torch.Tensor:
    """M-RoPE positions [3, 1, L]: each reply goes on where its prompt ended."""
    parts = []
    for prompt, segment in zip(batch.prompts, segments, strict=True):
        positions, _ = model.model.get_rope_index(
            torch.from_numpy(prompt.input_ids)[None],
            mm_token_type_ids=torch.from_numpy(prompt.mm_token_type_ids)[None],
            image_grid_thw=torch.from_numpy(prompt.image_grid_thw),
        )
        parts.append(positions[:, 0])
        first = int(positions.max()) + 1
        parts += [torch.arange(first, first + count).expand(3, -1) for count in segment.replies]
    return torch.cat(parts, dim=1)[:, None].to(device)


def _encoded_pictures(
    model: torch.nn.Module, batch: ReplyBatch, device: torch.device
) -> SimpleNamespace:
    """The vision tower's output for every picture in the row, each distinct one computed once."""
    shown = [picture for prompt in batch.prompts for picture in prompt.pictures]
    distinct: dict[int, EncodedPicture] = {id(picture): picture for picture in shown}
    features = model.model.get_image_features(
        torch.from_numpy(np.concatenate([p.pixel_values for p in distinct.values()])).to(device),
        torch.from_numpy(np.stack([p.grid for p in distinct.values()])).to(device),
        return_dict=True,
    )
    place = {key: number for number, key in enumerate(distinct)}
    chosen = [place[id(picture)] for picture in shown]
    # Qwen3-VL also feeds earlier layers of the tower into its first decoder layers.
    deepstack = getattr(features, "deepstack_features", None) or []
    return SimpleNamespace(
        pooler_output=[features.pooler_output[i] for i in chosen],
        deepstack_features=[[layer[i] for i in chosen] for layer in deepstack],
    )
