"""A multiple-choice task for agents without language: fixed-size pixels in, a number out."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from PIL import Image, ImageDraw, ImageFont

from perl_env.env import QuestionEnv
from perl_env.errors import InputError
from perl_env.grading import count_choices
from perl_env.prompts import option_lines
from perl_env.question import LETTERS, Question
from perl_env.rendering import fit

_TEXT_SHARE = 0.3  # of the height, for the question below the pictures
_FONT_SIZE = 9


class FixedPixels(gymnasium.Wrapper[np.ndarray, int, dict, str]):
    r"""Shows a question as one picture of fixed size and takes the number of the choice.

    The pictures stand side by side in their order, the text is written below them. Action ``k``
    chooses option ``k``; where a question without options asks for an image, it chooses image
    ``k + 1``. An action beyond the last choice is a wrong answer.

    Args:
        env: an environment of multiple-choice or which-image questions.
        size: height and width of the observation in pixels.
        num_actions: how many choices there are at most.
        scaled: float32 pixels from 0 to 1, as RLlib's networks take them, instead of uint8 ones from
            0 to 255, which Stable-Baselines3 scales itself.

    >>> import gymnasium, perl_env
    >>> env = FixedPixels(gymnasium.make("perl/Shapes-v0", kinds=["odd-one-out"]), num_actions=3)
    >>> env.observation_space.shape, env.action_space
    ((84, 84, 3), Discrete(3))
    """

    def __init__(
        self,
        env: gymnasium.Env[dict, str],
        size: int = 84,
        num_actions: int = 6,
        scaled: bool = False,
    ):
        super().__init__(env)
        if not isinstance(env.unwrapped, QuestionEnv):
            raise InputError("not an environment of questions", where="env",
                             expected="a perl/… environment", got=env.unwrapped)  # fmt: skip
        self._questions: QuestionEnv = env.unwrapped
        self.size, self.num_actions = size, num_actions
        self.scaled = scaled
        highest, kind = (1, np.float32) if scaled else (255, np.uint8)
        self.observation_space = spaces.Box(0, highest, (size, size, 3), kind)
        self.action_space = spaces.Discrete(num_actions)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Ask a question.

        Raises:
            InputError: the question is open, or has more choices than there are actions.
        """
        _, info = self.env.reset(seed=seed, options=options)
        question = self._shown()
        choices = count_choices(question)
        if choices is None:
            raise InputError("no multiple-choice question", where=f"question {question.key!r} of kind {question.kind!r}",
                             expected="options, or an image to name (choose such kinds)", got=repr(question.text))  # fmt: skip
        if choices > self.num_actions:
            raise InputError("more choices than actions", where=f"question {question.key!r}",
                             expected=f"at most {self.num_actions}", got=choices)  # fmt: skip
        return self._pixels(question), info

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:  # type: ignore[override]
        """Answer with a choice."""
        question = self._shown()
        answer = LETTERS[int(action)] if question.options else f"Image {int(action) + 1}"
        _, reward, terminated, truncated, info = self.env.step(
            f"<think></think>\\boxed{{{answer}}}"
        )
        return self._pixels(question), float(reward), terminated, truncated, info

    def _shown(self) -> Question:
        assert self._questions.question is not None, "reset first"
        return self._questions.question

    def _pixels(self, question: Question) -> np.ndarray:
        """The pictures side by side, the text below: (size, size, 3)."""
        canvas = Image.new("RGB", (self.size, self.size), (255, 255, 255))
        top = round(self.size * (1 - _TEXT_SHARE))
        width = self.size // len(question.images)
        for slot, image in enumerate(question.images):
            picture = fit(image, width, top)
            canvas.paste(picture, (slot * width, (top - picture.height) // 2))
        text = "\n".join([question.text, *option_lines(question)])
        ImageDraw.Draw(canvas).multiline_text(
            (1, top), text, fill=(0, 0, 0), font=ImageFont.load_default(_FONT_SIZE), spacing=0
        )
        pixels = np.array(canvas)
        return pixels.astype(np.float32) / 255 if self.scaled else pixels
