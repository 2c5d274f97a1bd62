"""Questions over several images as a Gymnasium environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces

from perl_env.argument_checks import check_truth, is_whole
from perl_env.errors import InputError, shorten
from perl_env.grading import Grade, grade
from perl_env.permutation import as_order, permute, random_order
from perl_env.prompts import question_text
from perl_env.question import Order, Question
from perl_env.questions import QuestionSource, QuestionStream, ShuffledStream
from perl_env.rewards import DEFAULT_WEIGHTS, RewardWeights, reward
from perl_env.spaces import FreeText, Pictures

Observation = dict[str, Any]


class QuestionEnv(gymnasium.Env[Observation, str]):
    r"""One question over several images an episode, asked in a random order of its images.

    ## Description
    ``reset`` draws a question and an order of its images that is legal for the question's order
    class. Pictures, references in the text, options and gold answer are permuted together, so that
    the question keeps its meaning. ``step`` takes the reply, grades it and ends the episode.

    ## Observation Space
    A ``Dict``: ``images`` is a tuple of uint8 arrays (H, W, 3) in the order in which they are shown,
    ``text`` the question with its options and the instruction. The gold answer is in neither.

    ## Action Space
    The reply, any text. A well-formed one reads ``<think>…</think>\boxed{answer}``.

    ## Starting State
    ``reset(seed=…)`` draws question and order from the environment's own generator.
    ``reset(options={"index": 3, "order": (2, 0, 1)})`` chooses either or both; an order given
    without an index is an error, since a question is drawn first. ``info`` holds ``index``,
    ``order`` and ``order_class``.

    ## Rewards
    ``0.9 · correct + 0.1 · well_formed`` by default, as in PeRL's code.

    ## Episode End
    Always after one step (``terminated``). ``info`` then also holds ``correct``, ``well_formed``,
    ``parsed``, ``canonical`` (the answer in terms of the canonical order) and the gold ``answer``.

    ## Arguments
    * ``source``: where the questions come from. Of a stream, questions are drawn in its own order as
      far as a buffer shuffles it; ``reset(seed=…)`` goes back to its start, and no index can be chosen.
    * ``permute``: draw a random order at each reset (default), or show the canonical one.
    * ``instruction``: the last line of the text, "" for none; by default the question's own where it
      has one (published prompts), else the paper's.
    * ``reward_weights``: what a correct and a well-formed reply are worth: ``RewardWeights``, or a
      dictionary with its fields.
    * ``shuffle_buffer``: of a stream, how many questions are held to draw from.
    * ``render_mode``: ``"rgb_array"`` makes ``render`` return a contact sheet (H, W, 3).

    ## Version History
    * v0: first version.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 1}  # type: ignore[misc]

    def __init__(
        self,
        source: QuestionSource | QuestionStream,
        *,
        permute: bool = True,
        instruction: str | None = None,
        reward_weights: RewardWeights | Mapping[str, float] = DEFAULT_WEIGHTS,
        shuffle_buffer: int = 64,
        render_mode: str | None = None,
    ):
        self._indexed = source if isinstance(source, QuestionSource) else None
        self._stream = None if isinstance(source, QuestionSource) else ShuffledStream(source, shuffle_buffer)  # fmt: skip
        if self._indexed is not None and len(self._indexed) == 0:
            raise InputError("no questions", where="source", expected="at least one", got=0)
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise InputError("unknown render mode", where="render_mode",
                             expected=self.metadata["render_modes"], got=render_mode)  # fmt: skip
        check_truth(permute, "permute")
        if instruction is not None and not isinstance(instruction, str):
            raise InputError("unusable value", where="instruction", expected="a text, or None", got=repr(instruction))  # fmt: skip
        self.source = source
        self.permute = permute
        self.instruction = instruction
        self.reward_weights = RewardWeights.from_setting(reward_weights)
        self.render_mode = render_mode
        self.observation_space = spaces.Dict(
            {"images": Pictures(source.max_images, source.max_pixels), "text": FreeText()}
        )
        self.action_space = FreeText()
        #: The question as it is shown now; ``None`` before the first reset.
        self.question: Question | None = None
        self._index = -1
        self._answered = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Ask a question; see the class for ``options``.

        Raises:
            InputError: an unknown option, an index beyond the last question, an order that is no
                permutation of the question's images or is not legal for it.
        """
        super().reset(seed=seed)
        index, order = self._chosen(options or {})
        index, question = self._draw(index, restart=seed is not None)
        if order is None:
            order = self._draw_order(question)
        else:
            order = as_order(order, len(question.images), "options['order']")
        self.question = permute(question, order)
        self._index = index
        self._answered = False
        return self._observation(), self._info()

    def _chosen(self, options: dict[str, Any]) -> tuple[int | None, Sequence[int] | None]:
        if unknown := set(options) - {"index", "order"}:
            raise InputError("unknown reset option", where="options",
                             expected="'index' or 'order'", got=sorted(unknown))  # fmt: skip
        index, order = options.get("index"), options.get("order")
        if index is None and order is not None:
            raise InputError("an order is chosen without a question", where="options",
                             expected="'index' beside 'order'", got=options)  # fmt: skip
        if index is not None and self._indexed is None:
            raise InputError("a stream's question cannot be chosen", where="options['index']",
                             expected="no index", got=index)  # fmt: skip
        if index is None or self._indexed is None:
            return None, order
        if not is_whole(index) or not 0 <= index < len(self._indexed):
            raise InputError("no such question", where="options['index']",
                             expected=f"a whole number, 0..{len(self._indexed) - 1}", got=repr(index))  # fmt: skip
        return int(index), order

    def _draw(self, index: int | None, restart: bool) -> tuple[int, Question]:
        """The question of an index, or a random one; of a stream, which one of those drawn it is."""
        if self._indexed is not None:
            index = int(self.np_random.integers(len(self._indexed))) if index is None else index
            return index, self._indexed[index]
        assert self._stream is not None
        if restart:
            self._stream.restart()
        return (0 if restart else self._index + 1), self._stream.draw(self.np_random)

    def _draw_order(self, question: Question) -> Order:
        """A legal order, all equally likely."""
        if not self.permute:
            return tuple(range(len(question.images)))
        return random_order(question, self.np_random)

    def step(self, action: str) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Grade the reply and end the episode.

        Raises:
            InputError: called before ``reset``, twice in an episode, or with something else than text.
        """
        if self.question is None or self._answered:
            raise InputError("step without a question", where="step", expected="reset first",
                             got="already answered" if self._answered else "no reset yet")  # fmt: skip
        if not isinstance(action, str):
            raise InputError("reply is no text", where="action", expected="str",
                             got=f"{type(action).__name__}: {shorten(action)}")  # fmt: skip
        self._answered = True
        result = grade(self.question, action)
        info = self._info() | _graded(self.question, result)
        return self._observation(), reward(result, self.reward_weights), True, False, info

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """A contact sheet of the current question, a uint8 array (H, W, 3); ``None`` without a mode."""
        if self.render_mode is None:
            gymnasium.logger.warn("render() was called without a render_mode")
            return None
        if self.question is None:
            raise InputError(
                "nothing to render", where="render", expected="reset first", got="no reset yet"
            )
        from perl_env.rendering import contact_sheet

        return contact_sheet(self.question)

    def _observation(self) -> Observation:
        """New arrays each time: what an environment returns belongs to the caller."""
        assert self.question is not None
        return {
            "images": tuple(image.copy() for image in self.question.images),
            "text": question_text(self.question, self.instruction),
        }

    def _info(self) -> dict[str, Any]:
        assert self.question is not None
        return {
            "index": self._index,
            "order": self.question.order,
            "order_class": str(self.question.order_class),
        }


def _graded(question: Question, result: Grade) -> dict[str, Any]:
    return {
        "correct": result.correct,
        "well_formed": result.well_formed,
        "parsed": result.parsed,
        "canonical": result.canonical,
        "answer": question.answer,
    }
