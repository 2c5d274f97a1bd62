"""What is in a task: counts by sub-task, order class and number of images, and every row left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from perl_env.permutation import count_orders
from perl_env.question import Question
from perl_env.questions import QuestionSource

#: How many rows are listed where all were not asked for.
MOST_LISTED = 20


def show_statistics(console: Console, source: QuestionSource) -> None:
    """Tables of a task's questions; of a data set nothing is decoded for them."""
    outlines = getattr(source, "outlines", None)
    questions: Iterable[Question] = (
        outlines() if outlines is not None else (source[index] for index in range(len(source)))
    )
    counts = [Counter[str]() for _ in range(4)]
    for question in questions:
        movable = "other orders, too" if count_orders(question) > 1 else "the canonical order only"
        for count, value in zip(
            counts,
            (question.kind, str(question.order_class), str(len(question.images)), movable),
            strict=True,
        ):
            count[value] += 1
    for title, count in zip(("sub-task", "order class", "images", "asked in"), counts, strict=True):
        _show(console, title, count)
    for kind in ("excluded", "malformed"):
        rows = getattr(source, kind, ())
        _show(console, f"{kind}, because", Counter(row.what for row in rows))
    total = getattr(source, "rows", None)
    if total is not None:
        left_out = f"{len(source.excluded)} excluded + {len(source.malformed)} malformed"  # type: ignore[attr-defined]
        console.print(f"{len(source)} loaded + {left_out} = {total} rows", highlight=False)


def _show(console: Console, title: str, counts: Counter[str]) -> None:
    if not counts:
        return
    table = Table(title, "questions" if "because" not in title else "rows")
    whole_numbers = all(value.isdigit() for value in counts)
    order = sorted(counts, key=int) if whole_numbers else [value for value, _ in counts.most_common()]  # fmt: skip
    for value in order:
        table.add_row(value or "–", f"{counts[value]:,}")
    console.print(table)


def reasons_left_out(source: object) -> dict[str, int]:
    """How many rows a data set left out, by reason, the most frequent first."""
    rows = (*getattr(source, "excluded", ()), *getattr(source, "malformed", ()))
    return dict(Counter(row.reason for row in rows).most_common())


def tell_left_out(console: Console, source: object, every: bool = False) -> None:
    """Count and list the rows that a data set left out.

    Args:
        console: where to.
        source: a source of questions, whether or not it has left any out.
        every: list all of them, not only the first.
    """
    excluded: Sequence = getattr(source, "excluded", ())
    malformed: Sequence = getattr(source, "malformed", ())
    console.print(f"{len(excluded) + len(malformed)} rows left out", highlight=False)
    listed = [("", row) for row in excluded] + [("malformed: ", row) for row in malformed]
    for mark, row in listed if every else listed[:MOST_LISTED]:
        console.print(f"  {row.place}: {mark}{row.reason}", markup=False, highlight=False)
    if not every and len(listed) > MOST_LISTED:
        console.print(f"  … and {len(listed) - MOST_LISTED} more, see: perl-env list --task … --stats",
                      markup=False, highlight=False)  # fmt: skip
