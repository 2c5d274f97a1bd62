"""One forward pass a group: each prompt and each picture is computed once, however many replies there are.

All replies to one order follow their prompt in one packed row (``agents.prefix_attention``), and all orders
of a question share one encoding of each picture. Gradients flow through both, so they are those of the pass
in which every reply comes with its own prompt and pictures, to rounding. It is done on the models as
transformers has them; nothing of theirs is written anew.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from agents.prefix_attention import (
    SHARED_PREFIX,
    PackedLayout,
    Segment,
    register_prefix_attention,
)
from agents.processing import EncodedPicture
from agents.reply_batch import ReplyBatch

logger = logging.getLogger(__name__)

#: Families whose language models take embedded pictures and positions from outside.
FAMILIES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl")


def share_prefixes(model: torch.nn.Module) -> bool:
    """Prepare a model for the shared pass; tell whether it can. Other passes stay as they are."""
    if (reason := _why_not(model.config)) is not None:
        logger.warning("prompts and pictures are computed once a reply, not shared: %s", reason)
        return False
    register_prefix_attention()
    model.model.language_model.config._attn_implementation = SHARED_PREFIX
    return True


def _why_not(config: Any) -> str | None:
    """What keeps a model from the shared pass; None where nothing does."""
    family = getattr(config, "model_type", None)
    if family not in FAMILIES:
        return f"{family} is none of {', '.join(FAMILIES)}"
    text = config.text_config
    if "sliding_attention" in (getattr(text, "layer_types", None) or ()):
        return "some of its layers attend over a sliding window"
    if text.attention_dropout:
        return "its attention has dropout"
    return None


def can_share(model: torch.nn.Module) -> bool:
    """Whether the model has been prepared for the shared pass."""
    language_model = getattr(model.model, "language_model", None)
    if language_model is None:
        return False
    return language_model.config._attn_implementation == SHARED_PREFIX


@dataclass(frozen=True)
class PackedRow:
    """Prompts and replies in one row, as a language model takes them.

    Attributes:
        inputs: embedded words and pictures [1, L, H], positions [3, 1, L], and what else the family wants.
        segments: each prompt with its replies.
        sources: int64 [N], where in the row the state lies that predicts each reply token.
    """

    inputs: dict[str, Any]
    segments: list[Segment]
    sources: torch.Tensor


def pack(model: torch.nn.Module, batch: ReplyBatch) -> PackedRow:
    """The batch in one row; its pictures are computed here."""
    device, lengths = batch.reply_ids.device, batch.lengths
    segments = _segments(batch, lengths)
    input_ids, sources = _packed(batch, segments, lengths)
    inputs = _embedded(model, batch, torch.from_numpy(input_ids)[None].to(device))
    inputs["position_ids"] = _positions(model, batch, segments, device)
    return PackedRow(inputs, segments, torch.from_numpy(sources).to(device))


def shared_hidden_states(model: torch.nn.Module, batch: ReplyBatch) -> torch.Tensor:
    """The states [N, H] that predict the replies' tokens, reply after reply."""
    row = pack(model, batch)
    layout = PackedLayout(row.segments, batch.reply_ids.device)
    output = model.model.language_model(**row.inputs, use_cache=False, packed_layout=layout)
    return output.last_hidden_state[0, row.sources]


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


def _embedded(model: torch.nn.Module, batch: ReplyBatch, row: torch.Tensor) -> dict[str, Any]:
    """The row [1, L] as the language model takes it: words embedded, pictures in their places.

    The tower computes each distinct picture once; its output is put wherever a prompt shows the picture.
    """
    shown = [picture for prompt in batch.prompts for picture in prompt.pictures]
    distinct: dict[int, EncodedPicture] = {id(picture): picture for picture in shown}
    features = model.model.get_image_features(
        torch.from_numpy(np.concatenate([p.pixel_values for p in distinct.values()])).to(
            row.device
        ),
        torch.from_numpy(np.stack([p.grid for p in distinct.values()])).to(row.device),
        return_dict=True,
    )
    place = {key: number for number, key in enumerate(distinct)}
    chosen = [place[id(picture)] for picture in shown]

    sizes = [len(picture) for picture in features.pooler_output]

    def in_the_row(pictures: torch.Tensor | Sequence[torch.Tensor]) -> torch.Tensor:
        if isinstance(pictures, torch.Tensor):  # as transformers before 5.18 leaves deeper features
            pictures = pictures.split(sizes)
        return torch.cat([pictures[i] for i in chosen])

    words, at_pictures = model.get_input_embeddings()(row), row == model.config.image_token_id
    embedded = in_the_row(features.pooler_output).to(words.dtype)
    inputs: dict[str, Any] = {
        "inputs_embeds": words.masked_scatter(at_pictures[..., None], embedded)
    }
    deepstack = getattr(features, "deepstack_features", None)
    if deepstack is None:
        return inputs
    # Qwen3-VL also adds what earlier layers of its tower see to the first layers of the language model.
    layers = [in_the_row(layer) for layer in deepstack]
    return {**inputs, "visual_pos_masks": at_pictures, "deepstack_visual_embeds": layers}
