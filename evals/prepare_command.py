"""``perl-env prepare``: the curation of ``perl_env`` with the engines of ``agents``."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evals.command_arguments import ConfigFile, Out, Overrides
from evals.console import console, progress_display, quiet
from perl_env.errors import InputError

if TYPE_CHECKING:
    from agents.engines.base import Engine, Prompt, SamplingParams
    from perl_env.curation import Ask, ModelSettings, Report, Sampling

#: How many prompts an engine that answers whole calls is given at a time.
_PROMPTS_PER_CALL = 64


def prepare(
    config: ConfigFile,
    out: Out,
    overrides: Overrides = None,
) -> None:
    """Make training data: filter, rephrase, measure, label; the same command goes on after a stop."""
    from agents.run_config import read_settings
    from evals.errors import EvaluationStoppedError
    from evals.prepare_report import show_report, write_report
    from perl_env.curation import prepare as run
    from perl_env.curation import settings_from_dict

    settings = settings_from_dict(read_settings(config, overrides or ()))
    try:
        with progress_display() as show:
            report = run(settings, out, make_model, show)
    except InputError:
        raise
    except RuntimeError as error:  # an endpoint that is gone, memory that is spent
        raise EvaluationStoppedError(
            f"{error}. What was answered lies in {out}; the same command asks the rest"
        ) from error
    show_report(console, report)
    console.print(f"report: {write_report(report, out)}", markup=False, highlight=False)
    if report.waiting:
        console.print(f"{report.waiting} questions wait for a person in {out / 'labels.jsonl'}",
                      markup=False, highlight=False)  # fmt: skip
    _tell_data_set(report)


def _tell_data_set(report: Report) -> None:
    if report.dataset is None:
        raise InputError("no question is left", where="prepare", expected="at least one", got="none")  # fmt: skip
    console.print(f"data set: {report.dataset}", markup=False, highlight=False)


def make_model(described: ModelSettings) -> EngineModel:
    """The model that a stage asks."""
    from agents.engines import make_engine
    from evals.model_fingerprint import model_fingerprint

    if "://" not in described.model:
        quiet()
    engine = make_engine(described.model, described.engine, **described.settings)
    # An endpoint's model is known by its own name, so that the address may change.
    name = getattr(engine, "model", None) if engine.name == "openai" else None
    name = name or f"{Path(described.model).name} {model_fingerprint(described.model)}"
    return EngineModel(engine, name)


class EngineModel:
    """An engine as the curation asks it: answers one by one, as they come.

    Args:
        engine: what answers.
        name: what tells it from other models.
    """

    def __init__(self, engine: Engine, name: str):
        self.engine, self.name = engine, name

    def close(self) -> None:
        """Close the engine."""
        self.engine.close()

    def stream(
        self, asks: Iterable[Ask], sampling: Sampling
    ) -> Iterator[tuple[int, Sequence[str]]]:
        """See ``perl_env.curation.Model``."""
        from agents.engines.base import SamplingParams

        params = SamplingParams(sampling.temperature, sampling.max_new_tokens)
        if hasattr(self.engine, "stream"):
            one, other = itertools.tee(asks)
            counts = (ask.count for ask in other)
            for number, replies in self.engine.stream(map(_prompt, one), counts, params):
                yield number, [reply.text for reply in replies]
        else:
            yield from self._call_by_call(asks, params)

    def _call_by_call(
        self, asks: Iterable[Ask], params: SamplingParams
    ) -> Iterator[tuple[int, Sequence[str]]]:
        coming, first = iter(asks), 0
        while chunk := list(itertools.islice(coming, _PROMPTS_PER_CALL)):
            found = self.engine.generate(
                [_prompt(ask) for ask in chunk], [ask.count for ask in chunk], params
            )
            for number, replies in enumerate(found, start=first):
                yield number, [reply.text for reply in replies]
            first += len(chunk)


def _prompt(ask: Ask) -> Prompt:
    from agents.engines.base import Prompt

    return Prompt(ask.images, ask.text, ask.seed)
