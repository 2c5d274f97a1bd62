"""Random models of a few thousand parameters, one of each family that shares prompts."""

from __future__ import annotations

import torch

VOCABULARY = 64
IMAGE_TOKEN, VIDEO_TOKEN, VISION_START, VISION_END = 60, 61, 62, 63
PATCH_VALUES = 3 * 2 * 4 * 4

_TEXT = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]},
    "bos_token_id": None, "eos_token_id": 1, "pad_token_id": 0,
}  # fmt: skip
_VISION = {
    "depth": 2, "num_heads": 2, "patch_size": 4, "spatial_merge_size": 2, "temporal_patch_size": 2,
    "in_channels": 3,
}  # fmt: skip
_TOKENS = {
    "image_token_id": IMAGE_TOKEN, "video_token_id": VIDEO_TOKEN,
    "vision_start_token_id": VISION_START, "vision_end_token_id": VISION_END,
}  # fmt: skip
FAMILIES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl")


def build(family: str, seed: int = 0) -> torch.nn.Module:
    """A model with random weights, in float32, ready to compute."""
    import transformers

    if family == "qwen2_vl":
        config = transformers.Qwen2VLConfig(
            text_config=_TEXT, **_TOKENS,
            vision_config={**_VISION, "embed_dim": 16, "hidden_size": 32, "mlp_ratio": 2},
        )  # fmt: skip
        kind = transformers.Qwen2VLForConditionalGeneration
    elif family == "qwen2_5_vl":
        config = transformers.Qwen2_5_VLConfig(
            text_config=_TEXT, **_TOKENS,
            vision_config={**_VISION, "hidden_size": 16, "intermediate_size": 24, "window_size": 16,
                           "fullatt_block_indexes": [1], "out_hidden_size": 32},
        )  # fmt: skip
        kind = transformers.Qwen2_5_VLForConditionalGeneration
    else:
        config = transformers.Qwen3VLConfig(
            text_config={**_TEXT, "head_dim": 8}, **_TOKENS,
            vision_config={**_VISION, "hidden_size": 16, "intermediate_size": 24,
                           "out_hidden_size": 32, "num_position_embeddings": 64,
                           "deepstack_visual_indexes": [0, 1]},
        )  # fmt: skip
        kind = transformers.Qwen3VLForConditionalGeneration
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = kind(config)
        for parameter in model.parameters():
            # Larger than the usual start, so that what differs shows.
            torch.nn.init.normal_(parameter, std=0.2) if parameter.ndim > 1 else None
    return model.eval()
