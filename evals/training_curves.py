"""How training went: the curves of the folders that ``perl-env train`` writes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from evals.chart_style import colour_class
from evals.charts import WIDTH, drawing, element, group
from evals.metrics import METRICS
from perl_env.errors import InputError

PROGRESS = "progress.jsonl"
#: A curve of more steps is drawn as means of neighbouring steps.
MOST_POINTS = 200
#: The running mean is over a twelfth of the points.
_SMOOTHED_OVER = 12
_EVALUATION = "evaluation/order_robustness/"
_LEARNER = "learners/default_policy/"

#: What is drawn: the plot's title and the names, in a step's metrics, of its one curve.
CURVES: Mapping[str, str] = {
    "Reward": "env_runners/episode_return_mean",
    "Accuracy of rollouts": "env_runners/accuracy",
    "Accuracy of rollouts, canonical order": "env_runners/accuracy_canonical_order",
    "Accuracy of rollouts, other orders": "env_runners/accuracy_permuted_order",
    "Well-formed replies": "env_runners/well_formed",
    "Reply tokens": "env_runners/reply_tokens",
    "Groups left out": "groups/dropped_share",
    "Loss": _LEARNER + "loss",
    "Entropy": _LEARNER + "entropy",
    "Gradient norm": _LEARNER + "grad_norm",
    "Sampler against learner, log-probability": _LEARNER + "sampler_logprob_difference",
} | {
    f"Held out: {METRICS[name].title}": _EVALUATION + name
    for name in ("accuracy_mean", "consistent_accuracy", "flip_rate", "order_effect")
}
#: A curve that never leaves this is one of zeros: its rounding errors are not worth an axis.
_LIKE_ZERO = 1e-9
_HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 200, 46, 14, 10, 34


@dataclass(frozen=True)
class TrainingRun:
    """One training run as reports show it.

    Attributes:
        name: the run's name.
        steps: one row a training step, indexed by step; a column a metric, NaN where it was not measured.
        path: its folder; ``None`` where it has none.
    """

    name: str
    steps: pd.DataFrame
    path: Path | None = None

    @classmethod
    def load(cls, path: str | Path, name: str = "") -> TrainingRun:
        """The run in a folder of ``perl-env train``, finished or not.

        Raises:
            InputError: the folder holds no training run, no step yet, or a line that cannot be read.
        """
        file = Path(path) / PROGRESS
        rows = _read_steps(file)
        if not rows:
            raise InputError(
                "training without steps", where=str(file), expected="at least one step", got=0
            )
        frame = (
            pd.DataFrame(rows).drop_duplicates("step", keep="last").set_index("step").sort_index()
        )
        return cls(name or Path(path).resolve().name, frame.select_dtypes("number"), Path(path))


def holds_training(path: str | Path) -> bool:
    """Whether a folder is that of a training run."""
    return (Path(path) / PROGRESS).exists()


def _read_steps(file: Path) -> list[dict]:
    """The steps; a last line that was cut off while it was written is left out."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        raise InputError("no training run", where=str(file.parent), expected=f"a folder with {PROGRESS}",
                         got="none") from None  # fmt: skip
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            rows.append({**row, "step": int(row["step"])})
        except (ValueError, KeyError, TypeError):
            if number < len(lines):
                raise InputError("line cannot be read", where=f"{file}, line {number}",
                                 expected="a JSON object with a step", got=line[:200]) from None  # fmt: skip
    return rows


def curves_frame(runs: Sequence[TrainingRun]) -> pd.DataFrame:
    """What the plots show, unthinned: one row a run, step and metric.

    Returns:
        Columns ``run``, ``step``, ``metric`` (its name in ``progress.jsonl``), ``value``.
    """
    parts = [
        pd.DataFrame({"run": run.name, "step": values.index, "metric": name, "value": values.to_numpy()})
        for run in runs
        for name in CURVES.values()
        if name in run.steps
        for values in [run.steps[name].dropna()]
    ]  # fmt: skip
    columns = ["run", "step", "metric", "value"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def thinned(values: pd.Series, most: int = MOST_POINTS) -> pd.Series:
    """At most so many points: the means of neighbouring ones, at the mean of their steps.

    >>> thinned(pd.Series([1.0, 3.0, 5.0, 7.0], index=[1, 2, 3, 4]), most=2).to_dict()
    {1.5: 2.0, 3.5: 6.0}
    """
    if len(values) <= most:
        return values
    place = pd.Series(range(len(values)), index=values.index) * most // len(values)
    steps = pd.Series(values.index.to_numpy(dtype=float), index=values.index).groupby(place).mean()
    return pd.Series(values.groupby(place).mean().to_numpy(), index=steps.to_numpy())


def curve_chart(
    runs: Sequence[TrainingRun], metric: str, label: str, colours: Sequence[int] = ()
) -> Markup:
    """One metric over the training steps, a line a run; nothing where no run has it.

    ``colours`` has the number of each run's colour; by default its place.
    """
    colours = colours or range(len(runs))
    found = {
        i: thinned(values)
        for i, run in enumerate(runs)
        if metric in run.steps and len(values := run.steps[metric].dropna())
    }
    if not found:
        return Markup("")
    low, high = value_range(
        min(values.min() for values in found.values()),
        max(values.max() for values in found.values()),
    )
    first = min(values.index.min() for values in found.values())
    last = max(values.index.max() for values in found.values())

    def x(step: float) -> float:
        share = (step - first) / (last - first) if last > first else 0.5
        return _LEFT + 4 + (WIDTH - _LEFT - _RIGHT - 4) * share

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * (value - low) / (high - low)

    parts = []
    for tick in range(5):
        value = low + (high - low) * tick / 4
        parts.append(
            element("line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=y(value), y2=y(value), class_="grid")
        )
        parts.append(
            element(
                "text",
                f"{value:.3g}".replace("-", "−"),
                x=_LEFT - 5,
                y=y(value) + 4,
                class_="tick end",
            )
        )
    for step in sorted({first, round((first + last) / 2), last}):
        parts.append(
            element("text", f"{step:.0f}", x=x(step), y=_HEIGHT - 18.0, class_="tick middle")
        )
    parts.append(
        element("text", "training step", x=WIDTH / 2 + 15, y=_HEIGHT - 4.0, class_="axis middle")
    )
    for i, values in found.items():
        parts.append(_curve(values, runs[i].name, colours[i], x, y))
    return drawing(parts, _HEIGHT, label)


def _curve(values: pd.Series, name: str, index: int, x, y) -> Markup:
    """A pale line of what was measured and its running mean; one dot where there is one step only."""
    title = element("title", name)
    if len(values) == 1:
        dot = element("circle", title, cx=x(float(values.index[0])), cy=y(float(values.iloc[0])),
                      r=3.6, class_="marker")  # fmt: skip
        return group([dot], class_=colour_class(index))
    window = max(1, len(values) // _SMOOTHED_OVER)
    mean = values.rolling(window, min_periods=1).mean()
    lines = [(mean, "curve")] if window == 1 else [(values, "curve pale"), (mean, "curve")]
    shapes = [
        element("polyline", title, class_=kind, points=" ".join(
            f"{x(float(str(step))):.1f},{y(value):.1f}" for step, value in line.items()
        ))
        for line, kind in lines
    ]  # fmt: skip
    return group(shapes, class_=colour_class(index))


def value_range(low: float, high: float) -> tuple[float, float]:
    """Ends of an axis that holds both values, round enough that a quarter of it reads well.

    An axis of shares does not go beyond 1, and what is always 0 is on one from 0 to 1.

    >>> value_range(0.5, 0.97), value_range(-3.0, 5.0), value_range(11.0, 11.0), value_range(0.0, 0.0)
    ((0.2, 1.0), (-5.0, 5.0), (10.4, 12.0), (0.0, 1.0))
    """
    if high - low < 1e-9 * max(abs(low), abs(high), 1e-3):
        if abs(low) < _LIKE_ZERO:
            return 0.0, 1.0
        reach = abs(low) * 0.05
        low, high = low - reach, high + reach
    size = 10.0 ** math.floor(math.log10((high - low) / 4))
    for factor in (1, 2, 2.5, 4, 5, 10, 20):
        step = size * factor
        start = math.floor(low / step + 1e-9) * step
        if start + 4 * step >= high - 1e-9 * step:
            if start >= 0 and high <= 1 < start + 4 * step:
                start = max(0.0, 1 - 4 * step)
            digits = max(12, 3 - math.floor(math.log10(step)))
            return round(start, digits), round(start + 4 * step, digits)
    raise AssertionError("unreachable: twenty times a tenth of the range holds it")
