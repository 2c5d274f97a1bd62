"""A question's prompt through lm-eval's model classes, the same as our own engines', or an error.

lm-eval knows pictures by the literal ``<image>`` in a prompt alone. Nobody there checks that there are
as many of them as pictures, some classes silently cut the list of pictures, and some put all pictures
before the text. So all of it is checked here, before the model is asked anything.
"""

from __future__ import annotations

from typing import Any

from agents.processing import chat_content, vision_tokens, without_tokens
from perl_env.errors import InputError
from perl_env.question import BARE_PLACEHOLDER

#: Stands for an ``<image>`` that data wrote, while lm-eval looks for those that we wrote. Holds a
#: character that is none, by Unicode's definition.
_STAND_IN = "<\ufdd0image>"


def placed_text(n_images: int, text: str) -> str:
    r"""The message with ``<image>`` where a picture stands, as our own engines place them.

    >>> placed_text(2, "Which is red?")
    'Image 1: <image>\nImage 2: <image>\nWhich is red?'
    """
    parts = chat_content(n_images, text)
    return "".join(part.get("text", BARE_PLACEHOLDER) for part in parts)


def hide_placeholders(text: str) -> str:
    """The text with none of lm-eval's placeholders, so that data cannot add a picture."""
    return text.replace(BARE_PLACEHOLDER, _STAND_IN)


def show_placeholders(rendered: str) -> str:
    """A rendered prompt with the ``<image>`` again that data wrote; to the model they are text."""
    return rendered.replace(_STAND_IN, BARE_PLACEHOLDER)


def model_of(chat_template: Any, task: str) -> Any:
    """The model of lm-eval to which a chat template belongs.

    Raises:
        InputError: there is no chat template, or the model would not show the pictures where the text
            has them.
    """
    if chat_template is None:
        raise InputError("prompt without the model's chat template", where=task,
                         expected="--apply_chat_template", got="nothing")  # fmt: skip
    model = getattr(chat_template, "__self__", None)
    if getattr(model, "interleave", None) is not True or not hasattr(model, "processor"):
        raise InputError(
            "model that does not show pictures where the text places them",
            where=task,
            expected="--model hf-multimodal or vllm-vlm, interleave=True (lm-eval's API models put all "
            "pictures before the text and cut them at max_images: for a server take perl-env eval)",
            got=type(model).__name__
            + (", interleave=False" if getattr(model, "interleave", None) is False else ""),
        )
    return model


def check_fits(model: Any, n_images: int, max_gen_toks: int, where: str) -> None:
    """Make sure that the model is given every picture and the whole prompt.

    Raises:
        InputError: the model's class would cut the pictures or the prompt.
    """
    if n_images > model.max_images:
        raise InputError("more pictures than the model is given", where=where,
                         expected=f"--model_args max_images={n_images} or more", got=model.max_images)  # fmt: skip
    if max_gen_toks > model.max_length:
        raise InputError("replies longer than the model's context", where=where,
                         expected=f"--gen_kwargs max_gen_toks={model.max_length // 2} or another below {model.max_length}",
                         got=max_gen_toks)  # fmt: skip


def placed_prompt(model: Any, n_images: int, text: str) -> str:
    """What lm-eval is given to render with the model's chat template.

    Vision tokens that data wrote are broken up and ``<image>`` that data wrote is hidden; see
    ``show_placeholders``.
    """
    text = without_tokens(text, vision_tokens(model.processor))
    return placed_text(n_images, hide_placeholders(text))
