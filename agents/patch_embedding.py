"""Embedding of a picture's patches as one matrix product."""

from __future__ import annotations

import functools

import torch
from torch import nn


def embed_patches_by_product(model: nn.Module) -> nn.Module:
    """Make convolutions whose input is one patch each a matrix product, in place; the model is returned.

    The vision towers of the Qwen families cut the picture into patches beforehand and embed each by a
    3D convolution with the patch for a kernel. That is a product of two matrices, which costs a fraction
    of the convolution, forward and backward. Parameters keep their names and shapes; other inputs are
    convolved as before.

    >>> model = embed_patches_by_product(nn.Sequential(nn.Conv3d(3, 8, (2, 14, 14), (2, 14, 14))))
    >>> model(torch.ones(5, 3, 2, 14, 14)).shape
    torch.Size([5, 8, 1, 1, 1])
    """
    for module in model.modules():
        if isinstance(module, nn.Conv3d) and _takes_patches(module):
            module.forward = functools.partial(_embed, module)  # type: ignore[method-assign]
    return model


def _takes_patches(convolution: nn.Conv3d) -> bool:
    plain = convolution.padding == (0, 0, 0) and convolution.dilation == (1, 1, 1)
    return plain and convolution.stride == convolution.kernel_size and convolution.groups == 1


def _embed(convolution: nn.Conv3d, patches: torch.Tensor) -> torch.Tensor:
    """[N, C, t, h, w] → [N, D, 1, 1, 1] where (t, h, w) is the kernel."""
    if tuple(patches.shape[2:]) != convolution.kernel_size:
        return nn.Conv3d.forward(convolution, patches)
    weight = convolution.weight.flatten(1)
    embedded = nn.functional.linear(patches.flatten(1), weight, convolution.bias)
    return embedded[:, :, None, None, None]
