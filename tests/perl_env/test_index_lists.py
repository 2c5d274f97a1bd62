"""Lists of ranks and of image numbers: read, permuted, and told apart by the task alone."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perl_env.errors import UnsoundRewriteError
from perl_env.index_lists import parse_index_list, permute_index_list, rewrite_index_list
from perl_env.order_algebra import compose, identity, inverse
from perl_env.permutation import permute
from perl_env.question import Question


@given(st.permutations(range(4)), st.permutations(range(4)), st.sampled_from(["rank", "sequence"]))
def test_index_lists_say_the_same_of_the_same_pictures(values, order, kind):
    """Checked against the meaning of the lists, not against the formula."""
    order = tuple(order)
    values = tuple(v + 1 for v in values)
    new = permute_index_list(values, order, kind)
    if kind == "rank":
        before = {slot: values[slot] for slot in range(4)}
        after = {order[slot]: new[slot] for slot in range(4)}
    else:
        before = [value - 1 for value in values]
        after = [order[value - 1] for value in new]
    assert before == after


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("[3, 5, 1, 2, 0, 4]", (3, 5, 1, 2, 0, 4)),
        ("1→3→2→4", (1, 3, 2, 4)),
        ("2-1-3", (2, 1, 3)),
        ("(1, 3, 2)", (1, 3, 2)),
        ("1 -> 3 -> 2", (1, 3, 2)),
        ("3 2 1.", (3, 2, 1)),
        ("1, 3 and 2", (1, 3, 2)),
        ("1, 3, and 2", (1, 3, 2)),
        ("1 => 3 => 2", (1, 3, 2)),
        ("1—3—2", (1, 3, 2)),
        ("1，3，2。", (1, 3, 2)),
        ("1 then 3 then 2", (1, 3, 2)),
        ("0→2→1", (0, 2, 1)),
        ("1/2", None),
        ("2.5", None),
        ("image 3", None),
        ("3a, 2", None),
        ("", None),
        ("-" * 10_000, None),
    ],
)
def test_index_lists_are_read(text, numbers):
    assert parse_index_list(text) == numbers


def test_index_lists_keep_brackets_and_separators():
    assert rewrite_index_list("[3, 1, 2]", (2, 0, 1), "rank") == "[2, 3, 1]"
    assert rewrite_index_list("2 -> 0 -> 1", (2, 0, 1), "sequence", base=0) == "0 -> 1 -> 2"


@pytest.mark.parametrize(
    ("text", "kind"), [("1, 2", "rank"), ("1, 7, 2", "sequence"), ("one", "rank")]
)
def test_index_lists_that_do_not_fit_are_refused(text, kind):
    with pytest.raises(UnsoundRewriteError):
        rewrite_index_list(text, (1, 0, 2), kind)


def pictures(count):
    return tuple(np.full((4, 4, 3), 10 * i, np.uint8) for i in range(count))


ORDERING = (
    "Please predict the order of the following pictures, and give each picture a sequential index. "
    "This index starts from 0. The larger the index, the later the order."
)


def test_the_ranks_of_temporal_ordering_follow_their_pictures():
    options = ("[3, 5, 1, 2, 0, 4]", "[0, 1, 2, 3, 4, 5]", "[5, 4, 3, 2, 1, 0]")
    question = Question(
        pictures(6), ORDERING, "A", options, "index-list", index_list="rank", index_base=0
    )
    order = (4, 2, 0, 5, 1, 3)
    permuted = permute(question, order)
    assert permuted.options[0] == "[0, 1, 3, 4, 5, 2]"
    assert permuted.answer == "A"
    assert permuted.text == question.text
    for before, after in zip(question.options, permuted.options, strict=True):
        old, new = parse_index_list(before), parse_index_list(after)
        assert all(new[slot] == old[order[slot]] for slot in range(6))


@pytest.mark.parametrize("base", [0, 1])
@pytest.mark.parametrize("separator", ["→", " -> ", "-", ", "])
def test_the_images_of_a_sequence_are_relabelled(base, separator):
    def text(slots):
        return separator.join(str(slot + base) for slot in slots)

    shown = [(0, 2, 1, 3), (3, 2, 1, 0), (1, 0, 3, 2)]
    question = Question(
        pictures(4), "In what order were the pictures taken?", "B", tuple(map(text, shown)),
        "index-list", index_list="sequence", index_base=base,
    )  # fmt: skip
    for order in itertools.permutations(range(4)):
        permuted = permute(question, order)
        assert permuted.answer == "B"
        for before, option in zip(shown, permuted.options, strict=True):
            after = [value - base for value in parse_index_list(option)]
            assert [order[slot] for slot in after] == list(before)


@given(st.permutations(range(5)), st.permutations(range(5)), st.permutations(range(5)), st.sampled_from(["rank", "sequence"]))  # fmt: skip
def test_lists_obey_the_group_laws(values, first, then, kind):
    values, first, then = tuple(values), tuple(first), tuple(then)
    once = permute_index_list(values, first, kind, 0)
    assert permute_index_list(once, then, kind, 0) == permute_index_list(
        values, compose(first, then), kind, 0
    )
    assert permute_index_list(once, inverse(first), kind, 0) == values
    assert permute_index_list(values, identity(5), kind, 0) == values


def test_looks_do_not_tell_ranks_from_sequences():
    """The same text, under the same order, becomes another list: only the task can know."""
    text, order = "2→3→1", (2, 0, 1)
    assert rewrite_index_list(text, order, "rank") == "1→2→3"
    assert rewrite_index_list(text, order, "sequence") == "3→1→2"


def test_a_sequence_from_zero_names_no_image_four_of_four():
    with pytest.raises(UnsoundRewriteError, match="names no image"):
        permute_index_list((1, 2, 3, 4), (1, 0, 2, 3), "sequence", 0)


def test_lists_of_letters_are_refused():
    """Letters may be drawn in the pictures or stand for slots."""
    question = Question(
        pictures(3), "In what order?", "A", ("B-A-C", "C-A-B"), "index-list", index_list="sequence"
    )
    with pytest.raises(UnsoundRewriteError, match="no option is an index list"):
        permute(question, (1, 0, 2))


def test_a_list_may_name_the_images_and_none_of_the_options_may_fit():
    question = Question(
        pictures(3), "In what order?", "A", ("Image 3, image 1, image 2", "none of these"),
        "index-list", index_list="sequence",
    )  # fmt: skip
    assert permute(question, (2, 0, 1)).options == ("Image 1, image 2, image 3", "none of these")
