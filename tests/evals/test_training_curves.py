"""Training curves, from the file that a training run writes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import evals
from evals.chart_style import standalone_svg
from evals.report import NamedRun, html_of, make_report, report_directories
from evals.report_charts import training_charts, training_colours
from evals.training_curves import (
    CURVES,
    TrainingRun,
    curve_chart,
    curves_frame,
    thinned,
    value_range,
)
from perl_env.errors import InputError

from .policies import PolicyEngine, first_slot, which_image

REWARD, HELD_OUT = "env_runners/episode_return_mean", "evaluation/order_robustness/order_effect"


def steps_of(n: int, seed: int) -> pd.DataFrame:
    """Metrics of n steps, held-out ones at every tenth."""
    rng = np.random.default_rng(seed)
    steps = np.arange(1, n + 1)
    held_out = np.where(steps % 10 == 0, rng.random(n), np.nan)
    frame = pd.DataFrame({REWARD: rng.random(n), HELD_OUT: held_out}, index=steps)
    return frame.rename_axis("step")


def write_run(folder: Path, steps: pd.DataFrame, last: str = "") -> Path:
    folder.mkdir(parents=True)
    lines = [
        json.dumps({"step": int(str(step)), **row.dropna()}) + "\n"
        for step, row in steps.iterrows()
    ]
    (folder / "progress.jsonl").write_text("".join(lines) + last)
    return folder


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    steps = steps_of(25, 0)
    run = TrainingRun.load(write_run(tmp_path / "run", steps, last='{"step": 26, "env_ru'))
    assert run.name == "run"
    pd.testing.assert_frame_equal(run.steps, steps, check_index_type=False, check_dtype=False)


def test_the_frame_has_every_value_that_was_measured() -> None:
    frame = curves_frame([TrainingRun("a", steps_of(25, 0)), TrainingRun("b", steps_of(7, 1))])
    assert frame.groupby(["run", "metric"]).size().to_dict() == {
        ("a", REWARD): 25, ("a", HELD_OUT): 2, ("b", REWARD): 7,
    }  # fmt: skip


def test_there_is_a_plot_for_each_metric_that_a_run_has() -> None:
    charts = training_charts([TrainingRun("a", steps_of(25, 0)), TrainingRun("b", steps_of(7, 1))])
    assert [chart.title for chart in charts] == ["Reward", "Held out: Order effect"]
    assert len({chart.file_name for chart in charts}) == 2
    reward, held_out = (chart.svg for chart in charts)
    assert reward.count("run-0") == reward.count("run-1") == 1
    assert "run-1" not in held_out
    assert curve_chart([TrainingRun("a", steps_of(5, 0))], "no such metric", "x") == ""


def test_every_curve_has_a_file_name_of_its_own() -> None:
    steps = pd.DataFrame({name: [0.5, 0.7] for name in CURVES.values()}, index=[1, 2])
    charts = training_charts([TrainingRun("a", steps)])
    assert len({chart.file_name for chart in charts}) == len(CURVES)


def test_a_curve_of_one_step_is_a_dot() -> None:
    assert "circle" in curve_chart([TrainingRun("a", steps_of(1, 0))], REWARD, "x")


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=600), st.integers(1, 250))
def test_thinning_keeps_the_mean_of_all_and_the_order_of_steps(
    values: list[float], most: int
) -> None:
    thin = thinned(pd.Series(values, index=range(1, len(values) + 1)), most)
    assert len(thin) == min(len(values), most)
    assert list(thin.index) == sorted(thin.index)
    assert min(values) - 1e-6 <= thin.min()
    assert thin.max() <= max(values) + 1e-6


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_an_axis_holds_what_is_drawn(low: float, span: float) -> None:
    start, end = value_range(low, low + span)
    slack = 1e-6 * (end - start) + 1e-9
    assert start - slack <= low
    assert low + span <= end + slack


def test_a_model_has_one_colour_in_evaluations_and_curves(tmp_path: Path) -> None:
    def measured(name: str, model: str = "") -> NamedRun:
        question = [which_image("a", 1)]
        return replace(evals.evaluate(PolicyEngine(first_slot), question, name=name).as_run(),
                       config={"model": model})  # fmt: skip

    folder = write_run(tmp_path / "arm", steps_of(5, 0))
    runs = [measured("base"), measured("GRPO"), measured("best", str(folder / "model"))]
    training = [
        TrainingRun("grpo/training", steps_of(5, 0)),
        TrainingRun("other", steps_of(5, 1)),
        TrainingRun.load(folder),
    ]
    assert training_colours(training, runs) == (1, 3, 2)
    report = make_report(runs, {}, training=training)
    chart = report.curves[0]
    assert chart.entries == [("grpo/training", "run-1"), ("other", "run-3"), ("arm", "run-2")]
    assert "run-0" not in chart.svg
    page = html_of(report)
    assert '<span class="run-1"><span class="dot">●</span>&nbsp;grpo/training' in page
    legend = standalone_svg(chart.svg, chart.title, chart.entries)
    assert legend.index("run-1") < legend.index("grpo/training")
    assert '<g class="run-3"><rect' in legend
    assert training_colours(training, ()) == (0, 1, 2)


def test_curves_that_never_move_have_an_axis_that_can_be_read() -> None:
    assert value_range(0.0, 0.0) == value_range(-4e-13, 4e-13) == (0.0, 1.0)
    for value in (1.0, 0.5, -3.0, 2e-5):
        low, high = value_range(value, value)
        assert low <= value <= high
        assert 0.04 * abs(value) < high - low < abs(value)
    low, high = value_range(3e-9, 8e-9)
    assert low <= 3e-9 < 8e-9 <= high


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no run directory"), ("", "training without steps"), ('{"step": 1}\nnot json\n{"step": 2}\n', "line 2")],
)  # fmt: skip
def test_what_is_no_training_run_is_told(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "progress.jsonl").write_text(content)
    with pytest.raises(InputError, match=message):
        report_directories([tmp_path], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_a_report_of_training_runs_alone_tells_them_apart(tmp_path: Path) -> None:
    folders = [write_run(tmp_path / arm / "training", steps_of(12, i)) for i, arm in enumerate(["perl", "grpo"])]  # fmt: skip
    html = report_directories(folders, tmp_path / "report.html").read_text()
    assert "perl/training" in html
    assert "grpo/training" in html
    assert "Held out: Order effect" in html
