"""All that a report says, gathered before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from evals.gallery_data import Gallery, make_gallery
from evals.named_run import NamedRun
from evals.report_charts import Chart, order_charts, training_charts
from evals.report_tables import differences_frame, table_frames, unpaired_notes
from evals.run_names import distinct_runs
from evals.training_curves import TrainingRun, curves_frame
from perl_env.errors import InputError
from perl_env.question import Question

#: How many flipped questions of each run the gallery holds, where its size allows.
GALLERY_LIMIT = 1000


@dataclass(frozen=True)
class Report:
    """All that a report says, before it is written.

    Attributes:
        title: its heading.
        runs: the evaluations; the first is the one that the others are compared with.
        training: the training runs.
        tables: by name, see ``evals.report_tables``.
        differences: paired differences from the first run.
        unpaired: what could not be compared with the first run, and why, a sentence each.
        charts: plots of the evaluations.
        curves: plots of the training runs.
        gallery: the flipped questions.
    """

    title: str
    runs: tuple[NamedRun, ...]
    training: tuple[TrainingRun, ...]
    tables: Mapping[str, pd.DataFrame] = field(repr=False)
    differences: pd.DataFrame = field(repr=False)
    unpaired: tuple[str, ...] = field(repr=False)
    charts: tuple[Chart, ...] = field(repr=False)
    curves: tuple[Chart, ...] = field(repr=False)
    gallery: Gallery = field(repr=False)


def make_report(
    runs: Sequence[NamedRun],
    questions: Mapping[str, Question],
    title: str = "Order-robustness",
    gallery_limit: int = GALLERY_LIMIT,
    training: Sequence[TrainingRun] = (),
) -> Report:
    """Gather what a report says; see ``write_report``."""
    if not (runs or training):
        raise InputError("nothing to report", where="runs", expected="at least one run", got=0)
    runs = distinct_runs(runs)
    differences = differences_frame(runs)
    tables = table_frames(runs, differences)
    if training:
        tables["training"] = curves_frame(training)
    shown = [
        (run.name, run.table, questions if run.questions is None else run.questions) for run in runs
    ]
    return Report(
        title, tuple(runs), tuple(training), tables, differences,
        tuple(unpaired_notes(runs, differences)),
        tuple(order_charts(runs, differences)) if runs else (), tuple(training_charts(training, runs)),
        make_gallery(shown, gallery_limit),
    )  # fmt: skip
