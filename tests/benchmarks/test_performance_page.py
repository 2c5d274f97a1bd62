"""The page of figures says what the results say."""

from __future__ import annotations

import re

from benchmarks.performance_page import PAGE, TABLES, filled


def test_tables_are_those_of_the_results():
    page = PAGE.read_text(encoding="utf-8")
    assert filled(page) == page, "run python -m benchmarks.performance_page"


def test_every_table_is_on_the_page():
    page = PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"<!-- (\w+) -->", page)) - {"end"} == set(TABLES)
