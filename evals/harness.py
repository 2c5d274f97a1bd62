"""Asks a model every question in several orders, several times each, and tabulates its replies."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from agents.engines.base import Engine, Prompt, Reply, SamplingParams
from agents.engines.partial import PartialRepliesError
from evals.comparison import compare
from evals.errors import EngineFailedError, EvaluationStoppedError
from evals.many_calls import ManyCalls
from evals.model_fingerprint import model_fingerprint
from evals.plan import Excluded, Place, Request, make_plan, questions_digest, stable_hash
from evals.refusals import checked, is_refused
from evals.rows import make_row, place_of
from evals.run_directory import REPORT, RunDirectory
from evals.summary import Summary, summarize
from evals.table import Row, build_table, order_text
from perl_env.errors import InputError
from perl_env.prompts import question_text
from perl_env.question import Question

if TYPE_CHECKING:
    from evals.report import NamedRun

Progress = Callable[[int, int], None]

DEFAULT_SAMPLING = SamplingParams()


@dataclass(frozen=True)
class EvaluationResult:
    """The replies of one model to a set of questions.

    Attributes:
        name: the model's name in reports.
        table: one row a reply, see ``evals.table.COLUMNS``.
        questions: the questions asked, by key, in canonical order.
        excluded: questions that could not be asked soundly in other orders; they have no rows.
        config: how the run was made, as it stands in its folder; empty where it has none.
    """

    name: str
    table: pd.DataFrame
    questions: Mapping[str, Question] = field(repr=False)
    excluded: tuple[Excluded, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def metrics(self) -> Summary:
        """Every metric with its interval; ``result.metrics["flip_rate"].value``."""
        return summarize(self.table)

    def compare(self, other: EvaluationResult) -> pd.DataFrame:
        """Paired differences to another run on the same questions, this one minus the other."""
        return compare(self.table, other.table)

    def as_run(self) -> NamedRun:
        """The run as reports and terminal tables take it."""
        from evals.report import NamedRun

        return NamedRun(self.name, self.table, self.metrics, len(self.excluded), self.config)

    def with_tasks(self) -> list[NamedRun]:
        """The run and, where it is over several tasks, its part on each of them as a run of its own."""
        from evals.report import NamedRun

        parts = list(self.table.groupby("task", sort=True))
        return [self.as_run()] + [
            NamedRun(str(task), part, summarize(part)) for task, part in parts if len(parts) > 1
        ]

    def report(self, path: str | Path) -> Path:
        """Write an HTML report of this run and return its path."""
        from evals.report import write_report

        return write_report([self.as_run()], self.questions, path)


def evaluate(
    engine: Engine,
    questions: Sequence[Question],
    orders: int = 6,
    repeats: int = 2,
    sampling: SamplingParams = DEFAULT_SAMPLING,
    instruction: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    *,
    task: str | Mapping[str, str] = "",
    name: str = "",
    prompts_per_call: int = 64,
    strict: bool = False,
) -> EvaluationResult:
    """Ask every question in several orders and grade the replies.

    The orders depend on ``seed`` and the question's key alone, so every model gets the same ones.

    Args:
        engine: what answers.
        questions: in canonical order, each with a key of its own (or none at all: then numbered).
        orders: at most this many orders a question, the canonical one first.
        repeats: how often each order is asked; 2 or more give the noise floor.
        sampling: how replies are drawn.
        instruction: the last line of every prompt; by default a question's own, else the paper's.
        seed: of the orders, and of each prompt's random stream.
        progress: called with the replies there are and the replies there will be.
        task: what to write into the table's column ``task``; of a mixture, each question's by its key.
        name: the run's name in reports; the engine's by default.
        prompts_per_call: how many prompts the engine is given at a time.
        strict: an error instead of an exclusion where a question cannot be rewritten soundly.

    Raises:
        InputError: no questions, two questions with one key, too few orders or repeats.
        EngineFailedError: the engine raised something.
    """
    plan = make_plan(questions, orders, repeats, seed, strict)
    rows: dict[Place, Row] = {}
    asked = ask(engine, plan.requests, sampling, instruction, seed, task, prompts_per_call)
    places = plan.places
    for chunk in asked:
        rows.update((place_of(row), row) for row in chunk)
        if progress:
            progress(len(rows), len(places))
    table = build_table(rows[place] for place in places)
    return EvaluationResult(name or engine.name, table, plan.questions, plan.excluded)


def run_name(model: str, engine: Engine) -> str:
    """What a run is called that was given no name: the model's, without where it lies."""
    if "://" in model:
        return (served_model(engine) or model.partition("#")[2] or model).rpartition("/")[2]
    return Path(model).name or engine.name


def served_model(engine: Engine) -> str | None:
    """The model that answers at an address, as it was found out; None for other engines."""
    model = getattr(engine, "model", None)
    return model if isinstance(model, str) else None


def run_evaluation(
    engine: Engine,
    questions: Sequence[Question],
    out_dir: str | Path,
    orders: int = 6,
    repeats: int = 2,
    sampling: SamplingParams = DEFAULT_SAMPLING,
    instruction: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    *,
    model: str = "",
    task: str = "",
    tasks: Mapping[str, str] | None = None,
    name: str = "",
    questions_from: Mapping[str, Any] | None = None,
    rows_left_out: Mapping[str, int] | None = None,
    engine_settings: Mapping[str, Any] | None = None,
    prompts_per_call: int = 64,
    strict: bool = False,
    report: bool = True,
) -> EvaluationResult:
    """``evaluate`` into a folder, where every reply is kept as it comes.

    A run that was stopped goes on where it was, and asks nothing twice.

    Args:
        engine: what answers.
        questions: see ``evaluate``, as all arguments that are not named here.
        out_dir: the folder; nothing is written elsewhere.
        orders: at most this many orders a question.
        repeats: how often each order is asked.
        sampling: how replies are drawn.
        instruction: the last line of every prompt; by default a question's own, else the paper's.
        seed: of the orders and random streams.
        progress: called with the replies there are, earlier ones included, and their total.
        model: folder or address of the model, for the record.
        task: what to write into the table's column ``task``.
        tasks: of a mixture, each question's task by its key, for that column.
        name: the run's name in reports; the last part of ``model`` by default.
        questions_from: the arguments of ``perl_env.load_questions`` that gave the questions, from
            which a later report gets their pictures.
        rows_left_out: of the data, by reason, for the record.
        engine_settings: those that replies depend on; a run is not continued with others.
        prompts_per_call: how many prompts the engine is given at a time.
        strict: an error instead of an exclusion.
        report: also write ``report.html``.

    Raises:
        InputError: see ``evaluate`` and ``evals.run_directory.RunDirectory``.
        EvaluationStoppedError: the engine failed; what it had answered is kept.
    """
    plan = make_plan(questions, orders, repeats, seed, strict)
    name = name or run_name(model, engine)
    config = {
        "name": name, "model": model or engine.name, "model_fingerprint": model_fingerprint(model) if model else None, "engine": engine.name, "task": task,
        "seed": seed, "orders": orders, "repeats": repeats,
        "sampling": dataclasses.asdict(sampling), "instruction": instruction,
        "questions": len(questions), "questions_digest": questions_digest(questions),
        "questions_from": dict(questions_from or {}), "planned_replies": len(plan.places),
        "served_model": served_model(engine), "engine_settings": dict(engine_settings or {}) or None,
    }  # fmt: skip
    with RunDirectory(out_dir, config) as directory:
        rows = {place_of(row): row for row in directory.rows}
        places = plan.places
        missing = plan.without(rows)
        try:
            for chunk in ask(
                engine,
                missing,
                sampling,
                instruction,
                seed,
                tasks or task,
                prompts_per_call,
                works=not all(map(is_refused, rows.values())),
            ):
                directory.append(chunk)
                rows.update((place_of(row), row) for row in chunk)
                if progress:
                    progress(len(rows), len(places))
        except EngineFailedError as error:
            raise EvaluationStoppedError(
                f"{error}. {len(rows)} of {len(places)} replies lie in {directory.path}; the same "
                "command asks the others"
            ) from error
        table = build_table(rows[place] for place in places)
        result = EvaluationResult(name, table, plan.questions, plan.excluded, directory.config)
        excluded = [dataclasses.asdict(question) for question in plan.excluded]
        directory.write_results(
            {"rows_left_out": dict(rows_left_out or {}), "excluded": excluded}
            | result.metrics.as_json()
        )
        if report:
            result.report(directory.path / REPORT)
    return result


def ask(
    engine: Engine,
    requests: Sequence[Request],
    sampling: SamplingParams,
    instruction: str | None,
    seed: int,
    task: str | Mapping[str, str] = "",
    prompts_per_call: int = 64,
    works: bool = False,
) -> Iterator[list[Row]]:
    """The rows of the table, some prompts at a time; the repeats of an order come together.

    Each prompt has a random stream of its own, made of seed, question, order and first repeat, so
    that replies do not depend on what else is asked in the same call, nor on who answers.

    Args:
        engine: what answers.
        requests: what is asked.
        sampling: how replies are drawn.
        instruction: the last line of every prompt, as for ``evaluate``.
        seed: of the random streams.
        task: for the column ``task``, as for ``evaluate``.
        prompts_per_call: how many prompts the engine is given at a time.
        works: whether the engine has answered requests before, see ``evals.refusals``.

    Raises:
        InputError: an endpoint refuses everything.
        EngineFailedError: the engine raised something; what it had answered by then was yielded.
    """
    calls = _Calls(requests, prompts_per_call, instruction, seed)
    counts = [[len(request.repeats) for request in chunk] for chunk in calls.chunks]
    found = _rows(engine, calls, counts, sampling, task)
    answered = 0
    try:
        for rows in checked(found, requests, works):
            answered += len(rows)
            yield rows
    except _CallFailedError as error:
        raise EngineFailedError(answered, sum(map(sum, counts)), error.__cause__) from error.__cause__  # fmt: skip


def _rows(
    engine: Engine,
    calls: _Calls,
    counts: Sequence[Sequence[int]],
    sampling: SamplingParams,
    task: str | Mapping[str, str],
) -> Generator[list[Row]]:
    """The rows of what the engine answers, as it comes."""
    for number, replies in _answers(engine, calls, counts, sampling):
        yield [
            make_row(request.key, request.question, repeat, reply, task)
            for request, found in zip(calls.chunks[number], replies, strict=True)
            for repeat, reply in zip(request.repeats, found or (), strict=found is not None)
        ]


class _CallFailedError(Exception):
    """Tells an engine's own exception from those of whoever takes the rows."""


#: One call's replies, prompt by prompt; ``None`` where a failing engine has none.
_Replies = Sequence[Sequence[Reply] | None]


def _answers(
    engine: Engine,
    calls: Sequence[Sequence[Prompt]],
    counts: Sequence[Sequence[int]],
    sampling: SamplingParams,
) -> Iterator[tuple[int, _Replies]]:
    """The number of a call and its replies, in whatever order the calls are answered."""
    try:
        if isinstance(engine, ManyCalls):
            yield from engine.answer(calls, counts, sampling)
            return
        for number, (prompts, repeats) in enumerate(zip(calls, counts, strict=True)):
            try:
                replies: _Replies = engine.generate(prompts, repeats, sampling)
            except PartialRepliesError as error:
                yield number, error.replies
                raise (error.__cause__ or error) from None
            yield number, replies
    except (InputError, GeneratorExit):
        raise
    except Exception as error:
        raise _CallFailedError from error


class _Calls(Sequence[list[Prompt]]):
    """The prompts of each call, made when they are wanted."""

    def __init__(self, requests: Sequence[Request], size: int, instruction: str | None, seed: int):
        self.chunks = [requests[start : start + size] for start in range(0, len(requests), size)]
        self._instruction, self._seed = instruction, seed

    def __len__(self) -> int:
        return len(self.chunks)

    def __getitem__(self, number):
        return [self._prompt(request) for request in self.chunks[number]]

    def _prompt(self, request: Request) -> Prompt:
        order = order_text(request.question.order)
        return Prompt(
            images=request.question.images,
            text=question_text(request.question, self._instruction),
            seed=stable_hash(self._seed, request.key, order, request.repeats[0]),
        )


def merge(results: Sequence[EvaluationResult], name: str = "") -> EvaluationResult:
    """The results of one model on several tasks as one; the parts stay apart by ``task``.

    Each question's key is preceded by its task, since tasks may use the same keys.

    Raises:
        InputError: two results hold the same question of the same task.
    """
    questions: dict[str, Question] = {}
    excluded: list[Excluded] = []
    tables = []
    for result in results:
        tasks = result.table.drop_duplicates("question").set_index("question")["task"]
        keys = {key: f"{tasks[key]}/{key}" for key in result.questions}
        shared = questions.keys() & keys.values()
        if shared:
            raise InputError("results share questions", where="merge",
                             expected="different questions in each", got=min(shared))  # fmt: skip
        questions.update((keys[key], question) for key, question in result.questions.items())
        excluded.extend(result.excluded)
        tables.append(result.table.assign(question=result.table["question"].map(keys)))
    table = pd.concat(tables, ignore_index=True)
    config = {
        key: value
        for key, value in results[0].config.items()
        if all(result.config.get(key) == value for result in results)
    }
    return EvaluationResult(name or results[0].name, table, questions, tuple(excluded), config)
