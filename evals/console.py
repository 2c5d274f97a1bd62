"""What the commands show while they work: bars, tables, plain lines where there is no terminal."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

#: Tables of several models want more than the 80 columns that are assumed where there is no terminal.
console = Console(width=None if sys.stdout.isatty() else 120)

Show = Callable[[str, int, int], None]


@contextmanager
def progress_display() -> Iterator[Show]:
    """Bars in a terminal, a line now and then elsewhere."""
    if not console.is_terminal:
        yield _plain_progress()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, int] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done)  # type: ignore[arg-type]

        yield show


def _plain_progress() -> Show:
    """Prints a stage at each fifth of the way."""
    shown: dict[str, int] = {}

    def show(stage: str, done: int, total: int) -> None:
        fifth = done * 5 // max(total, 1)
        if fifth > shown.get(stage, -1):
            shown[stage] = fifth
            print(f"{stage}: {done} of {total}", flush=True)

    return show


#: What the training display shows of a step's metrics: name there, name here.
TRAINING_COLUMNS = {
    "env_runners/episode_return_mean": "reward",
    "env_runners/accuracy": "accuracy",
    "groups/dropped_share": "dropped",
    "learners/default_policy/loss": "loss",
    "learners/default_policy/entropy": "entropy",
    "learners/default_policy/grad_norm": "gradient norm",
    "env_runners/reply_tokens": "reply tokens",
}


@contextmanager
def training_display(steps: int) -> Iterator[Callable]:
    """A live table in a terminal, one line a step elsewhere."""
    if not console.is_terminal:

        def line(step: int, metrics) -> None:
            values = (
                f"{label} {metrics[name]:.4g}"
                for name, label in TRAINING_COLUMNS.items()
                if name in metrics
            )
            print(f"step {step} of {steps}: " + ", ".join(values), flush=True)

        yield line
        return
    from rich.live import Live
    from rich.table import Table

    rows: list[list[str]] = []

    def table() -> Table:
        shown = Table("step", *TRAINING_COLUMNS.values(), title=f"training, {steps} steps")
        for row in rows[-12:]:
            shown.add_row(*row)
        return shown

    with Live(table(), console=console, refresh_per_second=4) as live:

        def row(step: int, metrics) -> None:
            values = (
                f"{metrics[name]:.4g}" if name in metrics else "–" for name in TRAINING_COLUMNS
            )
            rows.append([str(step), *values])
            live.update(table())

        yield row


def quiet(rllib: bool = False) -> None:
    """Keep the libraries' own progress bars and advice out of ours."""
    import transformers

    if rllib:
        import ray.rllib  # noqa: F401 - it sets the level of its log when it is imported

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    logging.getLogger("ray.rllib").setLevel(logging.ERROR)


def plain(text: str, limit: int = 60) -> str:
    """Text of a data set, safe to show: one line, no markup, no control characters."""
    from rich.markup import escape

    clean = "".join(c if c.isprintable() else " " for c in text)
    return escape(clean if len(clean) <= limit else clean[: limit - 1] + "…")
