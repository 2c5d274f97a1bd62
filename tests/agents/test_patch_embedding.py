"""Patches embedded by a matrix product are those embedded by the convolution."""

import copy

import pytest
import torch
from torch import nn

from agents.model_folder import EMBEDDED_MODEL
from agents.models import load_model
from agents.patch_embedding import embed_patches_by_product

KERNEL = (2, 14, 14)


@pytest.mark.parametrize("bias", [False, True])
def test_the_product_is_the_convolution_with_its_gradients(bias):
    torch.manual_seed(0)
    convolution = nn.Conv3d(3, 16, KERNEL, KERNEL, bias=bias)
    product = embed_patches_by_product(copy.deepcopy(convolution))
    assert "forward" in vars(product)
    patches = torch.randn(7, 3, *KERNEL)
    expected, found = convolution(patches), product(patches)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    weights = torch.randn_like(expected)
    (expected * weights).sum().backward()
    (found * weights).sum().backward()
    for ours, theirs in zip(product.parameters(), convolution.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-4)


def test_a_larger_input_is_convolved():
    convolution = nn.Conv3d(3, 4, KERNEL, KERNEL)
    video = torch.randn(1, 3, 4, 28, 28)
    expected = convolution(video)
    assert torch.equal(embed_patches_by_product(convolution)(video), expected)


@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv3d(3, 4, KERNEL, (1, 14, 14)),
        nn.Conv3d(3, 4, KERNEL, KERNEL, padding=1),
        nn.Conv3d(4, 4, KERNEL, KERNEL, groups=2),
    ],
)
def test_other_convolutions_are_left_alone(convolution):
    assert "forward" not in vars(embed_patches_by_product(convolution))


def test_loaded_models_have_it_and_keep_their_parameters():
    model = load_model(EMBEDDED_MODEL)
    [name] = [name for name, module in model.named_modules() if isinstance(module, nn.Conv3d)]
    assert "forward" in vars(model.get_submodule(name))
    assert f"{name}.weight" in model.state_dict()
