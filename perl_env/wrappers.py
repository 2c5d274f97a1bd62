"""A multiple-choice task for agents without language: fixed-size pixels in, a number out."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs
from PIL import Image, ImageDraw, ImageFont

from perl_env.argument_checks import check_truth, check_whole, is_whole
from perl_env.env import QuestionEnv
from perl_env.errors import InputError
from perl_env.grading import count_choices
from perl_env.prompts import option_lines
from perl_env.question import LETTERS, Question
from perl_env.rendering import fit
from perl_env.tasks.procedural import Draw, ProceduralQuestions

_TEXT_SHARE = 0.3  # of the height, for the question below the pictures
_FONT_SIZE = 9
_NO_CHOICE = "beyond the choices"  # what an action beyond the last one says; no option reads so


class FixedPixels(gymnasium.Wrapper[np.ndarray, int, dict, str], RecordConstructorArgs):
    r"""Shows a question as one picture of fixed size and takes the number of the choice.

    The pictures stand side by side in their order, the text is written below them. Action ``k``
    chooses option ``k``; where a question without options asks for an image, it chooses image
    ``k + 1``. An action beyond the last choice is a wrong answer.

    Args:
        env: an environment of multiple-choice or which-image questions alone: of a task with open ones
            too, choose ``kinds``.
        size: height and width of the observation in pixels.
        num_actions: how many choices there are at most.
        scaled: float32 pixels from 0 to 1, as RLlib's networks take them, instead of uint8 ones from
            0 to 255, which Stable-Baselines3 scales itself.

    Raises:
        InputError: another environment, or a size or number that cannot work.

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
        RecordConstructorArgs.__init__(self, size=size, num_actions=num_actions, scaled=scaled)
        gymnasium.Wrapper.__init__(self, env)
        if not isinstance(env.unwrapped, QuestionEnv):
            raise InputError("not an environment of questions", where="env",
                             expected="a perl/… environment", got=env.unwrapped)  # fmt: skip
        for name, value in (("size", size), ("num_actions", num_actions)):
            check_whole(value, f"FixedPixels, {name}", 1)
        check_truth(scaled, "FixedPixels, scaled")
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
        question = self._questions.question
        assert question is not None  # just asked
        choices = count_choices(question)
        if choices is None:
            raise InputError("no multiple-choice question", where=f"question {question.key!r} of kind {question.kind!r}",
                             expected=_kinds_with_choices(self._questions.source), got=repr(question.text))  # fmt: skip
        if choices > self.num_actions:
            raise InputError("more choices than actions", where=f"question {question.key!r}",
                             expected=f"at most num_actions, {self.num_actions}", got=choices)  # fmt: skip
        return self._pixels(question), info

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:  # type: ignore[override]
        """Answer with a choice.

        Raises:
            InputError: called before ``reset``, or with something else than an action.
        """
        question = self._questions.question
        if question is None:
            raise InputError("step without a question", where="step", expected="reset first",
                             got="no reset yet")  # fmt: skip
        if not is_whole(action) or not 0 <= action < self.num_actions:
            raise InputError("no such action", where="step, action",
                             expected=f"a whole number, 0..{self.num_actions - 1}", got=repr(action))  # fmt: skip
        _, reward, terminated, truncated, info = self.env.step(
            f"<think></think>\\boxed{{{_reply(question, int(action))}}}"
        )
        return self._pixels(question), float(reward), terminated, truncated, info

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


def _reply(question: Question, action: int) -> str:
    """The answer that an action stands for; no choice's where it is beyond the last."""
    choices = count_choices(question)
    if choices is None or action >= choices:
        return _NO_CHOICE
    return LETTERS[action] if question.options else f"Image {action + 1}"


def _kinds_with_choices(source: object) -> str:
    """What to ask instead of open questions: the task's kinds that have choices, where it has ``kinds``."""
    expected = "options, or an image to name"
    if not isinstance(source, ProceduralQuestions):
        return expected
    kinds = [
        kind.name
        for kind in source.kinds
        if count_choices(kind.make(Draw(np.random.default_rng(0)))) is not None
    ]
    return f"{expected}: choose such kinds, as kinds={kinds}" if kinds else expected
