"""How far the engine that sampled and the learner disagree on the same weights, overall and by pictures.

With rollouts that are some steps old the figures also hold how far the policy has moved since.

Mismatches of models with several pictures show first where there are many of them, so every figure is also
kept for each number of pictures of a question.
"""

from __future__ import annotations

import torch

#: Questions with more pictures are counted as having this many.
MOST_IMAGES = 32
#: Sums that ``Drift`` keeps: tokens, |difference|, ratio, truncated tokens.
_SUMS = 4


class Drift:
    """Gathers the drift of the micro batches of one update.

    The tensors may be reduced over learners before they are read: ``sums`` [33, 4] by addition,
    ``maxima`` [33, 2] by the maximum.

    >>> drift = Drift()
    >>> old, engine = torch.tensor([[-1.0, -2.0]]), torch.tensor([[-1.0, -1.0]])
    >>> drift.add(old, engine, torch.ones(1, 2), torch.tensor([3]), cap=2.0)
    >>> drift.figures()["sampler_logprob_difference"], drift.figures()["sampler_logprob_difference_max"]
    (0.5, 1.0)
    >>> drift.figures_by_images()["sampler_logprob_difference"]
    {3: 0.5}
    """

    def __init__(self, device: torch.device | str = "cpu"):
        rows = MOST_IMAGES + 1
        self.sums = torch.zeros(rows, _SUMS, dtype=torch.float64, device=device)
        self.maxima = torch.zeros(rows, 2, dtype=torch.float64, device=device)

    def add(
        self,
        old_logprobs: torch.Tensor,
        sampler_logprobs: torch.Tensor,
        mask: torch.Tensor,
        image_counts: torch.Tensor,
        cap: float,
    ) -> None:
        """Count a micro batch.

        Args:
            old_logprobs: [B, T] by the learner, under the weights that the replies were drawn with.
            sampler_logprobs: [B, T] by the engine.
            mask: [B, T], 1 at a reply's tokens.
            image_counts: int64 [B], pictures of the question that a reply answers.
            cap: ratios above it count as truncated.
        """
        mask = mask.double()
        difference = (old_logprobs - sampler_logprobs).detach().double() * mask
        ratio = difference.exp() * mask
        per_reply = torch.stack(
            [
                mask.sum(dim=1), difference.abs().sum(dim=1), ratio.sum(dim=1),
                ((ratio > cap) * mask).sum(dim=1),
            ],
            dim=1,
        )  # fmt: skip
        rows = image_counts.clamp(max=MOST_IMAGES)
        self.sums.index_add_(0, rows, per_reply)
        largest = torch.stack([difference.abs().amax(dim=1), ratio.amax(dim=1)], dim=1)
        self.maxima.scatter_reduce_(0, rows[:, None].expand(-1, 2), largest, "amax")

    def figures(self) -> dict[str, float]:
        """Means over all tokens, the largest, and the share of tokens that were truncated."""
        return _named(self.sums.sum(dim=0), self.maxima.amax(dim=0))

    def figures_by_images(self) -> dict[str, dict[int, float]]:
        """The same figures by number of pictures, of those numbers that occurred."""
        found: dict[str, dict[int, float]] = {}
        for count in torch.nonzero(self.sums[:, 0]).flatten().tolist():
            for name, value in _named(self.sums[count], self.maxima[count]).items():
                found.setdefault(name, {})[count] = value
        return found


def _named(sums: torch.Tensor, maxima: torch.Tensor) -> dict[str, float]:
    tokens, difference, ratio, truncated = sums.tolist()
    tokens = max(tokens, 1.0)
    return {
        "sampler_logprob_difference": difference / tokens,
        "sampler_logprob_difference_max": maxima[0].item(),
        "sampler_importance_ratio": ratio / tokens,
        "sampler_importance_ratio_max": maxima[1].item(),
        "sampler_importance_ratio_truncated": truncated / tokens,
    }
