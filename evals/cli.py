"""The one command, ``perl-env``. Heavy packages are imported by the subcommand that needs them.

Exit codes: 0 done; 2 the user's input is wrong (one line says what, where, expected, got); 1 a fault of
ours.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from evals.command_arguments import (
    ConfigFile,
    Out,
    Overrides,
    Split,
    Strict,
    TaskSettings,
    key_values,
)
from evals.console import console, plain, progress_display, quiet, training_display
from evals.errors import EvaluationStoppedError
from evals.eval_command import evaluate
from evals.prepare_command import prepare
from evals.tasks_path import tasks_path
from perl_env.errors import InputError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Multi-image questions in other orders: train on them, measure how much the order matters.",
)
#: The paper's table has eleven columns.
TABLE_WIDTH = 190


@app.command("list")
def list_tasks(
    task: Annotated[
        str | None, typer.Option(help="Show the first questions of this task or folder.")
    ] = None,
    split: Split = "test",
    limit: Annotated[int, typer.Option(min=1, help="How many questions.")] = 5,
    strict: Strict = False,
    stats: Annotated[
        bool, typer.Option("--stats", help="Count its questions, and list every row left out.")
    ] = False,
    task_settings: TaskSettings = None,
) -> None:
    """List the tasks, or a task's first questions and the rows that it left out."""
    from rich.table import Table

    from evals.task_statistics import show_statistics, tell_left_out
    from perl_env.registration import TASKS, load_source

    if task is None:
        table = Table("task", "what it asks")
        for each in TASKS.values():
            table.add_row(each.name, each.summary)
        console.print(table)
        return
    source = load_source(
        task,
        **{"split": split}
        | ({"strict": True} if strict else {})
        | key_values(task_settings, "--set"),
    )
    table = Table("index", "kind", "order class", "images", "question", "gold")
    for index in range(min(limit, len(source))):
        question = source[index]
        table.add_row(
            str(index), question.kind, str(question.order_class), str(len(question.images)),
            plain(question.text), plain(question.answer),
        )  # fmt: skip
    console.print(table)
    console.print(f"{len(source)} questions", highlight=False)
    if stats:
        show_statistics(console, source)
    tell_left_out(console, source, every=stats)


@app.command()
def train(
    config: ConfigFile,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for everything that is written.")
    ] = None,
    overrides: Overrides = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Count memory and operations, compare engine and learner; train and write nothing.",
        ),
    ] = False,
) -> None:
    """Train a model with GRPO through RLlib; the same command continues a run that was stopped."""
    import yaml

    quiet(rllib=True)
    from agents.run_config import config_from_dict, read_settings
    from agents.training import check_budget
    from agents.training import dry_run as compare_only
    from agents.training import train as run_training
    from evals.training_evaluation import with_order_robustness

    settings = read_settings(config, overrides or ())
    run = config_from_dict(with_order_robustness(settings))
    if dry_run:
        for line in check_budget(run).lines():
            console.print(line, markup=False, highlight=False)
        console.print(f"engine and learner agree\n{compare_only(run)}", markup=False, highlight=False)  # fmt: skip
        return
    if out is None:
        raise InputError("nowhere to write", where="--out", expected="a folder", got="nothing")
    with training_display(run.settings.steps) as show:
        model = run_training(run, out, show, config_text=yaml.safe_dump(settings, sort_keys=False))
    console.print(f"model: {model}", markup=False, highlight=False)


app.command("eval")(evaluate)


@app.command()
def report(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Folders of evaluations, the first the baseline, and of training runs for their curves."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The HTML file; of a table a .md or .csv file.")
    ] = None,
    exports: Annotated[
        Path | None,
        typer.Option(
            help="A folder for plots as PNG and SVG, tables as CSV, a model card's section."
        ),
    ] = None,
    table: Annotated[
        bool, typer.Option("--table", help="The paper's table: the runs beside published figures.")
    ] = False,
) -> None:
    """Write one HTML report about one or several evaluations, or print the paper's table with them."""
    if table:
        _paper_table(runs or [], out)
        return
    from evals.report import report_directories

    if not runs or out is None:
        raise InputError("nothing to report" if not runs else "no file to write",
                         where="RUNS" if not runs else "--out",
                         expected="at least one folder" if not runs else "an HTML file", got="none")  # fmt: skip
    written = report_directories(runs, out, exports)
    console.print(f"report: {written}", markup=False, highlight=False)
    if exports is not None:
        console.print(f"exports: {exports}", markup=False, highlight=False)


def _paper_table(runs: list[Path], out: Path | None) -> None:
    from evals.paper_table import notes, own_rows, published_rows, terminal_table, write_table

    rows = [*published_rows(), *own_rows(runs)]
    wide = Console(width=max(console.width, TABLE_WIDTH))
    wide.print(terminal_table(rows))
    for note in notes(rows):
        wide.print(note, markup=False, highlight=False)
    if out is not None:
        wide.print(f"table: {write_table(rows, out)}", markup=False, highlight=False)


@app.command()
def demo(
    out: Out,
    seed: Annotated[int, typer.Option(min=0, help="Of questions, orders and replies.")] = 1,
) -> None:
    """Measure the embedded model, train it with and without permutation, measure again."""
    quiet(rllib=True)
    from evals.demo import DemoSettings, run_demo
    from evals.demo_display import show_result

    with progress_display() as show:
        result = run_demo(out, DemoSettings(seed=seed), show)
    show_result(console, result)
    if not result.shown:
        raise typer.Exit(1)


app.command("prepare")(prepare)
app.command("tasks-path")(tasks_path)


def main() -> None:
    """Run the command; wrong input ends with one line and exit code 2."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # models are folders: nothing is looked up
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    try:
        app()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except EvaluationStoppedError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
