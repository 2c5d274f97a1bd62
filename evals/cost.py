"""What an evaluation will cost, told before anything is asked."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

from agents.engines.base import Prompt
from evals.plan import Plan
from perl_env.prompts import question_text
from perl_env.question import Question

#: Of an estimate: pixels of one picture token (28 × 28, as Qwen2.5-VL), characters of one text token.
_PIXELS_PER_TOKEN = 28 * 28
_CHARACTERS_PER_TOKEN = 4
#: How many of the questions a processor encodes; of more, evenly spread ones are counted.
COUNTED_QUESTIONS = 200

CountTokens = Callable[[Prompt], int]


@dataclass(frozen=True)
class Cost:
    """What is to be asked.

    Attributes:
        questions: number of questions asked.
        excluded: number of questions that cannot be asked soundly.
        requests: question and order: what an engine encodes once.
        replies: requests times repeats; what a URL is asked for and paid by.
        pictures: pictures sent, one by one, once a reply.
        prompt_tokens: of all replies' prompts together.
        reply_tokens: at most, if every reply is cut at its limit.
        counted: how the prompt's tokens were found, in words.
    """

    questions: int
    excluded: int
    requests: int
    replies: int
    pictures: int
    prompt_tokens: int
    reply_tokens: int
    counted: str


def expected_cost(
    plan: Plan,
    max_new_tokens: int,
    instruction: str | None,
    count_tokens: CountTokens | None = None,
) -> Cost:
    """The cost of what a plan still asks.

    A question's orders have the same pictures and, but for a digit, the same text; so its first order is
    counted and taken for all.

    Args:
        plan: what is asked.
        max_new_tokens: where a reply is cut.
        instruction: the last line of every prompt; by default a question's own, else the paper's.
        count_tokens: the tokens of a prompt by the model's processor; without it they are estimated.
    """
    groups = [list(found) for _, found in groupby(plan.requests, key=lambda request: request.key)]
    replies = [sum(len(request.repeats) for request in group) for group in groups]
    images = [len(group[0].question.images) for group in groups]
    step = max(1, math.ceil(len(groups) / COUNTED_QUESTIONS)) if count_tokens else 1
    seen = range(0, len(groups), step)
    count = count_tokens or estimated_tokens
    tokens = sum(count(_prompt(groups[i][0].question, instruction)) * replies[i] for i in seen)
    share = sum(replies[i] for i in seen) / max(sum(replies), 1)
    if count_tokens is None:
        how = "estimated from picture sizes and text lengths"
    elif step > 1:
        how = f"counted by the model's processor on {len(seen)} of {len(groups)} questions"
    else:
        how = "counted by the model's processor"
    return Cost(
        questions=len(groups),
        excluded=len(plan.excluded),
        requests=len(plan.requests),
        replies=sum(replies),
        pictures=sum(n * m for n, m in zip(replies, images, strict=True)),
        prompt_tokens=round(tokens / share) if share else 0,
        reply_tokens=sum(replies) * max_new_tokens,
        counted=how,
    )


def estimated_tokens(prompt: Prompt) -> int:
    """Tokens of a prompt, roughly, for a model whose processor is not at hand."""
    pictures = sum(
        math.ceil(image.shape[0] * image.shape[1] / _PIXELS_PER_TOKEN) for image in prompt.images
    )
    return pictures + math.ceil(len(prompt.text) / _CHARACTERS_PER_TOKEN)


def processor_count(model: str) -> CountTokens:
    """Counts by the processor of a model folder.

    Raises:
        InputError: no such folder, or none with a processor.
    """
    from agents.processing import PromptProcessor

    processor = PromptProcessor(model)
    return lambda prompt: len(processor.encode(prompt))


def _prompt(question: Question, instruction: str | None) -> Prompt:
    return Prompt(question.images, question_text(question, instruction))
