"""Log-probabilities a chunk at a time are those of all logits at once, and hold fewer of them."""

import itertools

import pytest
import torch

from agents.chunked_logprobs import token_logprobs

SUPPRESSED = torch.tensor([3, 4])


def _inputs(rows=23, vocabulary=40):
    generator = torch.Generator().manual_seed(0)
    head = torch.nn.Linear(8, vocabulary, bias=False)
    with torch.no_grad():
        head.weight.copy_(torch.randn(head.weight.shape, generator=generator))
    hidden = torch.randn(rows, 8, generator=generator, requires_grad=True)
    return head, hidden, torch.randint(5, vocabulary, (rows,), generator=generator)


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_chunks_change_neither_values_nor_gradients(temperature):
    head, hidden, tokens = _inputs()
    logits = head(hidden) / temperature
    logits[:, SUPPRESSED] = -torch.inf
    expected = logits.log_softmax(-1)[torch.arange(len(tokens)), tokens]
    distribution = torch.distributions.Categorical(logits=logits.detach())
    wanted = torch.autograd.grad(expected.sum(), (hidden, head.weight))
    for rows, kept in itertools.product((1, 5, 100), (0, 10_000)):
        found = token_logprobs(head, hidden, tokens, SUPPRESSED, temperature, rows, kept)
        torch.testing.assert_close(found["logprobs"], expected)
        torch.testing.assert_close(found["entropy"], distribution.entropy())
        assert not found["entropy"].requires_grad
        gradients = torch.autograd.grad(found["logprobs"].sum(), (hidden, head.weight))
        torch.testing.assert_close(gradients, wanted)


@pytest.mark.parametrize("few", [False, True])
def test_no_more_logits_are_kept_than_a_chunk_has_unless_there_are_few(few):
    head, hidden, tokens = _inputs(rows=64)
    kept = []

    def keep(tensor):
        kept.append(tensor.shape)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        token_logprobs(head, hidden, tokens, SUPPRESSED, 1.0, 4, 64 * 40 - (not few))
    assert kept
    logits = [shape for shape in kept if shape and shape[-1] == 40 and shape != head.weight.shape]
    assert bool(logits) == few
