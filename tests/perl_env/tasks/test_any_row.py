"""Whatever stands in a row, it is a sound question or it is counted."""

import importlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perl_env.grading import grade
from perl_env.permutation import permute
from perl_env.tasks.dataset_columns import Kind
from perl_env.tasks.dataset_files import Opened
from perl_env.tasks.dataset_reader import RowReader
from tests.perl_env.benchmark_fixtures import CUT_OFF, FIXTURES, stored

PIECES = (
    "Which image", "the second image", "<image>", "<image1>", "<image_2>", "Image 3", "A", "(B)", "\nA. one", "\nB: two",
    "\nChoices:", "A:", "1, 2", "[0, 1]", "Answer:", " is red?", "\n", "## ", "left", "G", "hidden", "é{}",
)  # fmt: skip
TEXT = st.none() | st.lists(st.sampled_from(PIECES), max_size=6).map("".join) | st.text(max_size=9)
PICTURE = st.none() | st.sampled_from(
    [stored(1), stored(2), CUT_OFF, {"bytes": None, "path": "nowhere.png"}, {"bytes": b"", "path": None}]
)  # fmt: skip
VALUES = {
    Kind.TEXT: TEXT,
    Kind.TEXTS: st.none() | st.lists(TEXT, max_size=5),
    Kind.WHOLE: st.none() | st.integers(-2, 2000),
    Kind.NUMBER: st.none() | st.floats(),
    Kind.PICTURE: PICTURE,
    Kind.PICTURES: st.none() | st.lists(PICTURE, max_size=5),
    Kind.RECORD: st.none() | st.fixed_dictionaries({"task": TEXT, "category": TEXT}),
    Kind.RECORDS: st.none()
    | st.lists(st.none() | st.fixed_dictionaries({"role": TEXT, "content": TEXT}), max_size=4),
}  # fmt: skip


@pytest.mark.parametrize("official", [False, True])
@pytest.mark.parametrize("task", FIXTURES)
@settings(max_examples=25)
@given(data=st.data())
def test_any_row_is_a_question_or_counted(tmp_path_factory, task, official, data):
    fixture = FIXTURES[task]
    module = importlib.import_module(f"perl_env.tasks.{fixture.loader}")
    row = dict(data.draw(st.sampled_from(fixture.rows)))
    for column in data.draw(st.lists(st.sampled_from(fixture.benchmark.columns), max_size=3)):
        row[column.name] = data.draw(VALUES[column.kind])
    row = {column.name: row.get(column.name) for column in fixture.benchmark.columns}
    reader = RowReader(fixture.benchmark, module.draft, official, strict=False, decode=False)
    entry = reader.entry(row, 0, Opened([], "rows", tmp_path_factory.getbasetemp()))
    account = reader.account
    assert account.loaded + len(account.excluded) + len(account.malformed) == account.rows == 1
    assert (entry is not None) == (account.loaded == 1)
    if entry is not None:
        question = entry.question
        assert permute(question, range(len(question.images))) == question
        assert grade(question, rf"\boxed{{{question.answer}}}").correct
