"""``perl-env eval``: a model's order-robustness on a task."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evals.command_arguments import Out, Split, Strict, TaskSettings, key_values
from evals.console import console, progress_display, quiet
from perl_env.errors import InputError

if TYPE_CHECKING:
    from agents.engines import Engine
    from perl_env.question import Question
    from perl_env.questions import QuestionSource


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
    split: Split = "test",
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
    strict: Strict = False,
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
        show_cost(model, questions, orders, repeats, seed, strict, max_new_tokens, instruction, out)
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
    out: Path,
) -> None:
    """Tell what an evaluation would ask for; of a model that is no folder the tokens are estimated.

    What lies in its folder already is not asked again, and not counted.
    """
    from evals.cost import expected_cost, processor_count
    from evals.plan import make_plan
    from evals.rows import place_of
    from evals.run_directory import read_rows

    plan = make_plan(questions, orders, repeats, seed, strict)
    there = {place_of(row) for row in read_rows(out)} & set(plan.places)
    if there:
        plan = dataclasses.replace(plan, requests=tuple(plan.without(there)))
        console.print(f"{len(there):,} replies lie in {out} already, which leaves",
                      markup=False, highlight=False)  # fmt: skip
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
    if "://" in model:
        raise InputError("an address is asked from one process", where="--ray",
                         expected="a model folder, or --engine-set concurrency=16 for more requests at once",
                         got=model)  # fmt: skip
    from agents.model_folder import model_folder
    from evals.sharding import RayShards, started_ray

    folder = model_folder(model)
    with started_ray(shards), RayShards(str(folder), shards, kind, settings) as sharded:
        yield sharded
