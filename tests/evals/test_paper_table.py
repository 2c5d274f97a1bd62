"""The paper's table: own runs beside published rows."""

from __future__ import annotations

import csv
import dataclasses
import io
import json

import pytest

import evals
from agents.engines.base import SamplingParams
from evals.aggregation import BENCHMARKS
from evals.paper_table import (
    AVERAGE,
    as_csv,
    as_markdown,
    notes,
    own_rows,
    published_rows,
    terminal_table,
    write_table,
)
from evals.plan import questions_digest
from perl_env.errors import InputError

from .policies import PolicyEngine, how_many, look

FEW = 300


def scored(rule, count=6, kinds=("one", "two"), **more):
    return [
        dataclasses.replace(
            how_many(f"{rule}-{i}"), scoring=rule, kind=kinds[i % len(kinds)], **more
        )
        for i in range(count)
    ]


def mostly_right(prompt, rng):
    """One reply in four is a choice without reason."""
    return r"\boxed{A}" if rng.random() < 0.25 else look(prompt)


def run(folder, questions, task, name="mine", policy=mostly_right, temperature=0.0):
    evals.run_evaluation(
        PolicyEngine(policy), questions, folder, orders=2, repeats=2, task=task, name=name,
        sampling=SamplingParams(temperature, 64, 0), report=False,
    )  # fmt: skip
    return folder


def test_published_rows_are_the_papers():
    rows = {row.model: row for row in published_rows()}
    titles = [benchmark.title for benchmark in BENCHMARKS]
    assert list(rows["PeRL"].figures) == titles
    assert [rows["PeRL"].cell(t) for t in (*titles, AVERAGE)] == [
        "76.39", "58.53", "54.23", "73.00", "49.56", "28.26", "43.38", "25.68", "51.13",
    ]  # fmt: skip
    assert rows["Qwen2.5-VL-7B"].figures["MV-MATH"] == 20.41
    assert rows["Human"].cell("MMIU") == "–"
    assert len(rows) == 26
    for row in rows.values():
        assert row.source.startswith("PeRL (arXiv 2506.14907")
        mean = sum(row.figures.values()) / len(titles)
        if row.average and "mean of the eight" not in "".join(row.notes):
            assert mean == pytest.approx(row.average, abs=0.01)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One run a benchmark, of one model; and a second model with one run under our own rule."""
    root = tmp_path_factory.mktemp("runs")
    made = [
        run(root / b.rule, scored(b.rule), f"perl_env:{b.task}" if b.rule == "remi" else b.task)
        for b in BENCHMARKS
    ]
    made.append(
        run(root / "other", scored("strict"), "perl/BLINK-v0", "other", look, temperature=1.0)
    )
    return made


def test_own_rows_have_intervals_and_an_average_where_all_is_known(runs):
    mine, other = own_rows(runs, FEW)
    assert (mine.model, other.model) == ("mine", "other")
    assert list(mine.figures) == [benchmark.title for benchmark in BENCHMARKS]
    for estimate in (*mine.figures.values(), mine.average):
        assert 0 < estimate.low < estimate.value < estimate.high <= 1
    assert mine.average.value == pytest.approx(sum(e.value for e in mine.figures.values()) / 8)
    assert not mine.strict
    assert other.average is None
    assert other.strict == {"BLINK"}
    assert other.figures["BLINK"].value == 1
    assert "6 questions; sampled at temperature 1" in other.notes[0]
    assert all("temperature" not in note for note in mine.notes)


def test_what_is_not_comparable_is_marked(runs):
    rows = [*published_rows(), *own_rows(runs, FEW)]
    text = as_markdown(rows)
    head = text.splitlines()[0]
    for title, mark in (("Mantis-Eval", ""), ("BLINK", " †"), ("MathVista", " ‡"), ("ReMI", "")):
        assert f"| {title}{mark} |" in head
    assert len({line.count("|") for line in text.splitlines() if line.startswith("|")}) == 1
    (other,) = (line for line in text.splitlines() if line.startswith("| other"))
    assert "§" in other
    below = notes(rows)
    for mark in ("†", "‡", "§"):
        assert any(note.startswith(mark) for note in below)
    assert any("mean of the eight figures is 46.80" in note for note in below)
    assert not any(note.startswith("‡") for note in notes(published_rows()))
    assert terminal_table(rows).row_count == len(rows)


def test_csv_has_a_line_a_figure(runs):
    rows = [*published_rows(), *own_rows(runs, FEW)]
    lines = list(csv.DictReader(io.StringIO(as_csv(rows))))
    known = sum(len(row.figures) + (row.average is not None) for row in rows)
    assert len(lines) == known
    (perl,) = (x for x in lines if x["model"] == "PeRL" and x["benchmark"] == "MMIU")
    assert (perl["value"], perl["low"], perl["official_scoring"]) == ("54.23", "", "")
    assert "table 1" in perl["source"]
    (other,) = (x for x in lines if x["model"] == "other")
    assert (other["value"], other["high"], other["questions"]) == ("100.0000", "100.0000", "6")
    assert (other["official_scoring"], other["published_scorer_asks_a_model"]) == ("no", "fallback")


def test_the_same_benchmark_twice_makes_two_rows(runs, tmp_path):
    again = run(tmp_path / "again", scored("blink"), "perl/BLINK-v0")
    rows = own_rows([runs[1], again], FEW)
    assert [row.model for row in rows] == ["mine", f"mine ({again})"]


def test_step_rates_stand_below_the_table(tmp_path):
    facts = (("problem_type", "multi-step"),)
    questions = [
        dataclasses.replace(how_many(f"q{i}"), scoring="mv-math", facts=facts, options=(), answer="(1) 2; (2) 3")
        for i in range(4)
    ]  # fmt: skip
    half = run(
        tmp_path / "run", questions, "perl/MVMath-v0", policy=lambda *_: r"\boxed{(1) 2; (2) 4}"
    )
    (row,) = own_rows([half], FEW)
    assert "step accuracy rate (SAR) 50.0" in row.notes[0]
    assert "question completeness rate (QCR) 0.0" in row.notes[0]


@pytest.mark.parametrize("ending", ["md", "csv"])
def test_the_table_is_written(runs, tmp_path, ending):
    rows = own_rows(runs[:1], FEW)
    path = write_table(rows, tmp_path / "new" / f"table.{ending}")
    assert "mine" in path.read_text(encoding="utf-8")


def test_wrong_input_is_told(tmp_path):
    with pytest.raises(InputError, match=r"ends in \.md or \.csv"):
        write_table(published_rows(), tmp_path / "table.html")
    with pytest.raises(InputError, match="no run directory"):
        own_rows([tmp_path])
    foreign = run(tmp_path / "run", scored("strict"), "perl/Shapes-v0")
    with pytest.raises(InputError, match=r"none of the table's benchmarks.*perl/Shapes-v0"):
        own_rows([foreign])


def test_a_name_cannot_break_the_table(tmp_path):
    folder = run(tmp_path / "run", scored("mmiu"), "perl/MMIU-v0", name="a|b [red]<script>")
    (row,) = own_rows([folder], FEW)
    assert r"| a\|b [red]&lt;script> |" in as_markdown([row])
    assert "[red]" in str(list(terminal_table([row]).columns[0].cells)).replace("\\", "")


# ------------------------------------------------------------------- what the table rests on


def test_a_runs_rows_say_by_which_rule_they_were_graded(runs):
    rows = [json.loads(line) for line in (runs[1] / "replies.jsonl").read_text().splitlines()]
    assert {row["scoring"] for row in rows} == {"blink"}


def test_a_run_is_not_continued_under_another_rule(runs):
    with pytest.raises(InputError, match="questions_digest"):
        run(
            runs[-1],
            scored("strict")[:-1] + scored("blink")[-1:],
            "perl/BLINK-v0",
            "other",
            look,
            1.0,
        )
    assert questions_digest(scored("strict")) != questions_digest(
        [dataclasses.replace(q, scoring="blink") for q in scored("strict")]
    )


def test_a_mixtures_results_come_per_task(tmp_path):
    questions = scored("strict")
    tasks = {question.key: f"task-{i % 2}" for i, question in enumerate(questions)}
    result = evals.run_evaluation(
        PolicyEngine(look), questions, tmp_path, orders=2, repeats=1, task="a: 1, b: 1", tasks=tasks,
        report=False,
    )  # fmt: skip
    assert result.table.drop_duplicates("question").set_index("question")["task"].to_dict() == tasks
    assert [part.name for part in result.with_tasks()] == [result.name, "task-0", "task-1"]
    written = json.loads((tmp_path / "results.json").read_text())
    assert written["task"] == "a: 1, b: 1"
    assert set(written["by"]["task"]) == {"task-0", "task-1"}
    assert written["by"]["task"]["task-0"]["accuracy_mean"]["questions"] == 3
