"""What entered and left each stage and why, and how the questions look before and after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from perl_env.curation.outcome import Outcome

_SIDES = (64, 128, 256, 512, 1024, 2048, 4096)


@dataclass(frozen=True)
class StageAccount:
    """One stage in figures.

    Attributes:
        name: of the stage.
        entered: how many questions came.
        left: how many went on.
        dropped: why the others did not, with their number.
        done: what was done with those that went on, with their number.
    """

    name: str
    entered: int
    left: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    done: Mapping[str, int] = field(default_factory=dict)


def account(name: str, outcomes: Sequence[Outcome]) -> StageAccount:
    """The figures of a stage."""
    dropped = Counter(one.reason for one in outcomes if not one.kept)
    done = Counter(one.reason for one in outcomes if one.kept and one.reason)
    return StageAccount(
        name, len(outcomes), sum(one.kept for one in outcomes), _sorted(dropped), _sorted(done)
    )


class Portrait(Protocol):
    """What a histogram counts of a question; ``survey.Facts`` is one."""

    @property
    def order_class(self) -> str:
        """What another order does."""

    @property
    def gold(self) -> str:
        """Where the gold stands."""

    @property
    def kind(self) -> str:
        """The sub-task."""

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """Width and height of each picture."""


def histograms(questions: Iterable[Portrait]) -> dict[str, dict[str, int]]:
    """How many questions there are of each sort; pictures count one by one for their sizes."""
    counts: dict[str, Counter[str]] = {
        name: Counter() for name in ("images", "order class", "gold", "kind", "longer side")
    }
    for question in questions:
        counts["images"][str(len(question.sizes))] += 1
        counts["order class"][question.order_class] += 1
        counts["gold"][question.gold] += 1
        counts["kind"][question.kind or "–"] += 1
        for size in question.sizes:
            counts["longer side"][_side(max(size))] += 1
    return {name: _in_order(name, counter) for name, counter in counts.items()}


def difficulties(accuracies: Iterable[float]) -> dict[str, int]:
    """How many questions there are of each measured accuracy, to a tenth."""
    counter = Counter(f"{accuracy:.1f}" for accuracy in accuracies)
    return {name: counter[name] for name in sorted(counter)}


def _side(side: int) -> str:
    return next((f"≤ {limit}" for limit in _SIDES if side <= limit), f"> {_SIDES[-1]}")


def _in_order(name: str, counter: Counter[str]) -> dict[str, int]:
    sides = [f"≤ {limit}" for limit in _SIDES] + [f"> {_SIDES[-1]}"]
    orders: Mapping[str, Callable[[str], Any]] = {
        "images": int, "gold": lambda k: (k == "open", k), "longer side": sides.index,
    }  # fmt: skip
    by = orders.get(name)
    return {k: counter[k] for k in sorted(counter, key=by)} if by else _sorted(counter)


def _sorted(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))
