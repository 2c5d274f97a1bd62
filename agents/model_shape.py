"""The sizes of a model, read off its own configuration: no weights are needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from agents.lora import LoraSettings, add_adapters, is_adapter
from agents.model_folder import model_folder
from perl_env.errors import InputError


@dataclass(frozen=True)
class TextShape:
    """The language model.

    Attributes:
        parameters: of its layers, without the embeddings.
        layers: how many there are.
        hidden: width of the residual stream.
        intermediate: width of the gated MLP.
        heads: attention heads.
        kv_heads: heads of keys and values.
        head_width: width of a head.
        vocabulary: number of tokens.
    """

    parameters: int
    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_width: int
    vocabulary: int


@dataclass(frozen=True)
class VisionShape:
    """The vision tower.

    Attributes:
        parameters: that every patch passes through.
        merger_parameters: that every token for the language model passes through.
        layers: how many blocks there are.
        full_attention_layers: how many of them attend over the whole picture.
        hidden: width.
        intermediate: width of the MLP.
        patch: side of a patch in pixels.
        merge: so many patches each way make one token of the language model.
        window: patches over which the other blocks attend.
    """

    parameters: int
    merger_parameters: int
    layers: int
    full_attention_layers: int
    hidden: int
    intermediate: int
    patch: int
    merge: int
    window: int

    @property
    def patches_per_token(self) -> int:
        """Patches that become one token of the language model."""
        return self.merge**2

    def tokens(self, pixels: int) -> int:
        """Tokens of a picture of so many pixels, to within the rounding of its sides."""
        return max(1, pixels // (self.patch * self.merge) ** 2)


@dataclass(frozen=True)
class ModelShape:
    """All sizes of a vision-language model.

    Attributes:
        name: its folder's.
        total_parameters: of all parts, tied ones once.
        largest_layer: parameters of the largest module that is gathered at once when sharded.
        text: the language model.
        vision: the vision tower.
    """

    name: str
    total_parameters: int
    largest_layer: int
    text: TextShape
    vision: VisionShape


def read_model_shape(path: str | Path) -> ModelShape:
    """The sizes of the model in a folder that holds a ``config.json``.

    Raises:
        InputError: no folder, no configuration, or one of a model without language and vision parts.

    >>> shape = read_model_shape("embedded")
    >>> shape.text.layers, shape.text.hidden, shape.vision.tokens(56 * 56)
    (4, 128, 4)
    """
    model = _empty_model(path)
    try:
        return _measured(Path(path).name, model.config, model)
    except AttributeError as error:
        raise _unknown_shape(path, error) from error


def count_adapters(path: str | Path, settings: LoraSettings) -> int:
    """How many parameters the adapters of a model would have.

    Raises:
        InputError: as ``read_model_shape``, or no layer gets an adapter.
    """
    model = add_adapters(_empty_model(path), settings)
    return sum(p.numel() for name, p in model.named_parameters() if is_adapter(name))


def _empty_model(path: str | Path) -> torch.nn.Module:
    """The model without its weights."""
    from transformers import AutoConfig, AutoModelForImageTextToText

    folder = model_folder(path)
    try:
        config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False)
        with torch.device("meta"):
            return AutoModelForImageTextToText.from_config(config)
    except (OSError, ValueError, KeyError) as error:
        raise _unknown_shape(path, error) from error


def _unknown_shape(path: str | Path, error: Exception) -> InputError:
    return InputError("model of unknown shape", where=str(path),
                      expected="config.json of a model with language and vision parts", got=error)  # fmt: skip


def _measured(name: str, config: Any, model: torch.nn.Module) -> ModelShape:
    text, vision = config.text_config, config.vision_config
    language, tower = model.model.language_model, model.model.visual
    head_width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    full = getattr(vision, "fullatt_block_indexes", None)
    # The window is given in pixels; families without one attend over the whole picture.
    window = (getattr(vision, "window_size", 0) // vision.patch_size) ** 2
    blocks = [*language.layers, *tower.blocks, language.embed_tokens]
    return ModelShape(
        name=name,
        total_parameters=_count(model),
        largest_layer=max(_count(block) for block in blocks),
        text=TextShape(
            parameters=sum(_count(layer) for layer in language.layers),
            layers=text.num_hidden_layers,
            hidden=text.hidden_size,
            intermediate=text.intermediate_size,
            heads=text.num_attention_heads,
            kv_heads=text.num_key_value_heads,
            head_width=head_width,
            vocabulary=text.vocab_size,
        ),
        vision=VisionShape(
            parameters=_count(tower) - _count(tower.merger),
            merger_parameters=_count(tower.merger),
            layers=vision.depth,
            full_attention_layers=vision.depth if full is None else len(full),
            # Qwen2-VL calls the tower's own width ``embed_dim``, the others ``hidden_size``.
            hidden=getattr(vision, "embed_dim", None) or vision.hidden_size,
            intermediate=getattr(vision, "intermediate_size", 0),
            patch=vision.patch_size,
            merge=vision.spatial_merge_size,
            window=window,
        ),
    )


def _count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
