"""From ragged groups to batches of replies, as many at a time as a budget of tokens allows."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from agents.losses import LossKind, Totals, reply_weight, token_weights
from agents.processing import EncodedPrompt, PromptProcessor
from agents.reply_batch import ReplyBatch
from agents.training_data import Group


@dataclass(frozen=True)
class Row:
    """One reply of an update.

    Attributes:
        prompt: the prompt that it answers; rows of one prompt share the object.
        token_ids: int64 [T].
        sampler_logprobs: float32 [T], by the engine that drew it.
        advantage: of the reply.
        weight: of each of its tokens in the loss.
        question: the number of its question; rows of one question share it.
    """

    prompt: EncodedPrompt
    token_ids: np.ndarray
    sampler_logprobs: np.ndarray
    advantage: float
    weight: float
    question: int = 0


@dataclass(frozen=True)
class LearnerBatch:
    """What the loss of a micro batch is made from.

    Attributes:
        replies: the model's input.
        sampler_logprobs: float32 [B, T], by the engine that drew the replies.
        advantages: float32 [B].
        weights: float32 [B, T], each token's weight in the loss, 0 at padding.
        image_counts: int64 [B], pictures of the question that a reply answers.
        reference_logprobs: float32 [B, T] under the frozen reference; None without one.
        recomputed_logprobs: float32 [B, T] under the weights that drew the replies, by the learner;
            None where the update's own pass gives them.
        idle: whether it only keeps a learner in step with others that share its model.
    """

    replies: ReplyBatch
    sampler_logprobs: torch.Tensor
    advantages: torch.Tensor
    weights: torch.Tensor
    image_counts: torch.Tensor
    reference_logprobs: torch.Tensor | None = None
    recomputed_logprobs: torch.Tensor | None = None
    idle: bool = False


def rows_of(
    groups: Sequence[Group],
    encoded: Sequence[EncodedPrompt],
    totals: Totals,
    kind: LossKind,
    max_length: int,
) -> list[Row]:
    """The replies of several groups, group by group and prompt by prompt.

    Args:
        groups: of one learner's share of an update.
        encoded: their prompts, group by group and order by order.
        totals: of the whole update.
        kind: of loss.
        max_length: most tokens that a reply may have.
    """
    prompts = iter(encoded)
    return [
        Row(prompt, ids, logprobs, float(advantage),
            reply_weight(kind, len(ids), group.num_replies, totals, max_length), number)
        for number, group in enumerate(groups)
        for order in group.orders
        for prompt in [next(prompts)]
        for ids, logprobs, advantage in zip(order.token_ids, order.logprobs, order.advantages, strict=True)
    ]  # fmt: skip


def split_rows(rows: Sequence[Row], max_tokens: int, shared: bool = True) -> list[list[Row]]:
    """``rows`` in parts that pass through the model one after the other.

    A question is not split over parts if it fits into one, so that its pictures are computed once; nor is
    an order of a question that is too large, so that its prompt is.

    Args:
        rows: as ``rows_of`` gives them.
        max_tokens: of a part. A single reply that has more passes alone.
        shared: whether a prompt is computed, and counted, once a part, or once a reply.
    """
    parts: list[list[Row]] = []
    tokens, prompts = 0, set[int]()
    for unit in _units(rows, max_tokens) if shared else ([row] for row in rows):
        cost = _tokens(unit, prompts if shared else set())
        if not parts or tokens + cost > max_tokens:
            parts.append([])
            tokens, prompts = 0, set()
            cost = _tokens(unit, prompts)
        parts[-1] += unit
        tokens += cost
        prompts |= {id(row.prompt) for row in unit}
    return parts


def _units(rows: Sequence[Row], max_tokens: int) -> Iterator[list[Row]]:
    """Whole questions where they fit, else whole orders, else single replies."""
    for _, question in itertools.groupby(rows, key=lambda row: row.question):
        of_question = list(question)
        if _tokens(of_question) <= max_tokens:
            yield of_question
            continue
        for _, order in itertools.groupby(of_question, key=lambda row: id(row.prompt)):
            of_order = list(order)
            fits = _tokens(of_order) <= max_tokens
            yield from [of_order] if fits else ([row] for row in of_order)


def _tokens(rows: Sequence[Row], known: Collection[int] = ()) -> int:
    """Of replies and their prompts, each prompt once; ``known`` ones are not counted."""
    prompts = {id(row.prompt): len(row.prompt) for row in rows if id(row.prompt) not in known}
    return sum(prompts.values()) + sum(len(row.token_ids) for row in rows)


def collate(
    rows: Sequence[Row], processor: PromptProcessor, temperature: float, device: torch.device
) -> LearnerBatch:
    """Rows of one part as tensors on ``device``."""
    prompts = list({id(row.prompt): row.prompt for row in rows}.values())
    position = {id(prompt): i for i, prompt in enumerate(prompts)}
    shape = len(rows), max(len(row.token_ids) for row in rows)
    ids = np.full(shape, processor.pad_token_id, dtype=np.int64)
    mask, sampler = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
    for i, row in enumerate(rows):
        length = len(row.token_ids)
        ids[i, :length], mask[i, :length] = row.token_ids, 1.0
        sampler[i, :length] = row.sampler_logprobs
    reply_mask = torch.from_numpy(mask).to(device)
    return LearnerBatch(
        replies=ReplyBatch(
            prompts=tuple(prompts),
            parents=tuple(position[id(row.prompt)] for row in rows),
            reply_ids=torch.from_numpy(ids).to(device),
            reply_mask=reply_mask,
            suppressed=torch.tensor(sorted(processor.image_token_ids), device=device),
            temperature=temperature,
        ),
        sampler_logprobs=torch.from_numpy(sampler).to(device),
        advantages=torch.tensor([row.advantage for row in rows], device=device),
        weights=token_weights(np.array([row.weight for row in rows]), reply_mask),
        image_counts=torch.tensor([len(row.prompt.image_grid_thw) for row in rows], device=device),
    )
