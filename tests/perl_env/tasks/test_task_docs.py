"""docs/tasks.md says what the loaders declare, and the loaders what the notes on the data say."""

import importlib.util
from pathlib import Path

import pytest

from perl_env.order_class import OrderClass
from perl_env.registration import TASKS
from perl_env.scoring import RULES
from perl_env.tasks.catalogue import CATALOGUE

ROOT = Path(__file__).parents[3]


def test_the_page_says_what_the_loaders_declare():
    spec = importlib.util.spec_from_file_location("write_task_docs", ROOT / "scripts" / "write_task_docs.py")  # fmt: skip
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    page = script.PAGE.read_text(encoding="utf-8")
    assert script.with_tables(page) == page, "run python scripts/write_task_docs.py"
    with pytest.raises(ValueError, match="'overview', has 0"):
        script.with_tables("no place for a table")


@pytest.mark.parametrize("benchmark", CATALOGUE, ids=lambda benchmark: benchmark.task)
def test_a_declaration_is_complete_and_agrees_with_itself(benchmark):
    assert benchmark.task in TASKS
    assert benchmark.rule is None or benchmark.rule in RULES
    assert ("scoring" in TASKS[benchmark.task].arguments) == (benchmark.rule is not None)
    names = {column.name for column in benchmark.columns}
    assert len(names) == len(benchmark.columns)
    assert benchmark.id_column is None or benchmark.id_column in names
    rows = [part.rows for part in benchmark.sub_tasks.values()]
    if None not in rows:
        assert sum(rows) == benchmark.rows
    assert benchmark.prompt
    assert benchmark.licence
    assert benchmark.source
    assert benchmark.left_out


def test_every_published_rule_has_a_task():
    assert {benchmark.rule for benchmark in CATALOGUE} - {None} == set(RULES)


def test_known_figures():
    by_task = {benchmark.task: benchmark for benchmark in CATALOGUE}
    single = [p.rows for p in by_task["perl/BLINK-v0"].sub_tasks.values() if p.order_class is OrderClass.SINGLE]  # fmt: skip
    assert (len(single), sum(single)) == (6, 793)
    assert len(by_task["perl/MMIU-v0"].sub_tasks) == 60
    assert len(by_task["perl/ReMI-v0"].sub_tasks) == 13
    paper = {217, 1901, 11698, 1000, 3940, 3040, 2600, 2009}
    assert {benchmark.rows for benchmark in CATALOGUE} - {None} == paper
