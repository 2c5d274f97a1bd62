"""The pass with shared prompts and pictures against the pass in which every reply comes with its own."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.logprobs import (
    from_hidden_states,
    plain_hidden_states,
    reply_logprobs,
)
from agents.processing import EncodedPicture, EncodedPrompt
from agents.reply_batch import ReplyBatch
from agents.shared_prefix import can_share, share_prefixes
from tests.agents.tiny_families import (
    FAMILIES,
    IMAGE_TOKEN,
    PATCH_VALUES,
    VISION_END,
    VISION_START,
    build,
)

SUPPRESSED = torch.tensor([IMAGE_TOKEN, VISION_START])


@pytest.fixture(scope="module")
def models():
    made = {family: build(family) for family in FAMILIES}
    for model in made.values():
        assert share_prefixes(model)
    return made


def _picture(rng, height, width):
    grid = np.array([1, 2 * height, 2 * width])
    pixels = rng.normal(size=(int(grid.prod()), PATCH_VALUES)).astype(np.float32)
    return EncodedPicture(pixels, grid)


def _prompt(rng, pictures):
    """Pictures in their frames, words between them and after."""
    ids: list[int] = []
    for picture in pictures:
        ids += [*rng.integers(2, 50, rng.integers(0, 3)), VISION_START]
        ids += [IMAGE_TOKEN] * (int(picture.grid.prod()) // 4) + [VISION_END]
    ids += list(rng.integers(2, 50, rng.integers(1, 5)))
    array = np.array(ids, dtype=np.int64)
    return EncodedPrompt(array, (array == IMAGE_TOKEN).astype(np.int64), tuple(pictures))


def make_batch(seed, sizes, replies, temperature=0.8):
    """A question whose pictures have ``sizes``, asked in ``len(replies)`` orders, with these replies."""
    rng = np.random.default_rng(seed)
    pictures = [_picture(rng, *size) for size in sizes]
    prompts = tuple(_prompt(rng, [pictures[i] for i in rng.permutation(len(pictures))])
                    for _ in replies)  # fmt: skip
    lengths = [length for order in replies for length in order]
    shape = len(lengths), max(lengths)
    mask = (torch.arange(shape[1]) < torch.tensor(lengths)[:, None]).float()
    ids = torch.from_numpy(rng.integers(2, 50, shape)) * mask.long()
    parents = tuple(number for number, order in enumerate(replies) for _ in order)
    return ReplyBatch(prompts, parents, ids, mask, SUPPRESSED, temperature)


def gradients_of(model, result, mask, seed):
    """Of a loss that weighs every token differently, as advantages do."""
    weights = torch.randn(mask.shape, generator=torch.Generator().manual_seed(seed))
    loss = (result["logprobs"] * mask * weights).sum() / mask.sum()
    model.zero_grad()
    loss.backward()
    return loss.detach(), {
        name: torch.zeros_like(p) if p.grad is None else p.grad.clone()
        for name, p in model.named_parameters()
    }


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 10**6),
    sizes=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=4),
    replies=st.lists(
        st.lists(st.integers(1, 7), min_size=1, max_size=4), min_size=1, max_size=3
    ),
)  # fmt: skip
def test_values_loss_and_every_gradient_equal_the_plain_pass(models, family, seed, sizes, replies):
    model, batch = models[family], make_batch(seed, sizes, replies)
    assert can_share(model)
    shared = reply_logprobs(model, batch)
    plain = from_hidden_states(model, batch, plain_hidden_states(model, batch))
    torch.testing.assert_close(shared["logprobs"], plain["logprobs"], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(shared["entropy"], plain["entropy"], atol=1e-5, rtol=1e-5)
    loss, found = gradients_of(model, shared, batch.reply_mask, seed)
    expected_loss, expected = gradients_of(model, plain, batch.reply_mask, seed)
    torch.testing.assert_close(loss, expected_loss, atol=1e-5, rtol=1e-5)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-5, rtol=1e-5, msg=name)
    assert any("visual" in name and gradient.abs().max() > 1e-4 for name, gradient in found.items())


@pytest.mark.parametrize("family", FAMILIES)
def test_each_prompt_and_picture_is_computed_once(models, family):
    model = models[family]
    batch = make_batch(0, [(1, 2), (2, 2), (1, 1)], [[4, 4, 4], [4, 4]])
    patches, tokens = [], []
    hooks = [
        model.model.visual.register_forward_pre_hook(lambda _, args: patches.append(len(args[0]))),
        model.model.language_model.layers[0].register_forward_pre_hook(
            lambda _, args: tokens.append(args[0].shape[1])
        ),
    ]
    try:
        reply_logprobs(model, batch)
    finally:
        for hook in hooks:
            hook.remove()
    assert patches == [4 * (2 + 4 + 1)]
    assert tokens == [sum(len(prompt) for prompt in batch.prompts) + 5 * 3]


def _another_family(model):
    model.config.model_type = "another"


def _sliding_window(model):
    text = model.config.text_config
    text.layer_types = ["full_attention", "sliding_attention", "full_attention"]
    text.sliding_window, model.model.language_model.has_sliding_layers = 4, True


def _dropout(model):
    model.config.text_config.attention_dropout = 0.1


@pytest.mark.parametrize(
    ("change", "said"),
    [(_another_family, "another"), (_sliding_window, "sliding window"), (_dropout, "dropout")],
)
def test_a_model_that_cannot_share_computes_the_plain_pass_and_says_why(caplog, change, said):
    model = build("qwen2_5_vl")
    change(model)
    with caplog.at_level(logging.WARNING):
        assert not share_prefixes(model)
    (record,) = caplog.records
    assert said in record.getMessage()
    assert not can_share(model)
    batch = make_batch(1, [(1, 1)], [[3, 2]])
    plain = from_hidden_states(model, batch, plain_hidden_states(model, batch))
    assert torch.equal(reply_logprobs(model, batch)["logprobs"], plain["logprobs"])


@pytest.mark.parametrize("family", FAMILIES)
def test_checkpointed_layers_give_the_same_gradients(family):
    model = build(family)
    share_prefixes(model)
    batch = make_batch(3, [(2, 1), (1, 1)], [[5, 3], [4]])
    _, expected = gradients_of(model, reply_logprobs(model, batch), batch.reply_mask, 3)
    model.gradient_checkpointing_enable({"use_reentrant": False})
    model.train()
    _, found = gradients_of(model, reply_logprobs(model, batch), batch.reply_mask, 3)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-6, rtol=1e-5, msg=name)
