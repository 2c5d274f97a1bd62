"""The one command, ``perl-env``. Heavy packages are imported by the subcommand that needs them.

Exit codes: 0 done; 2 the user's input is wrong (one line says what, where, expected, got); 1 a fault of
ours.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from evals.errors import EvaluationStoppedError
from evals.prepare_command import prepare
from evals.tasks_path import tasks_path
from perl_env.errors import InputError

if TYPE_CHECKING:
    from agents.engines import Engine
    from perl_env.question import Question
    from perl_env.questions import QuestionSource

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Multi-image questions in other orders: train on them, measure how much the order matters.",
)
#: Tables of several models want more than the 80 columns that are assumed where there is no terminal.
console = Console(width=None if sys.stdout.isatty() else 120)

#: The paper's table has eleven columns.
TABLE_WIDTH = 190

app.command("tasks-path")(tasks_path)
app.command("prepare")(prepare)

TaskSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="An argument of the task, such as path=/data/blink; as often as needed."
    ),
]
Out = Annotated[Path, typer.Option("--out", help="Folder for everything that is written.")]


@app.command("list")
def list_tasks(
    task: Annotated[
        str | None, typer.Option(help="Show the first questions of this task or folder.")
    ] = None,
    split: Annotated[str, typer.Option(help="Split of the task.")] = "test",
    limit: Annotated[int, typer.Option(min=1, help="How many questions.")] = 5,
    strict: Annotated[
        bool, typer.Option("--strict", help="An unusable or malformed row is an error.")
    ] = False,
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
            _plain(question.text), _plain(question.answer),
        )  # fmt: skip
    console.print(table)
    console.print(f"{len(source)} questions", highlight=False)
    if stats:
        show_statistics(console, source)
    tell_left_out(console, source, every=stats)


@app.command()
def train(
    config: Annotated[
        Path, typer.Argument(help="YAML file; its first comment says how it is run.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for everything that is written.")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="section.key=value, as often as needed.")
    ] = None,
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


@app.command("eval")
def evaluate(
    model: Annotated[
        str,
        typer.Option(help='A Hugging Face folder, "embedded", or http://address/v1#model.'),
    ],
    task: Annotated[
        str,
        typer.Option(
            help='A task, a folder with questions.jsonl, or a mixture: "perl/Shapes-v0: 22, my_data: 36".'
        ),
    ],
    out: Out,
    orders: Annotated[int, typer.Option(min=1, help="In how many orders a question is asked.")] = 6,
    repeats: Annotated[
        int, typer.Option(min=1, help="How often each order; 2 or more give the noise floor.")
    ] = 2,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many questions.")] = None,
    split: Annotated[str, typer.Option(help="Split of the task.")] = "test",
    temperature: Annotated[float, typer.Option(min=0, help="Of the sampler; 0 is greedy.")] = 1.0,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Where a reply is cut.")] = 2048,
    instruction: Annotated[
        str | None,
        typer.Option(
            help="Last line of every prompt; by default the benchmark's own, else the paper's."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of questions, orders and replies.")] = 0,
    scoring: Annotated[
        str | None,
        typer.Option(help="Of a benchmark: official (its published rule) or strict (ours)."),
    ] = None,
    engine_kind: Annotated[
        str,
        typer.Option(
            "--engine", help='What generates: "transformers" or "vllm"; an address says it itself.'
        ),
    ] = "transformers",
    engine_settings: Annotated[
        list[str] | None,
        typer.Option(
            "--engine-set", help="An engine's setting as key=value, such as concurrency=16."
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="A question that cannot be used is an error.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what it would cost; ask and write nothing.")
    ] = False,
    ray: Annotated[
        int, typer.Option(min=0, help="Share the work among so many copies of the model over Ray.")
    ] = 0,
    name: Annotated[
        str, typer.Option(help="What reports call the run; by default the model's name.")
    ] = "",
    task_settings: TaskSettings = None,
) -> None:
    """Measure a model's order-robustness; the same command continues a run that was stopped."""
    quiet()
    from agents.engines import WITHOUT_EFFECT, SamplingParams
    from evals.harness import run_evaluation
    from evals.report import summary_table
    from evals.task_statistics import reasons_left_out, tell_left_out
    from perl_env.registration import load_source

    where = {"task": task, "split": split, "seed": seed}
    where |= ({} if scoring is None else {"scoring": scoring}) | key_values(task_settings, "--set")
    source = load_source(**where, **({"strict": True} if strict and Path(task).is_dir() else {}))  # type: ignore[arg-type]
    if hasattr(source, "excluded"):
        tell_left_out(console, source)
    questions, tasks = questions_and_tasks(source, limit)
    if dry_run:
        show_cost(model, questions, orders, repeats, seed, strict, max_new_tokens, instruction)
        return
    given = key_values(engine_settings, "--engine-set")
    settings = {"max_images": source.max_images, **given}
    with (
        progress_display() as show,
        evaluation_engine(model, ray, engine_kind, settings) as engine,
    ):
        result = run_evaluation(
            engine, questions, out, orders=orders, repeats=repeats,
            sampling=SamplingParams(temperature, max_new_tokens, seed), instruction=instruction, seed=seed,
            progress=lambda done, total: show("replies", done, total),
            model=model, name=name, task=task, tasks=tasks, questions_from=where | {"limit": limit},
            rows_left_out=reasons_left_out(source), strict=strict,
            engine_settings={name: value for name, value in given.items() if name not in WITHOUT_EFFECT},
        )  # fmt: skip
    console.print(summary_table(result.with_tasks()))
    console.print(f"report: {out / 'report.html'}", markup=False, highlight=False)


def questions_and_tasks(
    source: QuestionSource, limit: int | None
) -> tuple[list[Question], dict[str, str]]:
    """The first questions of a source and, where it mixes several tasks, each one's by its key."""
    from perl_env.registration import first_questions

    found = first_questions(source, limit)
    task_of = getattr(source, "task_of", None)
    tasks = {question.key: task_of(index) for index, question in found.items()} if task_of else {}
    return list(found.values()), tasks


def show_cost(
    model: str,
    questions: Sequence[Question],
    orders: int,
    repeats: int,
    seed: int,
    strict: bool,
    max_new_tokens: int,
    instruction: str | None,
) -> None:
    """Tell what an evaluation would ask for; of a model that is no folder the tokens are estimated."""
    from evals.cost import expected_cost, processor_count
    from evals.plan import make_plan

    plan = make_plan(questions, orders, repeats, seed, strict)
    count = None if "://" in model else processor_count(model)
    cost = expected_cost(plan, max_new_tokens, instruction, count)
    left_out = f", {cost.excluded:,} more left out as unsound" if cost.excluded else ""
    for line in (
        f"{cost.questions:,} questions{left_out}",
        f"{cost.requests:,} questions in an order, {cost.replies:,} replies",
        f"{cost.pictures:,} pictures",
        f"{cost.prompt_tokens:,} prompt tokens ({cost.counted})",
        f"{cost.reply_tokens:,} reply tokens at most",
    ):
        console.print(line, highlight=False)


def key_values(pairs: Sequence[str] | None, option: str) -> dict[str, Any]:
    """Settings that were given as key=value; a value is read as YAML.

    Args:
        pairs: what was given.
        option: by which option, for the error.

    Raises:
        InputError: one is no such pair.

    >>> key_values(["path=/data/blink", "sub_tasks=[Jigsaw]"], "--set")
    {'path': '/data/blink', 'sub_tasks': ['Jigsaw']}
    """
    import yaml

    found: dict[str, Any] = {}
    for pair in pairs or ():
        key, equals, value = pair.partition("=")
        if not (key and equals):
            raise InputError("no setting", where=option, expected="key=value", got=repr(pair))
        try:
            found[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(
                "value is no YAML", where=f"{option} {key}", expected="key=value", got=repr(value)
            ) from error
    return found


@contextmanager
def evaluation_engine(
    model: str, shards: int, kind: str, settings: dict[str, Any]
) -> Iterator[Engine]:
    """The engine of a model, or several copies of it over Ray, closed afterwards."""
    from agents.engines import make_engine

    if not shards:
        engine = make_engine(model, kind, **settings)
        try:
            yield engine
        finally:
            engine.close()
        return
    from agents.model_folder import model_folder
    from evals.sharding import RayShards, started_ray

    folder = model_folder(model)
    with started_ray(shards), RayShards(str(folder), shards, kind, settings) as sharded:
        yield sharded


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
        pass

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    logging.getLogger("ray.rllib").setLevel(logging.ERROR)


def _plain(text: str, limit: int = 60) -> str:
    """Text of a data set, safe to show: one line, no markup, no control characters."""
    from rich.markup import escape

    clean = "".join(c if c.isprintable() else " " for c in text)
    return escape(clean if len(clean) <= limit else clean[: limit - 1] + "…")


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
