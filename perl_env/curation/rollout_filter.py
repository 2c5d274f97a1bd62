"""Third stage: how difficult a question is to a model, and which difficulties are kept.

A model answers each question several times in its canonical order. Its replies are kept, so that another
rule, or more replies, cost no more than what is new.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from perl_env.curation.asking import Sampling, Wanted
from perl_env.curation.outcome import Outcome
from perl_env.curation.settings import RolloutSettings
from perl_env.curation.stage_input import StageInput
from perl_env.curation.workspace import fingerprint
from perl_env.grading import grade
from perl_env.prompts import question_text
from perl_env.question import Question

STAGE = "rollouts"


def filter_by_rollouts(given: StageInput, settings: RolloutSettings) -> list[Outcome]:
    """The outcome of every question, its measured accuracy in the note.

    Args:
        given: its model answers; its seed draws where questions are kept with a probability.
        settings: of this stage.
    """
    assert given.model is not None

    def wanted(key: str) -> Wanted:
        text = question_text(given.load(key))
        return Wanted(
            ["rollout", text, given.pixels[key]],
            settings.replies,
            lambda: (given.load(key).images, text),
        )

    asked = [wanted(key) for key in given.keys]
    sampling = Sampling(settings.temperature, settings.max_new_tokens)
    replies = given.answers.of(given.model, sampling, asked, given.progress, STAGE)
    return [
        _outcome(key, _accuracy(given.load(key), found), settings, given.seed)
        for key, found in zip(given.keys, replies, strict=True)
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
