"""From a prompt to model inputs: the same code for whoever generates and whoever learns."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agents.engines.base import Prompt
from agents.model_folder import model_folder
from perl_env.errors import InputError

#: Tokens that stand for pictures or frame them, in the families that have them.
VISION_TOKENS = (
    "<|image_pad|>",
    "<|video_pad|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
)


@dataclass(frozen=True, eq=False)
class EncodedPicture:
    """One picture as the vision tower takes it; prompts that show it share the object.

    Attributes:
        pixel_values: float32 [patches, values per patch].
        grid: int64 [3], patches in time, height and width.
    """

    pixel_values: np.ndarray
    grid: np.ndarray


@dataclass(frozen=True)
class EncodedPrompt:
    """Model inputs of one prompt, ragged, without padding.

    Attributes:
        input_ids: int64 [L], image tokens expanded.
        mm_token_type_ids: int64 [L], 1 at image tokens, 0 elsewhere.
        pictures: in the order in which they are shown.
    """

    input_ids: np.ndarray
    mm_token_type_ids: np.ndarray
    pictures: tuple[EncodedPicture, ...]

    def __len__(self) -> int:
        return len(self.input_ids)

    @property
    def pixel_values(self) -> np.ndarray:
        """Float32 [patches, values per patch], the pictures one after the other."""
        return np.concatenate([picture.pixel_values for picture in self.pictures])

    @property
    def image_grid_thw(self) -> np.ndarray:
        """Int64 [images, 3]."""
        return np.stack([picture.grid for picture in self.pictures])


class PromptProcessor:
    """A model folder's processor and chat template.

    Args:
        path: a Hugging Face model folder that holds a processor.
        max_pixels: larger pictures are scaled down to it; as the processor says by default.

    Raises:
        InputError: no folder, or one without a processor or chat template.
    """

    def __init__(self, path: str | Path, max_pixels: int | None = None):
        folder = model_folder(path)
        self.path = str(folder)
        self.processor = _load_processor(folder)
        if max_pixels is not None:
            size = self.processor.image_processor.size
            least = min(size["shortest_edge"], max_pixels)
            self.processor.image_processor.size = {
                "shortest_edge": least,
                "longest_edge": max_pixels,
            }
        self.tokenizer = self.processor.tokenizer
        self.pad_token_id: int = self.tokenizer.pad_token_id
        self.eos_token_ids = frozenset(_eos_token_ids(folder, self.tokenizer))
        self._vision_tokens = vision_tokens(self.processor)
        self.image_token_id: int = self.processor.image_token_id
        #: Tokens that stand for pictures or frame them; a policy must never emit one.
        self.image_token_ids = frozenset(
            self.tokenizer.convert_tokens_to_ids(token) for token in self._vision_tokens
        )

    def chat_text(self, prompt: Prompt) -> str:
        """The prompt in the model's chat format, one unexpanded image token per picture."""
        content = chat_content(len(prompt.images), without_tokens(prompt.text, self._vision_tokens))
        return self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )

    def encode(self, prompt: Prompt) -> EncodedPrompt:
        """Model inputs of one prompt."""
        return self.encode_many([prompt])[0]

    def encode_many(self, prompts: Sequence[Prompt]) -> list[EncodedPrompt]:
        """Model inputs of several prompts; a picture that several show is processed once."""
        encoded_pictures = self._encode_pictures([i for prompt in prompts for i in prompt.images])
        encoded = []
        for prompt in prompts:
            pictures = tuple(encoded_pictures[id(image)] for image in prompt.images)
            ids = np.asarray(
                self.tokenizer(self._expanded(prompt, pictures))["input_ids"], np.int64
            )
            types = (ids == self.image_token_id).astype(np.int64)
            encoded.append(EncodedPrompt(ids, types, pictures))
        return encoded

    def _encode_pictures(self, images: Sequence[np.ndarray]) -> dict[int, EncodedPicture]:
        """By each array's ``id``; arrays of equal content share the object."""
        by_content: dict[bytes, EncodedPicture] = {}
        by_id: dict[int, EncodedPicture] = {}
        for image in images:
            if id(image) in by_id:
                continue
            content = _content(image)
            if content not in by_content:
                by_content[content] = self._encode_picture(image)
            by_id[id(image)] = by_content[content]
        return by_id

    def _encode_picture(self, image: np.ndarray) -> EncodedPicture:
        """One at a time: a batch would be copied as a whole, which takes longer than the rest."""
        # A copy, since torch warns of arrays that may not be written.
        batch = self.processor.image_processor([np.array(image)])
        pixel_values = np.asarray(batch["pixel_values"], dtype=np.float32)
        return EncodedPicture(pixel_values, np.asarray(batch["image_grid_thw"][0], dtype=np.int64))

    def _expanded(self, prompt: Prompt, pictures: Sequence[EncodedPicture]) -> str:
        """The chat text with as many image tokens a picture as the model makes of it."""
        merged = self.processor.image_processor.merge_size**2
        first, *parts = self.chat_text(prompt).split(self.processor.image_token)
        counts = [int(picture.grid.prod()) // merged for picture in pictures]
        return first + "".join(
            self.processor.image_token * count + part
            for count, part in zip(counts, parts, strict=True)
        )

    def decode(self, token_ids: Sequence[int] | np.ndarray) -> str:
        """The text of a reply, without special tokens."""
        return self.tokenizer.decode(token_ids, skip_special_tokens=True)

    def save(self, path: str | Path) -> None:
        """Write the processor, its tokenizer and its chat template into a folder."""
        self.processor.save_pretrained(str(path))


def _content(image: np.ndarray) -> bytes:
    """Tells pictures apart by shape and pixels."""
    digest = hashlib.blake2b(repr(image.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(image).data)
    return digest.digest()


def chat_content(n_images: int, text: str) -> list[dict[str, str]]:
    """The parts of a user's message: the pictures, numbered where there are several, then the text."""
    content: list[dict[str, str]] = []
    for number in range(1, n_images + 1):
        if n_images > 1:
            content.append({"type": "text", "text": f"Image {number}: "})
        content.append({"type": "image"})
        content.append({"type": "text", "text": "\n"})
    content.append({"type": "text", "text": text})
    return content


def vision_tokens(processor) -> list[str]:
    """The tokens of a processor that stand for pictures or frame them."""
    vocabulary = processor.tokenizer.get_vocab()
    named = [str(getattr(processor, name, "")) for name in ("image_token", "video_token")]
    return sorted({token for token in (*named, *VISION_TOKENS) if token in vocabulary})


def without_tokens(text: str, tokens: Sequence[str] = VISION_TOKENS) -> str:
    """Data must not be able to write a picture into the prompt: such tokens are broken up.

    >>> without_tokens("What does <|image_pad|> mean?", ["<|image_pad|>"])
    'What does < |image_pad|> mean?'
    """
    for token in tokens:
        text = text.replace(token, f"{token[:1]} {token[1:]}")
    return text


def _load_processor(path: Path):
    from transformers import AutoProcessor

    try:
        processor = AutoProcessor.from_pretrained(str(path), trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError("model folder without a usable processor", where=str(path),
                         expected="preprocessor_config.json and tokenizer files", got=error) from error  # fmt: skip
    if not hasattr(processor, "image_processor"):
        raise InputError("model folder without a processor for images", where=str(path),
                         expected="preprocessor_config.json", got=type(processor).__name__)  # fmt: skip
    if not hasattr(processor.image_processor, "merge_size"):
        raise InputError("processor of an unknown family", where=str(path),
                         expected="one that makes a grid of patches, as Qwen2-VL's",
                         got=type(processor.image_processor).__name__)  # fmt: skip
    if getattr(processor, "chat_template", None) is None:
        raise InputError("model folder without a chat template", where=str(path),
                         expected="chat_template.jinja", got="none")  # fmt: skip
    return processor


def _eos_token_ids(path: Path, tokenizer) -> list[int]:
    """The tokens that end a reply: the generation config's where there is one."""
    from transformers import GenerationConfig

    if (path / "generation_config.json").exists():
        eos = GenerationConfig.from_pretrained(str(path)).eos_token_id
        if eos is not None:
            return [eos] if isinstance(eos, int) else list(eos)
    return [tokenizer.eos_token_id]
