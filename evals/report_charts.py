"""Which plots a report has, and what each shows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from evals.chart_style import colour_class
from evals.charts import Series, difference_chart, disagreement_chart, slot_chart
from evals.named_run import NamedRun
from evals.statistics import Estimate
from evals.training_curves import CURVES, TrainingRun, curve_chart


@dataclass(frozen=True)
class Chart:
    """A plot.

    Attributes:
        title: stands above it.
        svg: the plot.
        legend: the runs' names, in the order of their colours; none where the plot names them itself.
        text: stands below it: how it is read.
        colours: the number of each colour in the legend; by default 0, 1, 2 …
    """

    title: str
    svg: Markup
    legend: tuple[str, ...]
    text: str
    colours: tuple[int, ...] = ()

    @property
    def entries(self) -> list[tuple[str, str]]:
        """The legend: each name with its colour's class."""
        numbers = self.colours or range(len(self.legend))
        return [(name, colour_class(i)) for name, i in zip(self.legend, numbers, strict=True)]

    @property
    def file_name(self) -> str:
        """The title as the stem of a file's name.

        >>> Chart("Held out: Flip rate", Markup(), (), "").file_name
        'held_out_flip_rate'
        """
        return re.sub(r"[^a-z0-9]+", "_", self.title.lower()).strip("_")


def order_charts(runs: Sequence[NamedRun], differences: pd.DataFrame) -> list[Chart]:
    """The plots of evaluations; those for which there is nothing to show are left out."""
    names = tuple(run.name for run in runs)
    slots = [
        Series(run.name, {slot + 1: e for slot, e in run.metrics.gold_slots.items()})
        for run in runs
    ]
    charts = [
        Chart(
            "Order effect against noise floor",
            disagreement_chart(
                [(run.name, run.metrics) for run in runs],
                "disagreement within one order and across orders",
            ),
            (),
            "Grey: how often two replies to the same order disagree, the model's own noise. Coloured: "
            "what a different order adds, with its 95 % interval. Hatched: noise not measured.",
        ),
        Chart(
            "Accuracy by slot of the gold",
            slot_chart(slots, "accuracy by the slot of the picture that the gold denotes"),
            names,
            "For questions whose answer is one of the images: how often it is found when it stands in each "
            "slot. Without order bias the line is flat; late slots exist only in questions with many images.",
        ),
        Chart(
            "Slots that were chosen",
            slot_chart(*_choices(runs, "choices", "how often each slot is chosen")),
            names,
            "How often the replies name the image in each slot. Dashed: how often the gold stands there.",
        ),
        Chart(
            "Letters that were chosen",
            slot_chart(
                *_choices(runs, "letters", "how often each option letter is chosen"), "option letter"
            ),
            names,
            "How often the replies name the option with each letter, where letters do not move with the "
            "images. Dashed: how often it is the right one.",
        ),
        Chart(
            "Differences from the baseline",
            difference_chart(differences, "paired differences from the first run"),
            names,
            f"Each run minus {names[0]}, paired by question, with 95 % intervals. Left of the line it is less.",
        ),
    ]  # fmt: skip
    return [chart for chart in charts if chart.svg]


def training_charts(
    runs: Sequence[TrainingRun], evaluations: Sequence[NamedRun] = ()
) -> list[Chart]:
    """One plot a metric of training, in the colours of the evaluations; those that no run has are left out."""
    names = tuple(run.name for run in runs)
    colours = training_colours(runs, evaluations)
    charts = [
        Chart(title, curve_chart(runs, metric, f"{title} over training steps", colours), names, metric, colours)
        for title, metric in CURVES.items()
    ]  # fmt: skip
    return [chart for chart in charts if chart.svg]


def training_colours(
    runs: Sequence[TrainingRun], evaluations: Sequence[NamedRun]
) -> tuple[int, ...]:
    """The number of each training run's colour: that of its model's evaluation, else one of its own."""
    colours: list[int] = []
    free = len(evaluations)
    for run in runs:
        found = (i for i, each in enumerate(evaluations) if _is_of(each, run) and i not in colours)
        colour = next(found, free)
        free += colour == free
        colours.append(colour)
    return tuple(colours)


def _is_of(evaluation: NamedRun, run: TrainingRun) -> bool:
    """Whether an evaluation is of the model that was trained: by its folder, or by its name."""
    model = evaluation.config.get("model")
    if run.path is not None and model and Path(model).resolve().is_relative_to(run.path.resolve()):
        return True
    name = evaluation.name.casefold()
    return name in (run.name.casefold(), *run.name.casefold().split("/"))


def _choices(
    runs: Sequence[NamedRun], which: str, label: str
) -> tuple[list[Series], str, dict[int | str, float]]:
    """How often each slot (from 1) or letter is chosen, and how often it is the gold."""
    nan = float("nan")
    frames = [getattr(run.metrics, which) for run in runs]
    series = [
        Series(run.name, {_label(place): Estimate(row["chosen"], nan, nan, 0)
                          for place, row in frame.iterrows()})
        for run, frame in zip(runs, frames, strict=True)
    ]  # fmt: skip
    gold = next((frame["gold"] for frame in frames if len(frame)), pd.Series(dtype=float))
    return series, label, {_label(place): float(share) for place, share in gold.items()}


def _label(place: object) -> int | str:
    """Slots count from 1 in reports; a letter is itself."""
    text = str(place)
    return int(text) + 1 if text.isdigit() else text
