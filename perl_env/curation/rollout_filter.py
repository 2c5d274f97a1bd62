"""Third stage: how difficult a question is to a model, and which difficulties are kept.

A model answers each question several times in its canonical order. Its replies are kept, so that another
rule, or more replies, cost no more than what is new.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from perl_env.curation.asking import Answers, Model, Sampling, Wanted
from perl_env.curation.outcome import Outcome
from perl_env.curation.settings import RolloutSettings
from perl_env.curation.survey import Progress
from perl_env.curation.workspace import fingerprint
from perl_env.grading import grade
from perl_env.prompts import question_text
from perl_env.question import Question

STAGE = "rollouts"


def filter_by_rollouts(
    keys: Sequence[str],
    load: Callable[[str], Question],
    pixels: Mapping[str, str],
    settings: RolloutSettings,
    model: Model,
    answers: Answers,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Outcome]:
    """The outcome of every question, its measured accuracy in the note.

    Args:
        keys: of the questions.
        load: gives a question by its key.
        pixels: the digest of each question's pictures.
        settings: of this stage.
        model: who answers.
        answers: what it said already.
        seed: of the draws where questions are kept with a probability.
        progress: told how far it is.
    """

    def wanted(key: str) -> Wanted:
        text = question_text(load(key))
        return Wanted(
            ["rollout", text, pixels[key]], settings.replies, lambda: (load(key).images, text)
        )

    sampling = Sampling(settings.temperature, settings.max_new_tokens)
    replies = answers.of(model, sampling, [wanted(key) for key in keys], progress, STAGE)
    return [
        _outcome(key, _accuracy(load(key), found), settings, seed)
        for key, found in zip(keys, replies, strict=True)
    ]


def _accuracy(question: Question, replies: Sequence[str]) -> float:
    return sum(bool(grade(question, reply).correct) for reply in replies) / len(replies)


def _outcome(key: str, accuracy: float, settings: RolloutSettings, seed: int) -> Outcome:
    probability = keep_probability(accuracy, settings)
    kept = _uniform(key, seed) < probability
    note = {"accuracy": accuracy, "probability": probability}
    if kept:
        return Outcome(key, True, note=note)
    if settings.accuracy is not None:
        return Outcome(key, False, "too hard" if accuracy < settings.accuracy[0] else "too easy", note=note)  # fmt: skip
    return Outcome(key, False, "not drawn for its difficulty", note=note)


def keep_probability(accuracy: float, settings: RolloutSettings) -> float:
    """With which probability a question of this accuracy is kept; 0 or 1 where the rule is a band."""
    if settings.accuracy is not None:
        least, greatest = settings.accuracy
        return float(least <= accuracy <= greatest)
    points = sorted((float(x), float(y)) for x, y in (settings.probability or {}).items())
    return float(np.interp(accuracy, [x for x, _ in points], [y for _, y in points]))


def _uniform(key: str, seed: int) -> float:
    """A number in [0, 1) that belongs to the question: the same in every run of one seed."""
    return np.random.default_rng([seed, int(fingerprint("draw", key), 16)]).random()
