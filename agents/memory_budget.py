"""Memory of a learner's and an engine's device, counted from a model's sizes.

The count is of what must be there at once; allocators and kernels want some more, which ``RESERVE`` stands
for. Activations are those that autograd keeps of a decoder layer with a gated MLP and fused attention.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agents.model_shape import ModelShape
from perl_env.errors import InputError

GIB = 2**30
MASTER_BYTES = 4  #: weights that the optimizer updates, their gradients and each of Adam's moments
#: Share of a device that is left to the allocator, to kernels and to the communication library.
RESERVE = 0.08


@dataclass(frozen=True)
class LearnerSetup:
    """How the learners are laid out.

    Attributes:
        learners: how many there are, one a device.
        sharded: whether weights, gradients and moments are split between them.
        compute_bytes: of a number in the forward pass: 2 for bfloat16, 4 for float32.
        micro_batch_tokens: tokens that pass through the model at once.
        gradient_checkpointing: keep one tensor a layer and compute the rest a second time.
        reference: whether a frozen copy of the model is held.
        trained_parameters: how many are trained; ``None`` for all (LoRA trains its adapters alone).
        logits_rows: positions whose logits are held at once.
    """

    learners: int = 1
    sharded: bool = False
    compute_bytes: int = 2
    micro_batch_tokens: int = 8192
    gradient_checkpointing: bool = True
    reference: bool = True
    trained_parameters: int | None = None
    logits_rows: int = 1024


@dataclass(frozen=True)
class EngineSetup:
    """How the rollout engine is laid out.

    Attributes:
        devices: over which one engine's weights are split.
        tokens: of all prompts and replies whose keys and values are held at once.
        element_bytes: of a weight, key or value.
    """

    devices: int = 1
    tokens: int = 65_536
    element_bytes: int = 2


@dataclass(frozen=True)
class Item:
    """One thing that takes memory.

    Attributes:
        what: its name.
        bytes: on one device.
        how: how it was counted.
    """

    what: str
    bytes: float
    how: str


def learner_memory(model: ModelShape, setup: LearnerSetup) -> list[Item]:
    """What a learner's device holds at the peak of an update."""
    shards = setup.learners if setup.sharded else 1
    total = model.total_parameters
    trained = total if setup.trained_parameters is None else setup.trained_parameters
    frozen = 0 if setup.trained_parameters is None else total
    of = f" / {shards} learners" if shards > 1 else ""
    items = [
        Item("trained weights", MASTER_BYTES * trained / shards, f"4 B × {_millions(trained)}{of}"),
        Item("gradients", MASTER_BYTES * trained / shards, f"4 B × {_millions(trained)}{of}"),
        Item("Adam's moments", 2 * MASTER_BYTES * trained / shards, f"8 B × {_millions(trained)}{of}"),
    ]  # fmt: skip
    if frozen:
        items.append(
            Item("frozen weights", setup.compute_bytes * frozen / shards,
                 f"{setup.compute_bytes} B × {_millions(frozen)}{of}")
        )  # fmt: skip
    if setup.reference and not frozen:  # with LoRA the reference is the model without its adapters
        items.append(
            Item("reference model", setup.compute_bytes * total / shards,
                 f"{setup.compute_bytes} B × {_millions(total)}{of}")
        )  # fmt: skip
    if shards > 1:
        gathered = 2 * model.largest_layer
        items.append(
            Item("gathered layers", setup.compute_bytes * gathered,
                 f"{setup.compute_bytes} B × 2 × {_millions(model.largest_layer)}, one in use, one on its way")
        )  # fmt: skip
    elif setup.compute_bytes < MASTER_BYTES and not frozen:
        items.append(
            Item("weights in compute precision", setup.compute_bytes * total,
                 f"{setup.compute_bytes} B × {_millions(total)}")
        )  # fmt: skip
    return [*items, *_activations(model, setup)]


def _activations(model: ModelShape, setup: LearnerSetup) -> list[Item]:
    text, vision, size = model.text, model.vision, setup.compute_bytes
    tokens = setup.micro_batch_tokens
    patches = tokens * vision.patches_per_token  # at worst all tokens are pictures
    text_layer = tokens * layer_values(model)
    vision_layer = patches * (8 * vision.hidden + 2 * (vision.intermediate or 4 * vision.hidden))
    if setup.gradient_checkpointing:
        kept = text.layers * tokens * text.hidden + vision.layers * patches * vision.hidden
        kept += max(text_layer, vision_layer)
        how = f"{tokens} tokens: one tensor a layer, and one layer whole"
    else:
        kept = text.layers * text_layer + vision.layers * vision_layer
        how = f"{tokens} tokens: all tensors of all layers"
    logits = 3 * 4 * setup.logits_rows * text.vocabulary
    return [
        Item("activations", size * kept, how),
        Item("logits", logits, f"3 × 4 B × {setup.logits_rows} rows × {text.vocabulary} tokens"),
    ]


def layer_values(model: ModelShape) -> int:
    """Numbers that autograd keeps of one decoder layer, a token.

    Two residual streams and their normalised forms, queries, keys and values before and after rotation,
    attention's output, and the MLP's gate, its activation, the other branch and their product.
    """
    text = model.text
    queries, keys = text.heads * text.head_width, text.kv_heads * text.head_width
    return 6 * text.hidden + 2 * queries + 3 * keys + 4 * text.intermediate


def engine_memory(model: ModelShape, setup: EngineSetup) -> list[Item]:
    """What a rollout engine's device holds."""
    text, size = model.text, setup.element_bytes
    cache = 2 * text.layers * text.kv_heads * text.head_width * size
    of = f" / {setup.devices} devices" if setup.devices > 1 else ""
    return [
        Item("engine's weights", size * model.total_parameters / setup.devices,
             f"{size} B × {_millions(model.total_parameters)}{of}"),
        Item("keys and values", cache * setup.tokens / setup.devices,
             f"{cache / 1024:.0f} KiB a token × {setup.tokens} tokens{of}"),
    ]  # fmt: skip


def total_bytes(items: Sequence[Item]) -> float:
    """The sum."""
    return sum(item.bytes for item in items)


def check_fits(items: Sequence[Item], device_bytes: float, where: str) -> None:
    """Check that all of it fits on a device beside the reserve.

    Raises:
        InputError: it does not; the largest item is named.
    """
    usable = (1 - RESERVE) * device_bytes
    needed = total_bytes(items)
    if needed > usable:
        largest = max(items, key=lambda item: item.bytes)
        raise InputError("does not fit on the device", where=where,
                         expected=f"at most {usable / GIB:.1f} GiB of {device_bytes / GIB:.0f} GiB",
                         got=f"{needed / GIB:.1f} GiB, the largest part {largest.what}: "
                         f"{largest.bytes / GIB:.1f} GiB ({largest.how})")  # fmt: skip


def _millions(count: int) -> str:
    return f"{count / 1e6:,.1f} M"
