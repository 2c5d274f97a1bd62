import copy
import json
import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from perl_env.errors import InputError
from perl_env.grading import grade
from perl_env.order_class import OrderClass
from perl_env.permutation import permute, sample_orders
from perl_env.questions import QuestionSource
from perl_env.tasks.folder import Excluded, FolderQuestions
from perl_env.tasks.folder_rows import _COLUMNS

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "folder.md"
GOOD = {
    "images": ["red.png", "blue.png"],
    "question": "Which image is red?",
    "answer": "Image 1",
    "order_class": "slot-naming",
}


def row(**changes):
    """A sound row with some columns changed; ``None`` takes a column out."""
    return {name: value for name, value in (GOOD | changes).items() if value is not None}


@pytest.fixture
def make(tmp_path):
    """Writes rows (dicts or raw lines) into a folder with three pictures."""
    folder = tmp_path / "data"
    folder.mkdir()
    for i, name in enumerate(("red", "blue", "green")):
        Image.fromarray(np.full((4 + i, 6, 3), 80 * i, np.uint8)).save(folder / f"{name}.png")

    def write(*rows):
        lines = [
            r if isinstance(r, bytes) else (r if isinstance(r, str) else json.dumps(r)).encode()
            for r in rows
        ]
        (folder / "questions.jsonl").write_bytes(b"\n".join(lines) + b"\n")
        return folder

    return write


def test_a_folder_is_read(make):
    source = FolderQuestions(
        make(row(), row(key="second", kind="colour", images=["green.png", "blue.png"]))
    )
    assert isinstance(source, QuestionSource)
    assert len(source) == 2
    first, second = source
    assert (first.key, first.kind, second.key, second.kind) == ("line-1", "", "second", "colour")
    assert first.answer == "Image 1"
    assert first.order_class is OrderClass.SLOT_NAMING
    assert [image.shape for image in first.images] == [(4, 6, 3), (5, 6, 3)]
    assert (source.max_images, source.max_pixels) == (2, 36)
    assert source.excluded == ()
    assert source[-1] == second
    with pytest.raises(IndexError):
        source[2]


def test_every_column_arrives(make):
    full = row(
        question="Order the pictures by brightness.", answer="2, 0, 1", order_class="index-list", pinned=[1],
        images=["red.png", "blue.png", "green.png"], index_list="rank", index_base=0, kind="sort", key="k", split="train",
    )  # fmt: skip
    question = FolderQuestions(make(full), split="train")[0]
    assert (question.pinned, question.index_list, question.index_base) == ((1,), "rank", 0)
    assert (question.kind, question.key) == ("sort", "k")


def test_image_options(make):
    stem = row(
        images=["red.png", "blue.png", "green.png"], question="Which is like image 1?", options=["A", "B"],
        answer="B", order_class="image-options", option_slots=[1, 2],
    )  # fmt: skip
    question = FolderQuestions(make(stem))[0]
    assert (question.option_slots, question.pinned, question.answer) == ((1, 2), (0,), "B")


@pytest.mark.parametrize("answer", ["B", "(B)", "B.", "two dogs"])
def test_the_gold_may_be_letter_or_text(make, answer):
    rows = row(options=["a cat", "two dogs"], answer=answer, order_class="invariant")
    assert FolderQuestions(make(rows))[0].answer == "B"


@pytest.mark.parametrize(("answer", "text"), [(3, "3"), (2.5, "2.5"), ("three", "three")])
def test_the_gold_may_be_a_number(make, answer, text):
    assert FolderQuestions(make(row(answer=answer, order_class="invariant")))[0].answer == text


def test_one_image_needs_no_order_class(make):
    assert (
        FolderQuestions(make(row(images=["red.png"], answer="red", order_class=None)))[
            0
        ].order_class
        == "single"
    )


def test_bare_placeholders_are_numbered(make):
    question = FolderQuestions(make(row(question="Is <image> or <image> red?")))[0]
    assert question.text == "Is <image_1> or <image_2> red?"


def test_blank_lines_and_a_byte_order_mark_are_no_harm(make):
    folder = make(row(), "", row(key="x"), "   ")
    file = folder / "questions.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert [question.key for question in FolderQuestions(folder)] == ["line-1", "x"]


def test_splits(make):
    folder = make(
        row(key="a", split="train"),
        row(key="b", split="test"),
        row(key="c"),
        row(key="d", split="train"),
    )
    assert [question.key for question in FolderQuestions(folder, split="train")] == ["a", "c", "d"]
    assert [question.key for question in FolderQuestions(folder)] == ["b", "c"]
    folder = make(row(split="train"))
    with pytest.raises(
        InputError, match=r"no usable question in split 'test': .*got rows of the splits train"
    ):
        FolderQuestions(folder)


BAD_ROWS = {
    "broken JSON": '{"images": ["red.png"], ',
    "broken JSON: nesting": "[" * 100_000,
    "line is no UTF-8 text": b'{"question": "\xff"}',
    "row is no object": "[1, 2]",
    "key named twice: expected each key once, got 'answer'": json.dumps(row())[:-1] + ', "answer": "Image 2"}',
    "key named twice: expected each key once, got 'task'": json.dumps(row(facts={}))[:-3] + '{"task": "a", "task": "b"}}',
    "unknown column: expected 'question' (the nearest), got 'qestion'": row(qestion="?"),
    "unknown column: expected one of images, question": row(zzz=1),
    "missing column: expected 'answer'": row(answer=None),
    "missing column: expected 'question'": row(question=None),
    "missing column: expected 'images'": row(images=None),
    "missing column: expected 'order_class', one of invariant, referential": row(order_class=None),
    "unknown order class: order_class: expected 'invariant' (the nearest)": row(order_class="invarient"),
    "unknown order class": row(order_class=3),
    "row is marked as malformed": row(order_class="malformed"),
    "wrong type: images: expected a list of texts": row(images="red.png"),
    "wrong type: images: expected a text": row(images=["red.png", 3]),
    "no images": row(images=[]),
    "wrong type: question": row(question=["?"]),
    "text is empty: question: expected a text that is not empty": row(question="  "),
    "text is no Unicode: question": json.dumps(row(question="?")).replace("?", "\\ud800"),
    "wrong type: answer: expected a text that is not empty, got nan": row(answer=float("nan")),
    "text is empty: options": row(options=["a", " "], answer="A"),
    "wrong type: answer": row(answer=True),
    "wrong type: answer: expected": row(answer=["A"]),
    "wrong type: options": row(options={"A": "x"}),
    "wrong type: pinned": row(pinned=[True]),
    "unknown scoring rule: scoring: expected 'mantis-eval' (the nearest), got 'mantis_eval'": row(scoring="mantis_eval"),
    "wrong type: scoring": row(scoring=True),
    "wrong type: facts: expected an object of texts": row(facts=[["task", "Clocks"]]),
    "wrong type: facts, 'task'": row(facts={"task": 3}),
    "wrong type: instruction": row(instruction=False),
    "wrong type: pinned: expected a list of whole numbers": row(pinned="0"),
    "slot named twice: pinned": row(pinned=[1, 1]),
    "slot out of range": row(pinned=[2]),
    "wrong type: index_base": row(index_base="1"),
    "wrong type: key": row(key=3),
    "unknown meaning of index lists": row(index_list="order"),
    "index list of unknown meaning": row(answer="1, 2", order_class="index-list"),
    "gold answer is no option": row(options=["a", "b"], answer="C", order_class="invariant"),
    "gold answer is no option: answer: expected one of A, B": row(options=["a", "b"], answer="c", order_class="invariant"),
    "two options are the same": row(options=["a", "a"], answer="A", order_class="invariant"),
    "too many images for order class 'single'": row(order_class="single"),
    "image options do not match": row(order_class="image-options", answer="A"),
    "placeholder count differs from the number of pictures: expected 2 <image>, got 1": row(question="Is <image> red?"),
    "placeholder count differs from the number of pictures: expected 2 <image>, got 3": row(question="<image><image><image>"),
    "placeholder names no picture": row(question="Is <image_3> red?"),
    "gold answer cannot be graded": row(answer="Image 3"),
    "gold answer cannot be graded: answer": row(answer="1, 2, 3", order_class="index-list", index_list="rank"),
    "gold answer cannot be graded: answer: expected an answer fit for order class slot-naming": row(answer="red"),
    "picture is missing": row(images=["red.png", "gone.png"]),
    "path leaves the folder": row(images=["red.png", "../outside.png"]),
    "path leaves the folder: images": row(images=["red.png", "/etc/passwd"]),
    "path cannot be used": row(images=["red.png", "a\0b.png"]),
    "not a picture": row(images=["red.png", "questions.jsonl"]),
}  # fmt: skip


def as_pattern(message):
    """The parts of a message, whatever stands between what and where."""
    what, _, rest = message.partition(": ")
    return re.escape(what) + ".*" + re.escape(rest.removeprefix("nesting"))


@pytest.mark.parametrize("message", BAD_ROWS)
def test_a_bad_row_is_counted_and_left_out(make, message):
    folder = make(row(key="a"), BAD_ROWS[message], row(key="c"))
    source = FolderQuestions(folder)
    assert [question.key for question in source] == ["a", "c"]
    (excluded,) = source.excluded
    assert excluded.line == 2
    assert re.match(as_pattern(message), excluded.reason), excluded.reason
    assert "\n" not in excluded.reason
    assert source.excluded_counts == {excluded.what: 1}


@pytest.mark.parametrize("message", BAD_ROWS)
def test_strict_makes_a_bad_row_an_error(make, message):
    folder = make(row(key="a"), BAD_ROWS[message])
    with pytest.raises(InputError, match=as_pattern(message)) as caught:
        FolderQuestions(folder, strict=True)
    assert f"{folder / 'questions.jsonl'}:2" in str(caught.value)
    assert str(caught.value).count("questions.jsonl:") == 1
    assert "\n" not in str(caught.value)


def test_a_key_is_used_once(make):
    source = FolderQuestions(make(row(key="a"), row(key="b"), row(key="a")))
    assert source.excluded == (
        Excluded(
            3,
            "key is used twice: key: expected one key a question, got 'a', as in line 1",
            "key is used twice",
        ),
    )


def test_a_text_that_cannot_be_permuted_is_left_out(make):
    bad = "Which picture looks like the second pair of images?"
    source = FolderQuestions(
        make(row(), row(question=bad, images=["red.png", "blue.png", "green.png"]))
    )
    assert [excluded.line for excluded in source.excluded] == [2]
    fixed = FolderQuestions(make(row(), row(question=bad, order_class="layout", answer="red")))
    assert fixed.excluded == ()


def test_every_question_left_can_be_asked_in_every_order(make):
    source = FolderQuestions(make(row(), row(key="b", question="Is image 1 or image 2 red?")))
    for question in source:
        for order in sample_orders(question, 24, np.random.default_rng(0)):
            asked = permute(question, order)
            assert grade(asked, rf"\boxed{{{asked.answer}}}").correct


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_truncated_picture_is_found_at_load(make, share):
    folder = make(
        row(key="a"),
        row(key="b", images=["green.png", "cut.png"]),
        row(key="c", images=["cut.png", "red.png"]),
    )
    noise = np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "cut.png")
    data = (folder / "cut.png").read_bytes()
    (folder / "cut.png").write_bytes(data[: int(len(data) * share)])
    source = FolderQuestions(folder)
    assert [question.key for question in source] == ["a"]
    assert [excluded.line for excluded in source.excluded] == [2, 3]
    assert source.excluded[0].reason.startswith(
        "picture is truncated or damaged: images, 'cut.png'"
    )
    with pytest.raises(
        InputError, match=r"truncated or damaged: .*questions\.jsonl:2, images, 'cut\.png'"
    ):
        FolderQuestions(folder, strict=True)


def test_a_link_may_not_lead_outside(make, tmp_path):
    folder = make(
        row(key="a"),
        row(key="b", images=["red.png", "link.png"]),
        row(key="c", images=["red.png", "sub/x.png"]),
    )
    Image.new("RGB", (2, 2)).save(tmp_path / "outside.png")
    os.symlink(tmp_path / "outside.png", folder / "link.png")
    os.symlink(tmp_path, folder / "sub")
    source = FolderQuestions(folder)
    assert [(excluded.line, excluded.what) for excluded in source.excluded] == [
        (2, "path leaves the folder"),
        (3, "path leaves the folder"),
    ]


def test_paths_and_links_inside_the_folder_are_fine(make, tmp_path):
    folder = make(row(images=["sub/../red.png", "link.png"]))
    (folder / "sub").mkdir()
    os.symlink("blue.png", folder / "link.png")
    os.symlink(folder, tmp_path / "elsewhere")
    assert len(FolderQuestions(tmp_path / "elsewhere")) == 1


def test_links_in_a_circle(make):
    folder = make(row(), row(images=["red.png", "loop.png"]))
    os.symlink("loop.png", folder / "loop.png")
    assert [excluded.line for excluded in FolderQuestions(folder).excluded] == [2]


def test_no_folder_and_no_questions(tmp_path, make):
    with pytest.raises(InputError, match="no such folder"):
        FolderQuestions(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"folder without questions: .*expected questions\.jsonl"):
        FolderQuestions(tmp_path)
    with pytest.raises(InputError, match="got no rows"):
        FolderQuestions(make(""))
    with pytest.raises(InputError, match="got 2 rows left out; line 1: broken JSON"):
        FolderQuestions(make("{", row(answer=None)))


def test_pictures_are_decoded_once_while_they_are_remembered(make):
    source = FolderQuestions(make(row()))
    assert source[0].images[0] is source[0].images[0]


def test_a_picture_that_vanishes_later_is_a_clear_error(make):
    folder = make(row())
    source = FolderQuestions(folder)
    (folder / "blue.png").unlink()
    with pytest.raises(InputError, match=r"picture is missing: .*blue\.png"):
        source[0]


def test_a_source_travels(make):
    source = FolderQuestions(make(row()))
    first = source[0]
    for copied in (pickle.loads(pickle.dumps(source)), copy.deepcopy(source)):
        assert copied[0] == first


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None
)
@given(
    changes=st.dictionaries(st.sampled_from(sorted(_COLUMNS)), json_values, max_size=3),
    junk=st.binary(max_size=30),
)
def test_any_row_is_a_question_or_excluded(make, changes, junk):
    folder = make(row(key="sound", split="test"), GOOD | changes, junk.replace(b"\n", b""))
    source = FolderQuestions(folder)
    assert source[0].key == "sound"
    for question in source:
        assert grade(question, rf"\boxed{{{question.answer}}}").correct


def test_the_documented_example_is_sound(tmp_path):
    text = DOCUMENTATION.read_text()
    example = re.search(r"```jsonl\n(.*?)```", text, re.DOTALL).group(1)
    names = {name for line in example.splitlines() for name in json.loads(line)["images"]}
    for i, name in enumerate(sorted(names)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (4 + i, 4)).save(tmp_path / name)
    (tmp_path / "questions.jsonl").write_text(example)
    source = FolderQuestions(tmp_path, split="train", strict=True)
    assert len(source) == len(example.splitlines())
    for column in _COLUMNS:
        assert f"| `{column}` |" in text
    for order_class in OrderClass:
        assert f"`{order_class}`" in text
