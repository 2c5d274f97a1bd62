"""Operations as counted from a model's sizes, beside those that torch counts while it runs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from agents.engines.base import Prompt
from agents.engines.transformers_engine import left_padded
from agents.flops import StepShape, count_step, logits_forward, text_forward, vision_forward
from agents.model_shape import read_model_shape
from agents.models import load_model
from agents.processing import PromptProcessor


def _counted(model, inputs, **settings):
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(**inputs, **settings)
    return counter.get_total_flops()


@pytest.mark.parametrize("images", [1, 4])
def test_a_forward_pass_costs_what_torch_counts(images):
    shape, processor = read_model_shape("embedded"), PromptProcessor("embedded")
    # Eager attention computes the full square, so that its counted products are known exactly.
    model = load_model("embedded", "float32", attention="eager")
    pictures = tuple(np.full((56, 56, 3), 40 * i, np.uint8) for i in range(images))
    inputs = left_padded(
        [processor.encode(Prompt(pictures, "Which image is red? " * 8))], processor.pad_token_id,
        torch.device("cpu"),
    )  # fmt: skip
    tokens = inputs["input_ids"].shape[1]
    text = text_forward(shape, tokens, 0)
    upper_half = 4 * shape.text.layers * shape.text.heads * shape.text.head_width
    upper_half *= tokens * (tokens - 1) / 2
    vision = images * vision_forward(shape, 4)
    expected = text + upper_half + vision + logits_forward(shape, tokens)
    assert expected == pytest.approx(_counted(model, inputs), rel=0.02)


def test_a_shared_prompt_saves_what_is_not_computed_again():
    model = read_model_shape("embedded")
    step = StepShape(8, 2, 6, 4, 100, 50, 30)
    counted = count_step(model, step, checkpointing=False, reference=False)
    prompt = 4 * vision_forward(model, 100) + text_forward(model, 450, 0)
    replies = 96 * (text_forward(model, 30, 450) + logits_forward(model, 30))
    assert counted.plain_update == pytest.approx(3 * (96 * prompt + replies))
    shared = 8 * 4 * vision_forward(model, 100) + 16 * text_forward(model, 450, 0) + replies
    assert counted.shared_update == pytest.approx(3 * shared)
    more = count_step(model, step, checkpointing=True, reference=True)
    assert more.plain_update == pytest.approx(counted.plain_update * 5 / 3)


def test_one_reply_to_one_order_shares_nothing():
    step = StepShape(3, 1, 1, 2, 64, 20, 16)
    counted = count_step(read_model_shape("embedded"), step, checkpointing=False, reference=False)
    assert counted.shared_update == counted.plain_update
    twice = count_step(
        read_model_shape("embedded"),
        replace(step, questions=6),
        checkpointing=False,
        reference=False,
    )
    assert twice.plain_update == pytest.approx(2 * counted.plain_update)
