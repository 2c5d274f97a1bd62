"""Before the first update: do engine and learner see the same prompts and compute the same numbers?

Most of what goes wrong in training on several pictures is such a disagreement, and nothing fails: the loss
falls all the same. A few questions of the task are asked; what differs is told with how much, where, and
which setting usually causes it. This module only compares; ``agents.preflight_run`` asks both sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from agents.engines.base import Prompt, Reply, SamplingParams, TrainableEngine
from perl_env.errors import InputError

#: Questions that are asked, tokens of each fixed reply, questions among which they are chosen.
QUESTIONS, REPLY_TOKENS, CANDIDATES = 4, 16, 16
#: Largest mean difference of log-probabilities: where both sides compute in float32, and elsewhere.
EXACT_TOLERANCE, ROUNDED_TOLERANCE = 1e-3, 5e-2

#: How the learner may compute the log-probabilities of a reply: as the run is configured, or with a
#: mistake that an engine may make.
Variant = Literal["configured", "no temperature", "image tokens possible"]

_MISTAKES: Mapping[Variant, str] = {
    "no temperature": "temperature: the engine tells log-probabilities from before the temperature was "
    "applied (vLLM's logprobs_mode, which must be processed_logprobs), or does not apply it",
    "image tokens possible": "image tokens: the engine does not take them out of what may be sampled "
    "(or tells log-probabilities from before it does)",
}
_TEMPLATE = (
    "chat template or tokenizer: the engine's model folder has another chat_template.jinja, "
    "tokenizer or processor than the learner's"
)
_PIXELS = (
    "max_pixels or min_pixels: the engine's image processor (preprocessor_config.json, "
    "processor_config.json or mm_processor_kwargs) resizes otherwise than the learner's"
)
_EXPANDED = (
    "expanded prompt: image tokens were expanded before the prompt was handed over, and the engine "
    f"expanded them again; if not, {_PIXELS}"
)
_DROPPED = "pictures: one was dropped, or a placeholder is missing in the chat template's output"
_WEIGHTS = (
    "weights: the engine computes with others than the learner (another model folder, names that its "
    "loader maps wrongly, adapters that were not merged), or pictures are normalised otherwise"
)
_PRECISION = "dtype: one side computes in fewer bits; engine_settings.dtype or pretrained.dtype"
_SYNC = (
    "weight sync: the engine did not take the weights that it was sent (name mapping), or kept what "
    "it had cached under the old ones"
)


@dataclass(frozen=True)
class EngineAnswer:
    """What the engine says.

    Attributes:
        name: of the engine.
        dtype: of its computation.
        token_ids: of each prompt, expanded; int64 [L].
        replies: one to each prompt, with the engine's log-probabilities.
        digests: of its parameters.
    """

    name: str
    dtype: str
    token_ids: tuple[np.ndarray, ...]
    replies: tuple[Reply, ...]
    digests: Mapping[str, str]


@dataclass(frozen=True)
class LearnerAnswer:
    """What the learner says of the same prompts and of the engine's replies.

    Attributes:
        dtype: of its weights.
        token_ids: of each prompt, expanded; int64 [L].
        logprobs: of each reply, float32 [T].
        image_token_id: stands for a picture in the token ids.
    """

    dtype: str
    token_ids: tuple[np.ndarray, ...]
    logprobs: tuple[np.ndarray, ...]
    image_token_id: int


@dataclass(frozen=True)
class Finding:
    """One disagreement.

    Attributes:
        what: differs.
        where: it was found.
        engine: what the engine has.
        learner: what the learner has.
        cause: the setting that usually causes it.
    """

    what: str
    where: str
    engine: str
    learner: str
    cause: str

    def __str__(self) -> str:
        return (
            f"{self.what}: {self.where}: engine {self.engine}, learner {self.learner}\n"
            f"    usual cause: {self.cause}"
        )


class PreflightError(InputError):
    """Engine and learner disagree; the message tells all that was found."""

    def __init__(self, what: str, *, where: str = "", expected: object = "", got: object = ""):
        super().__init__(what, where=where, expected=expected, got=got)

    def __str__(self) -> str:
        return f"{self.what}\n{self.got}"


def choose_questions(image_counts: Sequence[int], count: int = QUESTIONS) -> list[int]:
    """Which questions to ask: of as many different numbers of pictures as there are, most first.

    >>> choose_questions([1, 3, 3, 2, 1, 3], 4), choose_questions([2, 2], 4)
    ([1, 3, 0, 2], [0, 1])
    """
    first_of = {number: image_counts.index(number) for number in set(image_counts)}
    chosen = [first_of[number] for number in sorted(first_of, reverse=True)]
    chosen += [index for index in range(len(image_counts)) if index not in chosen]
    return chosen[:count]


def ask_engine(
    engine: TrainableEngine, prompts: Sequence[Prompt], temperature: float, seed: int = 0
) -> EngineAnswer:
    """The engine's token ids, and one reply to each prompt, drawn as in training."""
    replies = engine.generate(prompts, 1, SamplingParams(temperature, REPLY_TOKENS, seed))
    return EngineAnswer(
        name=engine.name,
        dtype=engine.dtype,
        token_ids=tuple(engine.prompt_token_ids(prompts)),
        replies=tuple(found[0] for found in replies),
        digests=engine.weight_digests(),
    )


# ---------------------------------------------------------------------------------- comparing


def image_runs(token_ids: np.ndarray, image_token_id: int) -> tuple[np.ndarray, list[int]]:
    """A prompt with one image token per picture, and each picture's number of image tokens.

    >>> image_runs(np.array([7, 5, 5, 5, 8, 5, 9]), image_token_id=5)
    (array([7, 5, 8, 5, 9]), [3, 1])
    """
    is_image = token_ids == image_token_id
    first = is_image & ~np.concatenate([[False], is_image[:-1]])
    positions = np.flatnonzero(first)
    lengths = [int(np.argmin(np.append(is_image[start:], False))) for start in positions]
    return token_ids[~is_image | first], lengths


def compare_prompts(
    engine_ids: Sequence[np.ndarray], learner_ids: Sequence[np.ndarray], image_token_id: int
) -> list[Finding]:
    """Where the token ids of prompts, or the numbers of image tokens of their pictures, differ."""
    findings = []
    for number, (one, other) in enumerate(zip(engine_ids, learner_ids, strict=True), start=1):
        if np.array_equal(one, other):
            continue
        (text, runs), (other_text, other_runs) = (
            image_runs(ids, image_token_id) for ids in (one, other)
        )
        where = f"probe {number}"
        if len(runs) != len(other_runs):
            finding = Finding("number of pictures", where, str(len(runs)), str(len(other_runs)), _DROPPED)  # fmt: skip
        elif np.array_equal(text, other_text):
            finding = _other_runs(where, runs, other_runs)
        else:
            finding = _other_text(where, text, other_text)
        findings.append(finding)
    return findings


def _other_runs(where: str, runs: list[int], other_runs: list[int]) -> Finding:
    picture = next(i for i, n in enumerate(runs) if n != other_runs[i])
    added = sum(runs) - sum(other_runs)
    # Each picture's expansion takes the place of one image token that is found, wherever it stands.
    again = added == sum(n - 1 for n in other_runs) or runs == [n * n for n in other_runs]
    return Finding(
        "image tokens", f"{where}, picture {picture + 1}", str(runs[picture]),
        str(other_runs[picture]), _EXPANDED if again else _PIXELS,
    )  # fmt: skip


def _other_text(where: str, ids: np.ndarray, other: np.ndarray) -> Finding:
    shared = min(len(ids), len(other))
    differs = np.flatnonzero(ids[:shared] != other[:shared])
    position = int(differs[0]) if len(differs) else shared
    has, wants = (str(each[position : position + 5].tolist()) for each in (ids, other))
    return Finding("prompt token ids", f"{where}, position {position}", has, wants, _TEMPLATE)


def mean_difference(engine: EngineAnswer, learner: LearnerAnswer) -> float:
    """Mean absolute difference of the log-probabilities of all reply tokens."""
    return float(np.concatenate(_differences(engine, learner)).mean())


def largest_difference(engine: EngineAnswer, learner: LearnerAnswer) -> float:
    """The largest one."""
    return float(np.concatenate(_differences(engine, learner)).max())


def _differences(engine: EngineAnswer, learner: LearnerAnswer) -> list[np.ndarray]:
    pairs = zip(engine.replies, learner.logprobs, strict=True)
    return [np.abs(reply.logprobs - logprobs) for reply, logprobs in pairs]


def tolerance_for(engine: EngineAnswer, learner: LearnerAnswer) -> float:
    """How far the mean may be off: rounding alone, or bfloat16's or float16's."""
    exact = engine.dtype == learner.dtype == "float32"
    return EXACT_TOLERANCE if exact else ROUNDED_TOLERANCE


def compare_logprobs(
    engine: EngineAnswer,
    answers: Mapping[Variant, LearnerAnswer],
    tolerance: float,
    synced: bool = False,
) -> list[Finding]:
    """Whether the log-probabilities of the fixed replies are the same; if not, which mistake explains it.

    Args:
        engine: with its replies.
        answers: the learner's; beside "configured" those of the mistakes to be tried.
        tolerance: largest mean difference.
        synced: whether the engine has just been sent other weights than it began with.
    """
    learner = answers["configured"]
    if mean_difference(engine, learner) <= tolerance:
        return []
    explained = [
        cause for variant, cause in _MISTAKES.items()
        if variant in answers and mean_difference(engine, answers[variant]) <= tolerance
    ]  # fmt: skip
    unexplained = _PRECISION if mean_difference(engine, learner) < ROUNDED_TOLERANCE else _WEIGHTS
    differences = _differences(engine, learner)
    probe = int(np.argmax([difference.max() for difference in differences]))
    token = int(np.argmax(differences[probe]))
    where = (
        f"mean difference {mean_difference(engine, learner):.3g} (at most {tolerance:g}), "
        f"largest at probe {probe + 1}, reply token {token + 1}"
    )
    return [
        Finding(
            "log-probabilities after a sync of other weights" if synced else "log-probabilities",
            where,
            f"{engine.replies[probe].logprobs[token]:.4f}",
            f"{learner.logprobs[probe][token]:.4f}",
            next(iter(explained), _SYNC if synced else unexplained),
        )
    ]


def compare_digests(
    before: Mapping[str, str],
    moved: Mapping[str, str],
    back: Mapping[str, str],
    all_trained: bool = True,
) -> list[Finding]:
    """Whether every parameter changed when all were changed, and came back when all were sent back.

    Args:
        before: digests under the first weights.
        moved: under the other ones.
        back: after the first ones were sent again.
        all_trained: whether all were changed; where some are frozen, at least one must have changed.
    """
    kept = [name for name in before if moved.get(name) == before[name]]
    if not all_trained and len(kept) < len(before):
        kept = []
    changed = [name for name in before if back.get(name) != before[name]]
    findings = []
    if kept:
        findings.append(Finding("parameters that a sync did not change", _named(kept),
                                f"{len(kept)} of {len(before)} kept", "all changed", _SYNC))  # fmt: skip
    if changed:
        findings.append(Finding("parameters that a sync did not restore", _named(changed),
                                f"{len(changed)} of {len(before)} differ", "all as before", _SYNC))  # fmt: skip
    return findings


def _named(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


# ------------------------------------------------------------------------------------ the report


@dataclass(frozen=True)
class PreflightReport:
    """What a preflight compared, and what it found.

    Attributes:
        compared: a line for each comparison, what agreed and how well.
        findings: the disagreements.
    """

    compared: tuple[str, ...]
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        lines = (*self.compared, *(str(finding) for finding in self.findings))
        return "\n".join(f"  {line}" for line in lines)

    def check(self) -> None:
        """Raise a PreflightError with the whole report where anything differs."""
        if self.findings:
            raise PreflightError("preflight: engine and learner disagree", where="preflight",
                                 expected="the same prompts, log-probabilities and weights", got=self)  # fmt: skip
