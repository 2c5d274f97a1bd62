"""What the stages that may ask a model are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from perl_env.curation.asking import Answers, Model
from perl_env.curation.survey import Progress
from perl_env.question import Question


@dataclass(frozen=True)
class StageInput:
    """The questions of a stage, and who may be asked about them.

    Attributes:
        keys: of the questions.
        load: gives a question by its key, as the stages before have left it.
        pixels: the digest of each question's pictures, by key.
        model: who may be asked; None where the stage has nobody.
        answers: what it said already.
        seed: of what the stage draws.
        progress: told how far it is.
    """

    keys: Sequence[str]
    load: Callable[[str], Question]
    pixels: Mapping[str, str]
    model: Model | None
    answers: Answers
    seed: int = 0
    progress: Progress | None = None
