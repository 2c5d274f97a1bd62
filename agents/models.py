"""Loading a vision-language model from its folder."""

from __future__ import annotations

from pathlib import Path

import torch

from agents.model_folder import model_folder
from agents.patch_embedding import embed_patches_by_product
from perl_env.errors import InputError


def load_model(path: str | Path, dtype: str = "auto", attention: str = "sdpa") -> torch.nn.Module:
    """The image-text-to-text model in a Hugging Face folder, on the CPU, in evaluation mode.

    Args:
        path: the folder.
        dtype: "auto" keeps the checkpoint's, else a torch dtype's name such as "float32".
        attention: the attention implementation, by transformers' names.

    Raises:
        InputError: there is no such model.
    """
    from transformers import AutoModelForImageTextToText

    path = model_folder(path)
    if dtype != "auto" and not isinstance(getattr(torch, str(dtype), None), torch.dtype):
        raise InputError("unknown dtype", where="dtype",
                         expected='"auto", "float32", "bfloat16" or another of torch', got=repr(dtype))  # fmt: skip
    try:
        model = AutoModelForImageTextToText.from_pretrained(
            str(path),
            dtype=dtype if dtype == "auto" else getattr(torch, dtype),
            attn_implementation=attention,
            trust_remote_code=False,
        )
    except (OSError, ValueError, KeyError) as error:
        raise InputError("model cannot be loaded", where=str(path),
                         expected="config.json and weights of an image-text-to-text model", got=error) from error  # fmt: skip
    return embed_patches_by_product(model).eval()
