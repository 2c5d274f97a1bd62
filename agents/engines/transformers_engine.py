"""Generation with a transformers model: a prompt is computed once, however many replies it gets."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from agents.engines.base import Prompt, Reply, SamplingParams, reply_counts
from agents.processing import EncodedPrompt, PromptProcessor
from agents.weights import load_weights, tensor_to_array


class TransformersEngine:
    """Generates with a stock transformers image-text-to-text model.

    Args:
        model: the model; shared with its owner, put into evaluation mode only while generating.
        processor: the model's processor.
        max_batch_rows: how many replies are generated side by side.

    The pass over prompts and pictures is done once per prompt; its key-value cache is then repeated
    for the prompt's replies. Image tokens are suppressed, so that no reply can hold one.
    """

    name = "transformers"

    def __init__(
        self, model: torch.nn.Module, processor: PromptProcessor, max_batch_rows: int = 256
    ):
        self.model = model
        self.processor = processor
        self.max_batch_rows = max_batch_rows

    @classmethod
    def from_path(
        cls,
        path: str | Path,
        device: str | None = None,
        dtype: str = "auto",
        max_batch_rows: int = 256,
        max_pixels: int | None = None,
    ) -> TransformersEngine:
        """An engine over the model in a Hugging Face folder; larger pictures are scaled down."""
        from agents.models import load_model

        processor = PromptProcessor(path, max_pixels)
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        return cls(load_model(path, dtype).to(device), processor, max_batch_rows)

    @property
    def dtype(self) -> str:
        """Of the model's weights, by torch's name."""
        return str(next(self.model.parameters()).dtype).removeprefix("torch.")

    def set_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Copy weights into the model in place."""
        load_weights(self.model, weights)

    def prompt_token_ids(self, prompts: Sequence[Prompt]) -> list[np.ndarray]:
        """The token ids that prompts are computed with, image tokens expanded; int64 [L] each."""
        return [encoded.input_ids for encoded in self.processor.encode_many(prompts)]

    def weight_digests(self) -> dict[str, str]:
        """A SHA-256 of each parameter, by the model's names."""
        return {
            name: hashlib.sha256(tensor_to_array(parameter).tobytes()).hexdigest()
            for name, parameter in self.model.named_parameters()
        }

    def close(self) -> None:
        """Drop the model."""
        del self.model

    def generate(
        self,
        prompts: Sequence[Prompt],
        replies_per_prompt: int | Sequence[int] = 1,
        sampling: SamplingParams = SamplingParams(),  # noqa: B008 - frozen
    ) -> list[list[Reply]]:
        """For each prompt its replies, drawn as ``sampling`` says."""
        counts = reply_counts(replies_per_prompt, len(prompts))
        encoded = self.processor.encode_many(prompts)
        replies: list[list[Reply]] = [[] for _ in prompts]
        for batch in _batches(encoded, counts, self.max_batch_rows):
            rows = self._generate_batch(
                [encoded[i] for i in batch],
                [counts[i] for i in batch],
                [np.random.default_rng([sampling.seed, prompts[i].seed]) for i in batch],
                sampling,
            )
            for i, row in zip(batch, rows, strict=True):
                replies[i] = row
        return replies

    @torch.inference_mode()
    def _generate_batch(
        self,
        prompts: list[EncodedPrompt],
        counts: list[int],
        rngs: list[np.random.Generator],
        sampling: SamplingParams,
    ) -> list[list[Reply]]:
        was_training = self.model.training
        self.model.eval()
        try:
            token_ids, logprobs = self._decode(prompts, counts, rngs, sampling)
        finally:
            self.model.train(was_training)
        rows = iter(zip(token_ids, logprobs, strict=True))
        return [[self._reply(*next(rows)) for _ in range(count)] for count in counts]

    def _decode(
        self,
        prompts: list[EncodedPrompt],
        counts: list[int],
        rngs: list[np.random.Generator],
        sampling: SamplingParams,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Token ids [rows, T] (padded after the end) and their log-probabilities [rows, T]."""
        device = next(self.model.parameters()).device
        from agents.engines.reply_cache import repeat_with_room

        inputs = left_padded(prompts, self.processor.pad_token_id, device)
        output = self.model(**inputs, use_cache=True, logits_to_keep=1)
        cache, logits = output.past_key_values, output.logits[:, -1]
        parents = torch.repeat_interleave(torch.arange(len(prompts)), torch.tensor(counts)).to(
            device
        )
        repeat_with_room(cache, parents)
        deltas = self._rope_deltas()
        deltas = None if deltas is None else deltas[parents]
        logits, attention_mask = logits[parents], inputs["attention_mask"][parents]
        uniform = np.concatenate(
            [rng.random((n, sampling.max_new_tokens)) for rng, n in zip(rngs, counts, strict=True)]
        )
        suppressed = torch.tensor(
            sorted(self.processor.image_token_ids), dtype=torch.int64, device=device
        )
        eos = torch.tensor(sorted(self.processor.eos_token_ids), device=device)
        finished = torch.zeros(len(parents), dtype=torch.bool, device=device)
        columns, column_logprobs = [], []
        for step in range(sampling.max_new_tokens):
            logits = logits.float().index_fill_(1, suppressed, torch.finfo(torch.float32).min)
            tokens, logprob = _draw(
                logits, torch.from_numpy(uniform[:, step]).to(device), sampling.temperature
            )
            tokens = tokens.masked_fill(finished, self.processor.pad_token_id)
            columns.append(tokens)
            column_logprobs.append(logprob)
            finished = finished | torch.isin(tokens, eos)
            if finished.all() or step + 1 == sampling.max_new_tokens:
                break
            attention_mask = torch.cat(
                [attention_mask, attention_mask.new_ones(len(parents), 1)], dim=1
            )
            logits = self.model(
                input_ids=tokens[:, None],
                attention_mask=attention_mask,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
                position_ids=_next_position(attention_mask, deltas),
            ).logits[:, -1]
        return torch.stack(columns, 1).cpu().numpy(), torch.stack(column_logprobs, 1).cpu().numpy()

    def _rope_deltas(self) -> torch.Tensor | None:
        """What M-RoPE models add to a text position, one row a prompt; ``None`` for other models."""
        return getattr(getattr(self.model, "model", None), "rope_deltas", None)

    def _reply(self, token_ids: np.ndarray, logprobs: np.ndarray) -> Reply:
        ends = np.flatnonzero(np.isin(token_ids, list(self.processor.eos_token_ids)))
        length = int(ends[0]) + 1 if len(ends) else len(token_ids)
        return Reply(
            text=self.processor.decode(token_ids[:length]),
            token_ids=token_ids[:length].astype(np.int64),
            logprobs=logprobs[:length].astype(np.float32),
            finish_reason="stop" if len(ends) else "length",
        )


def _draw(
    logits: torch.Tensor, uniform: torch.Tensor, temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """One token a row by inversion of the cumulative distribution, and its log-probability."""
    if temperature == 0:
        tokens = logits.argmax(dim=-1)
        logprobs = torch.log_softmax(logits, dim=-1)
    else:
        logprobs = torch.log_softmax(logits / temperature, dim=-1)
        cumulative = logprobs.double().exp().cumsum(dim=-1)
        threshold = uniform[:, None] * cumulative[:, -1:]
        tokens = torch.searchsorted(cumulative, threshold, right=True).squeeze(1)
        tokens = tokens.clamp(max=logits.shape[1] - 1)
    return tokens, logprobs.gather(1, tokens[:, None]).squeeze(1)


def _next_position(attention_mask: torch.Tensor, deltas: torch.Tensor | None) -> torch.Tensor:
    """Position of the newest token: [rows, 1], or [3, rows, 1] for M-RoPE models."""
    position = attention_mask.sum(dim=1, keepdim=True) - 1
    return position if deltas is None else (position + deltas).expand(3, -1, -1)


def _batches(encoded: list[EncodedPrompt], counts: list[int], max_rows: int):
    """Indices of prompts in batches of similar length and at most ``max_rows`` replies."""
    batch: list[int] = []
    rows = 0
    for i in sorted(range(len(encoded)), key=lambda i: len(encoded[i])):
        if batch and rows + counts[i] > max_rows:
            yield batch
            batch, rows = [], 0
        batch.append(i)
        rows += counts[i]
    if batch:
        yield batch


def left_padded(
    prompts: Sequence[EncodedPrompt], pad_token_id: int, device: torch.device
) -> dict[str, torch.Tensor]:
    """Model inputs of several prompts, padded on the left as generation wants it."""
    length = max(len(prompt) for prompt in prompts)
    input_ids = np.full((len(prompts), length), pad_token_id, dtype=np.int64)
    mask = np.zeros((len(prompts), length), dtype=np.int64)
    types = np.zeros((len(prompts), length), dtype=np.int64)
    for row, prompt in enumerate(prompts):
        start = length - len(prompt)
        input_ids[row, start:] = prompt.input_ids
        types[row, start:] = prompt.mm_token_type_ids
        mask[row, start:] = 1
    arrays = {
        "input_ids": input_ids,
        "attention_mask": mask,
        "mm_token_type_ids": types,
        "pixel_values": np.concatenate([prompt.pixel_values for prompt in prompts]),
        "image_grid_thw": np.concatenate([prompt.image_grid_thw for prompt in prompts]),
    }
    return {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}
