"""Questions to prepare, and a model that says what a test wants and counts what it was asked."""

from __future__ import annotations

import numpy as np
from PIL import Image

from perl_env.question import Question


def pictures(n, seed=0, side=48):
    """Soft random pictures, unlike each other to a perceptual hash."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (n, 4, 4, 3), dtype=np.uint8)
    return tuple(
        np.asarray(Image.fromarray(one).resize((side, side), Image.Resampling.BICUBIC))
        for one in coarse
    )


def question(text="How many dogs are there in all images?", answer="3", n=3, seed=0, **fields):
    return Question(pictures(n, seed), text, answer, **{"key": str(seed), **fields})


class ScriptedModel:
    """Answers as ``reply(ask, index)`` says; stops after ``stop_after`` answers, as a server that dies."""

    def __init__(self, reply, name="scripted", stop_after=None):
        self.reply, self.name, self.stop_after = reply, name, stop_after
        self.asked = []
        self.given = 0

    def stream(self, asks, sampling):
        for number, ask in enumerate(asks):
            self.asked.append(ask)
            for index in range(ask.count):
                if self.given == self.stop_after:
                    raise RuntimeError("server is gone")
                self.given += 1
                yield number, [self.reply(ask, index)]
