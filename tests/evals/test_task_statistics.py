"""``perl-env list``: what a task holds, and what became of every row of its data set."""

import pytest
from typer.testing import CliRunner

from evals.cli import app
from perl_env.errors import InputError
from tests.perl_env.benchmark_fixtures import FIXTURES, fixture_path


def listed(*arguments):
    result = CliRunner().invoke(app, ["list", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_the_rows_of_a_data_set_are_counted_and_listed_with_their_reasons():
    fixture = FIXTURES["perl/MMIU-v0"]
    path = f"path={fixture_path('perl/MMIU-v0')}"
    shown = listed("--task", "perl/MMIU-v0", "--set", path, "--stats")
    left_out = [verdict for _, verdict in fixture.cases if verdict != "loaded"]
    excluded = sum(verdict[0] == "excluded" for verdict in left_out)
    malformed = len(left_out) - excluded
    loaded = len(fixture.cases) - len(left_out)
    assert f"{loaded} loaded + {excluded} excluded + {malformed} malformed = {len(fixture.cases)} rows" in shown  # fmt: skip
    for number, (_, verdict) in enumerate(fixture.cases):
        mark = "malformed: " if verdict[0] == "malformed" else ""
        is_listed = f"  row-{number}: {mark}{verdict[1]}" in shown
        assert is_listed == (verdict != "loaded")
    for counted in ("temporal_ordering", "index-list", "the canonical order only", "options cannot be read"):  # fmt: skip
        assert counted in shown
    chosen = listed("--task", "perl/MMIU-v0", "--set", path, "--set", "sub_tasks=[gui_app_recognition]")  # fmt: skip
    assert "1 questions" in chosen
    assert "0 rows left out" in chosen


def test_the_questions_of_a_procedural_task_are_counted():
    shown = listed("--task", "perl/Shapes-v0", "--stats", "--set", "size=24")
    for counted in ("which-image", "slot-naming", "other orders, too", "0 rows left out"):
        assert counted in shown


def test_many_rows_are_listed_only_when_asked_for(tmp_path):
    fixture = FIXTURES["perl/MathVista-v0"]
    bad = [fixture.rows[0] | {"pid": f"bad-{i}", "answer": "none"} for i in range(25)]
    path = fixture.write(tmp_path / "rows", [fixture.rows[0], *bad])
    shown = listed("--task", "perl/MathVista-v0", "--set", f"path={path}")
    assert "25 rows left out" in shown
    assert "row bad-19" in shown
    assert "row bad-20" not in shown
    assert "… and 5 more" in shown
    assert "row bad-24" in listed("--task", "perl/MathVista-v0", "--set", f"path={path}", "--stats")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], r"path=… of a local copy"),
        (["--set", "path"], "key=value"),
        (["--set", "paht=x"], r"'path' \(the nearest\)"),
        (["--set", "path=[1"], "value is no YAML"),
        (["--set", "path=nowhere"], "no such file or folder"),
        (["--split", "tset"], r"unknown split: .*'test' \(the hub's 'val'\)"),
    ],
)
def test_wrong_input_is_told(arguments, complaint):
    with pytest.raises(InputError, match=complaint):
        listed("--task", "perl/BLINK-v0", *arguments)
