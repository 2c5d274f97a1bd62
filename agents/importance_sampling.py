"""Truncated importance sampling between the engine that sampled and the learner that learns.

Three policies meet in an update, and two ratios between them:

- the engine's, as it computed the probabilities of what it drew (its kernels, its precision);
- the *old* one: the same weights, computed by the learner;
- the *new* one: the learner's weights as they are now.

``losses.clipped_policy_loss`` takes new / old, clipped as PPO does: how far the weights have moved.
Here is old / engine, truncated from above and without gradient: how far two programs disagree on the same
weights. It multiplies the policy loss, since the replies were drawn from the engine's distribution. The
truncation is that of IMPALA (Espeholt et al., arXiv 1802.01561); Yao et al., "Your Efficient RL Framework
Secretly Brings You Off-Policy RL Training" (2025), apply it to this mismatch and cap at 2, as here.

With one ratio new / engine for both, clipping would throw away the gradient of tokens on which the two
programs merely disagree.

Where rollouts are some steps old (``async_steps``), the learner no longer has the weights that drew them. The
old policy is then the learner as the step begins, and old / engine also holds how far it has moved since: the
decoupled objective of Hilton et al. (arXiv 2110.00641), truncated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch

from perl_env.errors import InputError

Level = Literal["token", "sequence"]
LEVELS: tuple[str, ...] = get_args(Level)


def check_setting(level: object, cap: float) -> None:
    """Raise unless the setting can be used.

    Args:
        level: one of ``LEVELS``, or False for none.
        cap: the largest weight.

    Raises:
        InputError: it cannot.

    >>> check_setting("token", 2.0), check_setting(False, 2.0)
    (None, None)
    """
    if level is not False and level not in LEVELS:
        raise InputError("unknown value", where="importance_sampling",
                         expected=f"one of {', '.join(LEVELS)}, or false", got=repr(level))  # fmt: skip
    if not isinstance(cap, (int, float)) or isinstance(cap, bool) or not cap >= 1:
        raise InputError("unusable value", where="importance_sampling_cap",
                         expected="a number of at least 1", got=repr(cap))  # fmt: skip


def truncated_weights(
    old_logprobs: torch.Tensor,
    sampler_logprobs: torch.Tensor,
    mask: torch.Tensor,
    level: Level,
    cap: float,
) -> torch.Tensor:
    """The weight of each token, ``min(old / engine, cap)``; carries no gradient.

    Args:
        old_logprobs: [B, T] by the learner, under the weights that the replies were drawn with.
        sampler_logprobs: [B, T] by the engine.
        mask: [B, T], 1 at a reply's tokens.
        level: "token": each token's own ratio. "sequence": the ratio of the whole reply, the product
            of its tokens', for each of them; unbiased, but of a variance that grows with its length.
        cap: largest weight.

    Returns:
        float32 [B, T]; 1 at padding.

    >>> old, engine = torch.tensor([[0.5, 0.4]]).log(), torch.tensor([[0.25, 0.1]]).log()
    >>> truncated_weights(old, engine, torch.ones(1, 2), "token", cap=3.0).tolist()
    [[2.0, 3.0]]
    """
    difference = (old_logprobs - sampler_logprobs).detach().float() * mask
    if level == "sequence":
        difference = difference.sum(dim=1, keepdim=True) * mask
    # Bounded before the exponential, so that a reply of thousands of tokens cannot overflow.
    largest = torch.log(torch.tensor(float(cap), device=difference.device))
    return torch.exp(torch.minimum(difference, largest))


@dataclass(frozen=True)
class PolicyRatios:
    """What the loss needs of the two policies before the present one.

    Attributes:
        old_logprobs: [B, T], to which the new policy is compared.
        weights: [B, T], of the policy loss.
    """

    old_logprobs: torch.Tensor
    weights: torch.Tensor


def policy_ratios(
    new_logprobs: torch.Tensor,
    recomputed_logprobs: torch.Tensor | None,
    sampler_logprobs: torch.Tensor,
    mask: torch.Tensor,
    level: Level | Literal[False],
    cap: float,
) -> PolicyRatios:
    """Old log-probabilities and truncated weights for one micro batch.

    Args:
        new_logprobs: [B, T] of the update's own pass; 0 at padding.
        recomputed_logprobs: [B, T] by the learner before the first update of a step with several.
            None where this is the only update: its own pass is then under the old weights.
        sampler_logprobs: [B, T] by the engine; 0 at padding.
        mask: [B, T].
        level: see ``truncated_weights``. False takes the engine's log-probabilities for the old ones.
        cap: largest weight.
    """
    if level is False:
        return PolicyRatios(sampler_logprobs, torch.ones_like(mask))
    old = new_logprobs.detach() if recomputed_logprobs is None else recomputed_logprobs * mask
    return PolicyRatios(old, truncated_weights(old, sampler_logprobs, mask, level, cap))
