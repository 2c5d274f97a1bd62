"""The embedded model: a Qwen2.5-VL of little more than a million parameters.

Same architecture, processor and chat format as the large ones, so that the same code runs both; only
the vocabulary is small (trained on the tasks' own words) and the pictures are 56 × 56.
``scripts/train_embedded_model.py`` trains it; ``agents/embedded_model`` is the result.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch

SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
#: Parts of a reply that are one token each, but are ordinary text.
REPLY_TOKENS = ("<think>", "</think>", "\\boxed{", "}")
#: Words of the chat format and of thoughts, of which the tokenizer should make one token each.
OTHER_WORDS = (
    "user assistant look for find smallest most count add sort the digits largest digit same shape colour both by size "
    "odd one left and right was first"
)
VOCABULARY_SIZE = 640
PICTURE_SIDE = 56

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def task_texts(count: int = 600) -> list[str]:
    """What the embedded model has to read: the tasks' questions, their answers, the instruction."""
    from perl_env.prompts import INSTRUCTION, question_text
    from perl_env.registration import load_questions

    texts = [INSTRUCTION]
    for task in ("perl/Shapes-v0", "perl/Digits-v0"):
        for question in load_questions(task, split="train", limit=count):
            texts += [question_text(question, ""), question.answer, OTHER_WORDS]
    return texts


def train_tokenizer(texts: Iterable[str]):
    """A byte-level BPE tokenizer over the tasks' words; any other text is still readable by bytes."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE - len(REPLY_TOKENS),
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in REPLY_TOKENS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens={"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"},
        model_max_length=2048,
    )


def build_processor(texts: Iterable[str] | None = None):
    """The processor: tokenizer, chat template, pictures of 56 × 56 as four tokens each."""
    from transformers import Qwen2_5_VLProcessor, Qwen2VLImageProcessor, Qwen2VLVideoProcessor

    pixels = {"shortest_edge": PICTURE_SIDE**2, "longest_edge": PICTURE_SIDE**2}
    return Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(size=pixels),
        tokenizer=train_tokenizer(task_texts() if texts is None else texts),
        video_processor=Qwen2VLVideoProcessor(size=pixels),
        chat_template=CHAT_TEMPLATE,
    )


def build_model(tokenizer, seed: int) -> torch.nn.Module:
    """The model with random weights; torch's own generator is left as it was."""
    from transformers import GenerationConfig, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    token = tokenizer.convert_tokens_to_ids
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": VOCABULARY_SIZE,
            "hidden_size": 128,
            "intermediate_size": 384,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
            "max_position_embeddings": 2048,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [4, 6, 6],
            },
            "tie_word_embeddings": True,
            "bos_token_id": None,
            "eos_token_id": token("<|im_end|>"),
            "pad_token_id": token("<|endoftext|>"),
        },
        vision_config={
            "depth": 2,
            "hidden_size": 96,
            "intermediate_size": 192,
            "num_heads": 3,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "window_size": 56,
            "fullatt_block_indexes": [0, 1],
            "out_hidden_size": 128,
        },
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen2_5_VLForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        eos_token_id=token("<|im_end|>"), pad_token_id=token("<|endoftext|>")
    )
    return model


def build_tiny_vlm(path: str | Path, seed: int = 0, texts: Iterable[str] | None = None) -> Path:
    """Write a tiny Qwen2.5-VL with random weights and its processor into a folder."""
    processor = build_processor(texts)
    build_model(processor.tokenizer, seed).save_pretrained(str(path))
    processor.save_pretrained(str(path))
    return Path(path)
