"""Questions that are drawn by a generator: ``(seed, split, index)`` fixes one wherever it is made."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from perl_env.argument_checks import check_whole, is_number, is_whole
from perl_env.errors import InputError, nearest
from perl_env.question import Question

T = TypeVar("T")

SPLITS = ("train", "test")
_CACHED_QUESTIONS = 2048


class Draw:
    """Random choices for one question.

    Args:
        rng: the question's own generator.
        difficulty: 1, 2 or 3.
        gold_slot_decay: each slot is the gold's this many times as often as the slot before it;
            1 favours none, 0.3 puts most golds first, as scraped data does.
    """

    def __init__(self, rng: np.random.Generator, difficulty: int = 1, gold_slot_decay: float = 1.0):
        self.rng = rng
        self.difficulty = difficulty
        self.gold_slot_decay = gold_slot_decay

    def integer(self, low: int, high: int) -> int:
        """A number from ``low`` to ``high``, both included."""
        return int(self.rng.integers(low, high + 1))

    def one(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[int(self.rng.integers(len(items)))]

    def some(self, items: Sequence[T], count: int) -> list[T]:
        """``count`` different ones of the items, in random order."""
        return [items[i] for i in self.rng.permutation(len(items))[:count]]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in random order."""
        return self.some(items, len(items))

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return bool(self.rng.random() < probability)

    def gold_slot(self, count: int) -> int:
        """Which of ``count`` slots the gold stands in."""
        weights = self.gold_slot_decay ** np.arange(count)
        return int(np.searchsorted(np.cumsum(weights), self.rng.random() * weights.sum()))


def with_gold_at(gold: T, others: Sequence[T], slot: int) -> list[T]:
    """The gold in its slot, the others around it."""
    return [*others[:slot], gold, *others[slot:]]


@dataclass(frozen=True)
class Kind:
    """One kind of question: its name and the function that makes one from random choices."""

    name: str
    make: Callable[[Draw], Question]


class ProceduralQuestions:
    """A source that makes each question from the generator of its index.

    Args:
        name: of the task, the first part of each question's key.
        kinds: all the kinds there are, by name.
        chosen: which of them are asked, by turns: names, or one name; ``None`` for all.
        split: "train" or "test"; their questions come from different random streams.
        seed: another seed gives other questions.
        size: how many questions there are.
        difficulty: 1, 2 or 3.
        gold_slot_decay: see ``Draw``.
        max_images: the largest number of images in a question.
        max_pixels: the largest number of pixels in a picture.
    """

    def __init__(
        self,
        name: str,
        kinds: Mapping[str, Kind],
        *,
        chosen: str | Sequence[str] | None,
        split: str,
        seed: int,
        size: int,
        difficulty: int,
        gold_slot_decay: float,
        max_images: int,
        max_pixels: int,
    ):
        if split not in SPLITS:
            raise InputError(
                "unknown split", where="split", expected=f"one of {', '.join(SPLITS)}", got=split
            )
        if not is_whole(difficulty) or difficulty not in (1, 2, 3):
            raise InputError(
                "unknown difficulty", where="difficulty", expected="1, 2 or 3", got=difficulty
            )
        if not is_number(gold_slot_decay) or not 0 < gold_slot_decay <= 1:
            raise InputError("unusable decay", where="gold_slot_decay", expected="above 0, at most 1",
                             got=gold_slot_decay)  # fmt: skip
        check_whole(size, "size", 1)
        check_whole(seed, "seed", 0)
        self.name = name
        self.kinds = _chosen_kinds(kinds, chosen)
        self.split, self.seed, self.size = split, seed, size
        self.difficulty, self.gold_slot_decay = difficulty, gold_slot_decay
        self.max_images, self.max_pixels = max_images, max_pixels
        self._cache: OrderedDict[int, Question] = OrderedDict()

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Question:
        if not 0 <= index < self.size:
            raise IndexError(f"no question {index}, there are {self.size}")
        if index in self._cache:
            self._cache.move_to_end(index)
            return self._cache[index]
        question = self.make(index)
        self._cache[index] = question
        if len(self._cache) > _CACHED_QUESTIONS:
            self._cache.popitem(last=False)
        return question

    def make(self, index: int) -> Question:
        """Draw the question anew."""
        rng = np.random.default_rng([self.seed, SPLITS.index(self.split), index])
        kind = self.kinds[index % len(self.kinds)]
        question = kind.make(Draw(rng, self.difficulty, self.gold_slot_decay))
        object.__setattr__(question, "kind", kind.name)
        object.__setattr__(
            question, "key", f"{self.name}-{self.split}-{self.seed}-{index}-{kind.name}"
        )
        return question


def _chosen_kinds(kinds: Mapping[str, Kind], chosen: str | Sequence[str] | None) -> list[Kind]:
    """The kinds of these names, or of this one.

    Raises:
        InputError: an unknown name, or none.
    """
    if chosen is None:
        return list(kinds.values())
    names = [chosen] if isinstance(chosen, str) else chosen
    if not isinstance(names, Iterable) or not (names := list(names)):
        raise InputError("no kinds", where="kinds",
                         expected=f"some of {', '.join(kinds)}; all where it is left out", got=repr(chosen))  # fmt: skip
    for name in names:
        if name not in tuple(kinds):  # a tuple takes what no dictionary does
            raise InputError(
                "unknown kind", where="kinds", expected=nearest(str(name), kinds), got=repr(name)
            )
    return [kinds[name] for name in names]
