"""The policy-gradient losses of GRPO and its variants, one token at a time.

A loss here is a weighted sum over tokens. Each token's weight holds the whole normalisation, computed
from totals over *all* replies of the update (``Totals``). Hence the sum over micro batches, or over
learners, of their parts is exactly the loss of the whole update, and so are the gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch

from perl_env.errors import InputError

LossKind = Literal["grpo", "dr_grpo", "dapo", "gspo", "cispo"]
LOSS_KINDS: tuple[str, ...] = get_args(LossKind)


@dataclass(frozen=True)
class Totals:
    """Sums over one optimizer update, across all learners.

    Attributes:
        groups: number of questions.
        replies: number of replies.
        tokens: number of reply tokens.
    """

    groups: float
    replies: float
    tokens: float


def reply_weight(
    kind: LossKind, length: int, group_size: int, totals: Totals, max_length: int
) -> float:
    """The weight of each token of one reply in the loss of its update.

    Args:
        kind: "grpo": mean over the reply's tokens, then over its group, then over groups
            (DeepSeekMath, arXiv 2402.03300; PeRL equation 6). "dr_grpo": the sum over the tokens by
            a constant, so that length changes nothing (arXiv 2503.20783). "dapo": mean over
            all tokens of the update (arXiv 2503.14476; PeRL's released code does so, too). "gspo":
            as "grpo" (arXiv 2507.18071, equation 5). "cispo": as "dapo" (arXiv 2506.13585, equation 4).
        length: tokens of the reply.
        group_size: replies of its group.
        totals: of the update.
        max_length: the constant of "dr_grpo": most tokens that a reply may have.

    Raises:
        InputError: an unknown loss.

    >>> reply_weight("grpo", 4, 2, Totals(groups=5, replies=10, tokens=60), 32)
    0.025
    >>> reply_weight("dr_grpo", 4, 2, Totals(groups=5, replies=10, tokens=60), 32)
    0.003125
    """
    if kind in ("grpo", "gspo"):
        return 1.0 / (length * group_size * totals.groups)
    if kind == "dr_grpo":
        return 1.0 / (max_length * totals.replies)
    if kind in ("dapo", "cispo"):
        return 1.0 / totals.tokens
    raise InputError(
        "unknown loss", where="loss", expected=f"one of {', '.join(LOSS_KINDS)}", got=kind
    )


@dataclass(frozen=True)
class ClippedLoss:
    """Per-token terms of the clipped objective, all of the shape of the log-probabilities.

    Attributes:
        loss: to be minimised.
        ratio: probability under the policy by that under the sampler.
        clipped_low: whether clipping from below changed the token's gradient.
        clipped_high: the same from above.
    """

    loss: torch.Tensor
    ratio: torch.Tensor
    clipped_low: torch.Tensor
    clipped_high: torch.Tensor


def policy_loss(
    kind: LossKind,
    logprobs: torch.Tensor,
    old_logprobs: torch.Tensor,
    advantages: torch.Tensor,
    mask: torch.Tensor,
    clip_low: float,
    clip_high: float,
) -> ClippedLoss:
    """The loss of each token, before it is weighted.

    Args:
        kind: "gspo" compares whole replies: the ratio is the geometric mean over the reply's tokens, the
            same for each of them (arXiv 2507.18071, equation 7). "cispo" clips the ratio but not its
            token: every token's log-probability keeps a gradient, weighted by the clipped ratio
            (arXiv 2506.13585, equations 4 and 5). All others clip each token's ratio as PPO does.
        logprobs: [B, T] of the policy that learns.
        old_logprobs: [B, T] of the policy that sampled.
        advantages: [B] or [B, 1].
        mask: [B, T], 1 at a reply's tokens.
        clip_low: the ratio counts down to ``1 - clip_low``.
        clip_high: and up to ``1 + clip_high``.
    """
    if kind == "gspo":
        lengths = mask.sum(dim=1, keepdim=True).clamp(min=1)
        difference = ((logprobs - old_logprobs) * mask).sum(dim=1, keepdim=True) / lengths
        sequence = difference.expand_as(logprobs)
        return clipped_policy_loss(
            sequence, torch.zeros_like(sequence), advantages, clip_low, clip_high
        )
    if kind == "cispo":
        return _clipped_weight_loss(logprobs, old_logprobs, advantages, clip_low, clip_high)
    return clipped_policy_loss(logprobs, old_logprobs, advantages, clip_low, clip_high)


def _clipped_weight_loss(
    logprobs: torch.Tensor,
    old_logprobs: torch.Tensor,
    advantages: torch.Tensor,
    clip_low: float,
    clip_high: float,
) -> ClippedLoss:
    """REINFORCE with a clipped importance weight that carries no gradient."""
    ratio = torch.exp(logprobs - old_logprobs).detach()
    weight = ratio.clamp(1.0 - clip_low, 1.0 + clip_high)
    return ClippedLoss(
        loss=-weight * advantages.reshape(-1, 1) * logprobs,
        ratio=ratio,
        clipped_low=ratio < 1.0 - clip_low,
        clipped_high=ratio > 1.0 + clip_high,
    )


def clipped_policy_loss(
    logprobs: torch.Tensor,
    old_logprobs: torch.Tensor,
    advantages: torch.Tensor,
    clip_low: float,
    clip_high: float,
) -> ClippedLoss:
    """PPO's clipped objective per token, negated; the two bounds may differ (DAPO's "clip higher").

    Args:
        logprobs: [B, T] of the policy that learns.
        old_logprobs: [B, T] of the policy that sampled.
        advantages: [B] or [B, 1].
        clip_low: the ratio counts down to ``1 - clip_low``.
        clip_high: and up to ``1 + clip_high``.

    >>> one = torch.zeros(1, 1)
    >>> clipped_policy_loss(one, one, torch.tensor([2.0]), 0.2, 0.2).loss.item()
    -2.0
    """
    advantages = advantages.reshape(-1, 1)
    ratio = torch.exp(logprobs - old_logprobs)
    clipped = ratio.clamp(1.0 - clip_low, 1.0 + clip_high)
    return ClippedLoss(
        loss=-torch.minimum(ratio * advantages, clipped * advantages),
        ratio=ratio,
        clipped_low=(ratio < 1.0 - clip_low) & (advantages < 0),
        clipped_high=(ratio > 1.0 + clip_high) & (advantages > 0),
    )


def k3_divergence(logprobs: torch.Tensor, reference_logprobs: torch.Tensor) -> torch.Tensor:
    """Schulman's unbiased, non-negative estimate of KL(policy || reference), per token.

    >>> k3_divergence(torch.tensor([-1.0]), torch.tensor([-1.0])).item()
    0.0
    """
    difference = reference_logprobs - logprobs
    return torch.exp(difference) - difference - 1.0


def token_weights(weights: np.ndarray, mask: torch.Tensor) -> torch.Tensor:
    """[B] reply weights spread over their tokens, [B, T]; zero at padding."""
    column = torch.as_tensor(weights, dtype=torch.float32, device=mask.device).reshape(-1, 1)
    return column * mask
