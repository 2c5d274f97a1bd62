"""Attention over packed rows in which many replies follow one prompt.

A packed row holds, for each order of a question, its prompt once and then the tokens of all its replies. A
prompt attends to itself. A reply attends to its prompt and to itself, not to the other replies. The two parts
of a reply's attention are computed apart, each by a fused kernel, and merged by their log-sum-exp, so that no
mask is ever built: memory grows with the tokens, not with their square. The backward pass gives each kernel
the merged output and log-sum-exp, from which it makes exactly its part of the gradient (as ring attention
does, arXiv 2310.01889).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

#: The name under which transformers knows this attention.
SHARED_PREFIX = "shared_prefix"


@dataclass(frozen=True)
class Segment:
    """One prompt and its replies in a packed row.

    Attributes:
        start: of the prompt in the row.
        prompt: its number of tokens.
        replies: the number of tokens of each reply, in the sequence in which they follow the prompt.
    """

    start: int
    prompt: int
    replies: tuple[int, ...]

    @property
    def suffix(self) -> int:
        """Where the replies begin."""
        return self.start + self.prompt

    @property
    def end(self) -> int:
        """Where the segment ends."""
        return self.suffix + sum(self.replies)


@dataclass(frozen=True)
class _Padding:
    """Where the tokens of replies lie in a block with one row a reply.

    Attributes:
        places: int64 [N], where in the flattened block each token lies; None where none is left free.
        shape: replies and most tokens of one.
    """

    places: torch.Tensor | None
    shape: tuple[int, int]

    def pad(self, values: torch.Tensor) -> torch.Tensor:
        """[1, H, N, …] as [R, H, T, …], zero where there is no token."""
        tokens = values[0].transpose(0, 1)
        if self.places is not None:
            block = tokens.new_zeros((math.prod(self.shape), *tokens.shape[1:]))
            tokens = block.index_copy_(0, self.places, tokens)
        return tokens.unflatten(0, self.shape).transpose(1, 2)

    def unpad(self, block: torch.Tensor) -> torch.Tensor:
        """[R, H, T, …] as [1, H, N, …]."""
        tokens = block.transpose(1, 2).flatten(0, 1)
        if self.places is not None:
            tokens = tokens.index_select(0, self.places)
        return tokens.transpose(0, 1)[None]


class PackedLayout:
    """How prompts and replies lie in a packed row.

    Args:
        segments: one after the other, without gaps.
        device: where the row is computed.
    """

    def __init__(self, segments: Sequence[Segment], device: torch.device):
        self.segments = tuple(segments)
        self._padding = [_padding(segment.replies, device) for segment in self.segments]

    def parts(self):
        """Each segment with the places of its replies' tokens; None where there are none."""
        return zip(self.segments, self._padding, strict=True)


def _padding(lengths: Sequence[int], device: torch.device) -> _Padding | None:
    if not sum(lengths):
        return None
    longest = max(lengths)
    shape = len(lengths), longest
    if min(lengths) == longest:
        return _Padding(None, shape)
    places = [torch.arange(length) + row * longest for row, length in enumerate(lengths)]
    return _Padding(torch.cat(places).to(device), shape)


class _PrefixAttention(torch.autograd.Function):
    """Queries [1, H, L, D], keys and values [1, K, L, D] to the attention's output [1, H, L, D]."""

    @staticmethod
    def forward(ctx: Any, q, k, v, layout: PackedLayout, scale: float):  # type: ignore[override]
        """Both parts of each segment, merged."""
        out = torch.empty_like(q)
        lse = q.new_empty(q.shape[:3], dtype=torch.float32)
        for segment, padding in layout.parts():
            prompt, suffix = _spans(segment)
            qp, kp, vp = (x[:, :, prompt] for x in (q, k, v))
            out[:, :, prompt], lse[:, :, prompt] = _attend(qp, kp, vp, True, scale)
            if padding is None:
                continue
            qs, ks, vs = (x[:, :, suffix] for x in (q, k, v))
            from_prompt, lse_prompt = _attend(qs, kp, vp, False, scale)
            qb, kb, vb = (padding.pad(x) for x in (qs, ks, vs))
            block, lse_block = _attend(qb, kb, vb, True, scale)
            own, lse_own = padding.unpad(block), padding.unpad(lse_block)
            merged = torch.logaddexp(lse_prompt, lse_own)
            weights = (torch.exp(part - merged)[..., None] for part in (lse_prompt, lse_own))
            share_prompt, share_own = weights
            out[:, :, suffix] = torch.addcmul(from_prompt * share_prompt, own, share_own)
            lse[:, :, suffix] = merged
        ctx.save_for_backward(q, k, v, out, lse)
        ctx.layout, ctx.scale = layout, scale
        return out

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor):  # type: ignore[override]
        """Each part's gradient from the merged output and log-sum-exp."""
        q, k, v, out, lse = ctx.saved_tensors
        dq, dk, dv = (torch.empty_like(x) for x in (q, k, v))
        scale = ctx.scale
        for segment, padding in ctx.layout.parts():
            prompt, suffix = _spans(segment)
            at_prompt = [x[:, :, prompt] for x in (grad, q, k, v, out, lse)]
            _put((dq, dk, dv), prompt, _attend_backward(at_prompt, True, scale))
            if padding is None:
                continue
            grad_s, qs, ks, vs, out_s, lse_s = (x[:, :, suffix] for x in (grad, q, k, v, out, lse))
            padded = (padding.pad(x) for x in (grad_s, qs, ks, vs, out_s, lse_s))
            blocks = _attend_backward(padded, True, scale)
            _put((dq, dk, dv), suffix, [padding.unpad(block) for block in blocks])
            kp, vp = at_prompt[2:4]
            parts = _attend_backward((grad_s, qs, kp, vp, out_s, lse_s), False, scale)
            for total, span, part in zip(
                (dq, dk, dv), (suffix, prompt, prompt), parts, strict=True
            ):
                total[:, :, span] += part
        return dq, dk, dv, None, None


def _spans(segment: Segment) -> tuple[slice, slice]:
    return slice(segment.start, segment.suffix), slice(segment.suffix, segment.end)


def _put(wholes, span, parts) -> None:
    for whole, part in zip(wholes, parts, strict=True):
        whole[:, :, span] = part


def _attend(q, k, v, causal: bool, scale: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Output [B, H, L, D] and log-sum-exp [B, H, L] of one fused kernel."""
    k, v = (_for_each_query_head(x, q) for x in (k, v))
    ops = torch.ops.aten
    if q.device.type == "cpu":
        q, k, v = (_with_dense_rows(x) for x in (q, k, v))
        out, lse = ops._scaled_dot_product_flash_attention_for_cpu(
            q, k, v, 0.0, causal, scale=scale
        )
    else:
        q, k, v = (x.contiguous() for x in (q, k, v))
        out, lse, *_ = ops._scaled_dot_product_efficient_attention(
            q, k, v, None, True, 0.0, causal, scale=scale
        )
    return out, lse[..., : q.shape[2]]  # some kernels pad the log-sum-exp


def _attend_backward(tensors: Iterable[torch.Tensor], causal: bool, scale: float):
    """Gradients of queries, keys and values.

    ``tensors`` are the output's gradient, queries, keys, values, and an output and log-sum-exp that may be
    those of more keys.
    """
    grad, q, k, v, out, lse = tensors
    heads = k.shape[1]
    k, v = (_for_each_query_head(x, q) for x in (k, v))
    ops = torch.ops.aten
    if q.device.type == "cpu":
        grad, q, k, v, out = (_with_dense_rows(x) for x in (grad, q, k, v, out))
        dq, dk, dv = ops._scaled_dot_product_flash_attention_for_cpu_backward(
            grad, q, k, v, out, lse, 0.0, causal, scale=scale
        )
    else:
        grad, q, k, v, out, lse = (x.contiguous() for x in (grad, q, k, v, out, lse))
        padded = torch.nn.functional.pad(lse, (0, -lse.shape[-1] % 32), value=float("inf"))
        seed = torch.zeros((), dtype=torch.int64, device=q.device)  # of dropout: there is none
        dq, dk, dv, _ = ops._scaled_dot_product_efficient_attention_backward(
            grad, q, k, v, None, out, padded, seed, seed, 0.0, [True, True, True, False], causal,
            scale=scale,
        )  # fmt: skip
    return dq, _summed_over_query_heads(dk, heads), _summed_over_query_heads(dv, heads)


def _with_dense_rows(x: torch.Tensor) -> torch.Tensor:
    """The kernels of a CPU take views, as long as the last dimension lies in one piece."""
    return x if x.stride(-1) == 1 else x.contiguous()


def _for_each_query_head(x: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Keys or values [B, K, L, D] as [B, H, L, D]: several heads of queries share one of theirs."""
    groups = q.shape[1] // x.shape[1]
    return x if groups == 1 else x.repeat_interleave(groups, dim=1)


def _summed_over_query_heads(gradient: torch.Tensor, heads: int) -> torch.Tensor:
    """The inverse's gradient: [B, H, L, D] as [B, K, L, D]."""
    if gradient.shape[1] == heads:
        return gradient
    return gradient.unflatten(1, (heads, -1)).sum(dim=2)


def prefix_attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, layout: PackedLayout, scale: float
) -> torch.Tensor:
    """Attention over one packed row.

    Args:
        q: queries [1, H, L, D].
        k: keys [1, K, L, D], where H is a multiple of K.
        v: values, like ``k``.
        layout: which tokens are prompts and replies.
        scale: of the products of queries and keys.

    Returns:
        [1, H, L, D].
    """
    q, k = q.to(v.dtype), k.to(v.dtype)  # in mixed precision positions leave them in float32
    return _PrefixAttention.apply(q, k, v, layout, scale)


def _attention_function(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    packed_layout: PackedLayout | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """What transformers calls: rows that are not packed are left to its own fused attention."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if packed_layout is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **kwargs
        )
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    out = prefix_attention(query, key, value, packed_layout, scale)
    return out.transpose(1, 2).contiguous(), None


def register_prefix_attention() -> None:
    """Make ``SHARED_PREFIX`` known to transformers. Masks are those of its fused attention: none here."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(SHARED_PREFIX, _attention_function)
    AttentionMaskInterface.register(SHARED_PREFIX, sdpa_mask)
