"""Floating-point operations of rollouts and updates, counted from a model's sizes.

A multiplication and an addition are two operations; a matrix product with ``N`` parameters costs ``2 N``
a token, its backward pass twice that. Causal attention is counted at half of the full square, as kernels
compute it.
"""

from __future__ import annotations

from dataclasses import dataclass

from agents.model_shape import ModelShape


@dataclass(frozen=True)
class StepShape:
    """What a training step works on.

    Attributes:
        questions: how many are asked.
        orders: orders of a question.
        rollouts_per_order: replies to each.
        images: pictures of a question.
        image_tokens: of one picture, in the language model.
        text_tokens: of the prompt, pictures apart.
        reply_tokens: of one reply.
    """

    questions: int
    orders: int
    rollouts_per_order: int
    images: int
    image_tokens: int
    text_tokens: int
    reply_tokens: int

    @property
    def prompt_tokens(self) -> int:
        """Of one order's prompt."""
        return self.images * self.image_tokens + self.text_tokens

    @property
    def replies(self) -> int:
        """Of the whole step."""
        return self.questions * self.orders * self.rollouts_per_order


@dataclass(frozen=True)
class StepFlops:
    """Operations of one training step.

    Attributes:
        rollouts: prompts once an order, then token by token.
        plain_update: every reply passes with its whole prompt and pictures.
        shared_update: pictures once a question, prompts once an order.
    """

    rollouts: float
    plain_update: float
    shared_update: float


def count_step(
    model: ModelShape, step: StepShape, *, checkpointing: bool, reference: bool
) -> StepFlops:
    """Operations of a training step, one epoch.

    Args:
        model: its sizes.
        step: what it works on.
        checkpointing: whether activations are computed a second time for the backward pass.
        reference: whether a frozen model computes the replies' log-probabilities as well.
    """
    passes = 3 + checkpointing + reference
    groups = step.questions * step.orders
    picture = vision_forward(model, step.image_tokens)
    prompt = text_forward(model, step.prompt_tokens, 0)
    reply = text_forward(model, step.reply_tokens, step.prompt_tokens)
    reply += logits_forward(model, step.reply_tokens)
    plain = step.replies * (step.images * picture + prompt + reply)
    shared = step.questions * step.images * picture + groups * prompt + step.replies * reply
    rollouts = groups * (step.images * picture + prompt) + step.replies * reply
    return StepFlops(rollouts, passes * plain, passes * shared)


def text_forward(model: ModelShape, tokens: int, context: int) -> float:
    """A forward pass of the language model's layers over ``tokens`` that follow ``context`` others."""
    text = model.text
    pairs = tokens * context + tokens * (tokens + 1) / 2
    attention = 4 * text.layers * text.heads * text.head_width * pairs
    return 2 * text.parameters * tokens + attention


def logits_forward(model: ModelShape, tokens: int) -> float:
    """The last layer, from hidden states to the vocabulary."""
    return 2 * model.text.hidden * model.text.vocabulary * tokens


def vision_forward(model: ModelShape, image_tokens: int) -> float:
    """A forward pass of the vision tower over one picture."""
    vision = model.vision
    patches = image_tokens * vision.patches_per_token
    window = min(vision.window or patches, patches)
    windowed = vision.layers - vision.full_attention_layers
    seen = vision.full_attention_layers * patches + windowed * window
    linear = 2 * vision.parameters * patches + 2 * vision.merger_parameters * image_tokens
    return linear + 4 * vision.hidden * patches * seen
