"""Attention over packed rows against attention with the whole mask."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.prefix_attention import PackedLayout, Segment, prefix_attention

SHAPES = st.lists(
    st.tuples(st.integers(1, 9), st.lists(st.integers(0, 7), min_size=0, max_size=4)),
    min_size=1, max_size=3,
)  # fmt: skip


def _layout(shapes):
    segments, start = [], 0
    for prompt, replies in shapes:
        segments.append(Segment(start, prompt, tuple(replies)))
        start = segments[-1].end
    return PackedLayout(segments, torch.device("cpu")), start


def _mask(layout, length):
    """Which token may look at which, written out."""
    mask = torch.zeros(length, length, dtype=torch.bool)
    for segment in layout.segments:
        for row in range(segment.start, segment.suffix):
            mask[row, segment.start : row + 1] = True
        start = segment.suffix
        for reply in segment.replies:
            for row in range(start, start + reply):
                mask[row, segment.start : segment.suffix] = True
                mask[row, start : row + 1] = True
            start += reply
    return mask


def _tensors(length, heads, kv_heads, seed):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(1, n, length, 8) for n in (heads, kv_heads, kv_heads, heads)]
    q, k, v, weight = (torch.randn(shape, generator=generator) for shape in shapes)
    return [x.requires_grad_() for x in (q, k, v)], weight


@settings(deadline=None, max_examples=40)
@given(shapes=SHAPES, kv_heads=st.sampled_from([1, 2, 4]), seed=st.integers(0, 99))
def test_output_and_gradients_are_those_of_the_masked_attention(shapes, kv_heads, seed):
    layout, length = _layout(shapes)
    inputs, weight = _tensors(length, 4, kv_heads, seed)
    mask = _mask(layout, length)
    k, v = (x.repeat_interleave(4 // kv_heads, dim=1) for x in inputs[1:])
    scores = (inputs[0] @ k.transpose(-1, -2) * 0.3).masked_fill(~mask, -torch.inf)
    expected = scores.softmax(-1) @ v
    found = prefix_attention(*inputs, layout, 0.3)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    expected_gradients = torch.autograd.grad((expected * weight).sum(), inputs)
    gradients = torch.autograd.grad((found * weight).sum(), inputs)
    for gradient, wanted in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(gradient, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("changed", ["other prompt", "other reply", "later token"])
def test_a_reply_sees_its_own_prompt_and_past_alone(changed):
    layout, length = _layout([(4, [3, 3]), (4, [3])])
    (q, k, v), _ = _tensors(length, 2, 2, 1)
    with torch.no_grad():
        before = prefix_attention(q, k, v, layout, 0.3)
        place = {"other prompt": 11, "other reply": 7, "later token": 6}[changed]
        k[:, :, place] += 1
        v[:, :, place] += 1
        after = prefix_attention(q, k, v, layout, 0.3)
    assert torch.equal(before[:, :, 4:6], after[:, :, 4:6])
    assert not torch.equal(before, after)


def test_views_of_any_strides_are_taken():
    layout, length = _layout([(4, [3, 3]), (4, [3, 1])])
    inputs, _ = _tensors(length, 2, 2, 1)
    views = [
        x.detach().transpose(2, 3).contiguous().transpose(2, 3).requires_grad_() for x in inputs
    ]
    expanded = torch.ones(()).expand_as(inputs[0])
    found = [prefix_attention(*tensors, layout, 0.3) for tensors in (inputs, views)]
    torch.testing.assert_close(*found)
    dense = torch.autograd.grad(found[0], inputs, expanded.contiguous())
    for gradient, wanted in zip(torch.autograd.grad(found[1], views, expanded), dense, strict=True):
        torch.testing.assert_close(gradient, wanted)
