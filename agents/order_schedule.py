"""Which questions are asked at each step, and in which orders: one stream, fixed by its seed.

The stream depends on nothing but the seed and a counter of the groups drawn so far. So it does not
matter how many processes play the groups, a lost group can be played by another, and a run that
continues from a checkpoint goes on with the very questions and orders it would have had.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from perl_env.errors import InputError
from perl_env.order_algebra import identity
from perl_env.permutation import sample_orders
from perl_env.question import Order, Question

ScheduleKind = Literal["constant", "linear"]
SCHEDULES: tuple[str, ...] = get_args(ScheduleKind)

#: Keep the streams of one seed apart.
_QUESTION_STREAM, _ORDER_STREAM = 1, 2


def order_probability(
    kind: ScheduleKind, initial: float, step: int, total_steps: int | None = None
) -> float:
    """With which probability a question is asked in other orders at a step (PeRL's alpha_t).

    Args:
        kind: "constant", or "linear": ``initial * (1 - step / total_steps)`` (arXiv 2506.14907,
            algorithm 1), and zero from ``total_steps`` on.
        initial: the probability at step 0.
        step: number of steps already done.
        total_steps: the length of the decay.

    >>> [order_probability("linear", 0.8, step, 4) for step in (0, 1, 4, 5)]
    [0.8, 0.6000000000000001, 0.0, 0.0]
    """
    if kind == "constant":
        return initial
    if kind != "linear":
        raise InputError("unknown schedule", where="order_schedule",
                         expected=f"one of {', '.join(SCHEDULES)}", got=kind)  # fmt: skip
    if not total_steps:
        raise InputError("a linear schedule needs its length", where="total_steps",
                         expected="at least 1", got=total_steps)  # fmt: skip
    return initial * max(0.0, 1.0 - step / total_steps)


@dataclass(frozen=True)
class GroupPlan:
    """One group to be played: a question and how to draw its orders. Small, travels to the player.

    Attributes:
        counter: number of the group within the run; with ``seed`` it fixes all that is random.
        step: the training step for which it was drawn.
        question_index: which question.
        order_probability: of asking it in other orders, at that step.
        seed: the run's seed.
    """

    counter: int
    step: int
    question_index: int
    order_probability: float
    seed: int

    def draw_orders(self, question: Question, orders_per_question: int) -> tuple[Order, ...]:
        """The orders in which ``question`` is asked, the canonical one first.

        Fewer than ``orders_per_question`` where the question has fewer legal orders, and only the
        canonical one where chance (``order_probability``) says so: PeRL then repeats it instead.
        """
        rng = np.random.default_rng([self.seed, _ORDER_STREAM, self.counter])
        if rng.random() >= self.order_probability:
            return (identity(len(question.images)),)
        return sample_orders(question, orders_per_question, rng)

    def sampling_seed(self, position: int) -> int:
        """Seed of the replies to the order at ``position``; the same whoever generates them."""
        return int(np.random.SeedSequence([self.seed, self.counter, position]).generate_state(1)[0])


def spread(total: int, parts: int) -> list[int]:
    """``total`` rollouts over ``parts`` orders, as evenly as can be, the first ones getting more.

    >>> spread(12, 5)
    [3, 3, 2, 2, 2]
    """
    share, rest = divmod(total, parts)
    return [share + (part < rest) for part in range(parts)]


class OrderSchedule:
    """Draws the groups of each step.

    Every question comes once an epoch, each epoch in another sequence.

    Args:
        num_questions: how many there are.
        seed: fixes everything.
        kind: course of the order probability.
        initial: its value at step 0.
        total_steps: length of a linear decay.

    >>> schedule = OrderSchedule(num_questions=3, seed=0)
    >>> sorted(plan.question_index for plan in schedule.next_groups(3, step=0))
    [0, 1, 2]
    """

    def __init__(
        self,
        num_questions: int,
        seed: int,
        kind: ScheduleKind = "constant",
        initial: float = 1.0,
        total_steps: int | None = None,
    ):
        if num_questions < 1:
            raise InputError("no questions", where="environment", expected="at least 1", got=0)
        order_probability(kind, initial, 0, total_steps)  # raises now rather than at the first step
        self.num_questions, self.seed = num_questions, seed
        self.kind, self.initial, self.total_steps = kind, initial, total_steps
        self.counter = 0
        self._epoch: tuple[int, np.ndarray] | None = None

    def next_groups(self, count: int, step: int) -> list[GroupPlan]:
        """The next ``count`` groups, for the training step ``step``."""
        probability = order_probability(self.kind, self.initial, step, self.total_steps)
        first, self.counter = self.counter, self.counter + count
        return [
            GroupPlan(counter, step, self._question_index(counter), probability, self.seed)
            for counter in range(first, first + count)
        ]

    def _question_index(self, counter: int) -> int:
        epoch, position = divmod(counter, self.num_questions)
        if self._epoch is None or self._epoch[0] != epoch:
            rng = np.random.default_rng([self.seed, _QUESTION_STREAM, epoch])
            self._epoch = epoch, rng.permutation(self.num_questions)
        return int(self._epoch[1][position])

    def get_state(self) -> dict[str, Any]:
        """What is needed to go on with the same stream."""
        return {"counter": self.counter, "seed": self.seed, "num_questions": self.num_questions}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on where another schedule stood.

        Raises:
            InputError: that one had another number of questions: the stream would be another.
        """
        if state["num_questions"] != self.num_questions:
            raise InputError("the questions have changed since the checkpoint was written",
                             where="environment", expected=f"{state['num_questions']} questions",
                             got=self.num_questions)  # fmt: skip
        self.counter, self.seed, self._epoch = state["counter"], state["seed"], None
