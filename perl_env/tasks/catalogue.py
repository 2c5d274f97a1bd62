"""The published data sets, and their declarations as tables for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from perl_env.tasks.benchmark import Benchmark, SubTask
from perl_env.tasks.blink import BLINK
from perl_env.tasks.mantis_eval import MANTIS_EVAL
from perl_env.tasks.mantis_instruct import MANTIS_INSTRUCT
from perl_env.tasks.mathverse import MATHVERSE
from perl_env.tasks.mathvision import MATHVISION
from perl_env.tasks.mathvista import MATHVISTA
from perl_env.tasks.mmiu import MMIU
from perl_env.tasks.mmk12 import MMK12
from perl_env.tasks.mv_math import MV_MATH
from perl_env.tasks.remi import REMI

#: In the order of the paper's table, then what it trains on.
CATALOGUE = (
    MANTIS_EVAL, BLINK, MMIU, MATHVISTA, MATHVERSE, MATHVISION, REMI, MV_MATH, MANTIS_INSTRUCT, MMK12,
)  # fmt: skip

_BY_QUESTION = "by each question"


def overview() -> str:
    """Every data set: where it is from, how many questions, its classes, rule and licence."""
    return _table(
        ("task", "hub id, split, revision", "rows", "order classes as declared", "scoring rule", "licence"),
        (
            (
                f"`{each.task}`", _origin(each), f"{each.rows:,}" if each.rows else "not counted",
                _classes(each), f"`{each.rule}`" if each.rule else "–", each.licence,
            )
            for each in CATALOGUE
        ),
    )  # fmt: skip


def prompts() -> str:
    """Every data set: its published prompt, what is left out, where the facts are from."""
    return _table(
        ("task", "published prompt (`scoring=\"official\"`)", "left out", "source"),
        ((f"`{each.task}`", each.prompt, each.left_out, each.source) for each in CATALOGUE),
    )  # fmt: skip


def sub_tasks() -> str:
    """Every sub-task with its class and its number of rows."""
    return _table(
        ("task", "order class", "sub-tasks (rows)"),
        (
            (f"`{each.task}`", order_class, ", ".join(names))
            for each in CATALOGUE
            for order_class, names in _by_class(each).items()
        ),
    )


def _origin(benchmark: Benchmark) -> str:
    splits = ", ".join(
        ours if ours == hub else f"{ours} (the hub's {hub})"
        for ours, hub in benchmark.splits.items()
    )
    revision = benchmark.revision if benchmark.revision != "main" else "main, not pinned"
    return f"`{benchmark.hub_id}`, {splits}, {revision}"


def _class_of(sub_task: SubTask) -> str:
    return str(sub_task.order_class) if sub_task.order_class else _BY_QUESTION


def _classes(benchmark: Benchmark) -> str:
    """Classes with their rows where these are known, else with their sub-tasks."""
    parts = benchmark.sub_tasks.values()
    if all(part.rows is not None for part in parts):
        rows: Counter[str] = Counter()
        for part in parts:
            rows[_class_of(part)] += part.rows or 0
        return ", ".join(f"{name} {count:,}" for name, count in rows.most_common())
    found = Counter(_class_of(part) for part in parts)
    if len(found) == 1:
        return next(iter(found))
    return ", ".join(
        f"{name} in {count} sub-task{'s' * (count > 1)}" for name, count in found.most_common()
    )


def _by_class(benchmark: Benchmark) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, part in benchmark.sub_tasks.items():
        rows = f" ({part.rows:,})" if part.rows is not None else ""
        found.setdefault(_class_of(part), []).append(f"{name}{rows}")
    return found


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(head), "|---" * len(head) + "|", *map(line, rows)])
