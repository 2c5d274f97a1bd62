"""The reference engine: golden sentences, laws, soundness, slot names, speed of growth."""

from __future__ import annotations

import importlib.util
import itertools
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perl_env.errors import InputError, UnsoundRewriteError
from perl_env.order_algebra import compose, identity, inverse
from perl_env.references import (
    mentioned_slots,
    parse_references,
    parse_slot,
    rewrite_references,
    rewrite_slot_name,
)

_spec = importlib.util.spec_from_file_location(
    "reference_sentences", Path(__file__).with_name("reference_sentences.py")
)
assert _spec is not None
assert _spec.loader is not None
sentences = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sentences)


def other_orders(n: int) -> list[tuple[int, ...]]:
    """Some orders of n images that are not the identity; all of them for up to four."""
    if n <= 4:
        return [order for order in itertools.permutations(range(n)) if order != identity(n)]
    return [tuple(reversed(range(n))), (*range(1, n), 0), (1, 0, *range(2, n))]


# --- golden sentences --------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "order", "expected"), sentences.REWRITES)
def test_rewrites(text, order, expected):
    assert rewrite_references(text, order) == expected


@pytest.mark.parametrize(("text", "n"), sentences.UNCHANGED)
def test_leaves_alone(text, n):
    for order in other_orders(n):
        assert rewrite_references(text, order) == text


@pytest.mark.parametrize(("text", "n"), sentences.UNSOUND)
def test_refuses(text, n):
    for order in other_orders(n):
        with pytest.raises(UnsoundRewriteError):
            rewrite_references(text, order)


def test_the_table_is_large():
    assert len(sentences.REWRITES) >= 250
    assert len(sentences.UNCHANGED) >= 130
    assert len(sentences.UNSOUND) >= 150


@pytest.mark.parametrize(
    ("text", "n"),
    sentences.UNSOUND
    + sentences.UNCHANGED
    + [(text, len(order)) for text, order, _ in sentences.REWRITES],
)
def test_identity_never_changes_and_never_raises(text, n):
    assert rewrite_references(text, identity(n)) == text


def test_the_error_says_what_and_where():
    with pytest.raises(UnsoundRewriteError) as error:
        rewrite_references("Is image 7 darker than image 2?", (1, 0))
    assert "there are only 2 images" in str(error.value)
    assert "image 7" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("order", [(0, 0), (1, 2), (-1, 0), (0, 2)])
def test_an_order_that_is_none_is_refused(order):
    with pytest.raises(InputError, match="order is no permutation"):
        rewrite_references("image 1", order)


# --- laws --------------------------------------------------------------------------------------

_ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth"]
#: Ways to name slot s of n that can name any slot.
NAMES = [
    lambda s: f"image {s + 1}",
    lambda s: f"Image-{s + 1}",
    lambda s: f"<image_{s + 1}>",
    lambda s: f"<image{s + 1}>",
    lambda s: f"[image {s + 1}]",
    lambda s: f"picture #{s + 1}",
    lambda s: f"the {_ORDINALS[s]} image",
    lambda s: f"the {_ORDINALS[s].upper()} PHOTO",
    lambda s: f"The {_ORDINALS[s].capitalize()} picture",
    lambda s: f"the {s + 1}{['st', 'nd', 'rd', 'th', 'th', 'th'][s]} photograph",
    lambda s: f"Image {['one', 'two', 'three', 'four', 'five', 'six'][s].capitalize()}",
]
FRAMES = [
    "Is {} brighter than {}?",
    "{}, then {}.",
    "Which dog of {} is also shown in {}, in the lower right corner?",
    "Given {} with the first card missing, is {} the part in the second row?",
    "There are 3 more circles in {} than in {} (Step 1).",
    "(A) {}\n(B) {}",
    "Both {} and {} show a cat.",
]


@st.composite
def texts(draw):
    """A text over n images and the slots that it names, each by a name that fits any slot."""
    n = draw(st.integers(2, 6))
    frames = draw(st.lists(st.sampled_from(FRAMES), min_size=1, max_size=4))
    pieces, slots = [], []
    for frame in frames:
        named = draw(st.lists(st.integers(0, n - 1), min_size=2, max_size=2))
        pieces.append(frame.format(*(draw(st.sampled_from(NAMES))(slot) for slot in named)))
        slots += named
    return " ".join(pieces), n, slots


@st.composite
def texts_and_orders(draw):
    text, n, slots = draw(texts())
    orders = [tuple(draw(st.permutations(range(n)))) for _ in range(2)]
    return text, slots, *orders


@given(texts_and_orders())
@settings(deadline=None)
def test_rewriting_twice_is_rewriting_by_the_composed_order(case):
    text, _, first, then = case
    twice = rewrite_references(rewrite_references(text, first), then)
    assert twice == rewrite_references(text, compose(first, then))


@given(texts_and_orders())
@settings(deadline=None)
def test_the_inverse_restores(case):
    text, _, order, _ = case
    assert rewrite_references(rewrite_references(text, order), inverse(order)) == text


@given(texts_and_orders())
@settings(deadline=None)
def test_every_mention_follows_its_image(case):
    text, slots, order, _ = case
    before = parse_references(text, len(order))
    assert [slot for mention in before.mentions for slot in mention.slots] == slots
    assert before.mentioned == mentioned_slots(text, len(order)) == set(slots)
    after = parse_references(before.render(order), len(order))
    assert [order[slot] for mention in after.mentions for slot in mention.slots] == slots
    assert [text[slice(*mention.span)] for mention in before.mentions] == [
        mention.words for mention in before.mentions
    ]


@given(st.data())
@settings(deadline=None)
def test_lists_ranges_and_groups_name_the_same_images(data):
    n = data.draw(st.integers(2, 6))
    order = tuple(data.draw(st.permutations(range(n))))
    low = data.draw(st.integers(1, n - 1))
    high = data.draw(st.integers(low + 1, n))
    text = data.draw(
        st.sampled_from(
            [f"images {low}-{high}", f"Images {low} to {high}", f"images {low} and {high}",
             f"the first {high} images", f"the last {high} photos", f"images {low}, {high} and 1",
             f"the {_ORDINALS[low - 1]} and {_ORDINALS[high - 1]} images"]
        )
    )  # fmt: skip
    before = [slot for m in parse_references(text, n).mentions for slot in m.slots]
    rewritten = rewrite_references(text, order)
    after = [order[slot] for m in parse_references(rewritten, n).mentions for slot in m.slots]
    assert before == after, rewritten


#: Words that name one slot of n, and the slot: kept for it, an ordinal for others.
DENOTATIONS = [
    ("the opening image", lambda n: 0), ("the foremost image", lambda n: 0), ("the lead picture", lambda n: 0),
    ("the premiere image", lambda n: 0), ("the initial photo", lambda n: 0), ("the secondary image", lambda n: 1),
    ("the closing image", lambda n: n - 1), ("the concluding picture", lambda n: n - 1),
    ("the final image", lambda n: n - 1), ("the end image in the series", lambda n: n - 1),
    ("the image of lucky number two", lambda n: 1), ("the image directly after the first", lambda n: 1),
]  # fmt: skip


@given(st.data())
@settings(deadline=None)
def test_denotations_follow_their_image(data):
    n = data.draw(st.integers(2, 6))
    order = tuple(data.draw(st.permutations(range(n))))
    text, slot_of = data.draw(st.sampled_from(DENOTATIONS))
    rewritten = rewrite_references(f"Describe {text}, please.", order)
    (mention,) = parse_references(rewritten, n).mentions
    assert order[mention.slots[0]] == slot_of(n)
    assert rewrite_references(rewritten, compose(inverse(order), order)) == rewritten


@given(st.data())
@settings(deadline=None)
def test_pairs_name_the_same_images_in_the_same_order(data):
    n = data.draw(st.sampled_from([4, 6, 8]))
    order = tuple(data.draw(st.permutations(range(n))))
    pair = data.draw(st.integers(0, n // 2 - 1))
    form = data.draw(st.sampled_from(["the {} pair of images", "the {} image pair"]))
    text = f"What changes in {form.format(_ORDINALS[pair])}?"
    rewritten = rewrite_references(text, order)
    named = [slot for m in parse_references(rewritten, n).mentions for slot in m.slots]
    assert [order[slot] for slot in named] == [2 * pair, 2 * pair + 1]


@given(st.lists(st.sampled_from(NAMES), min_size=2, max_size=4), st.permutations(range(2)))
@settings(deadline=None)
def test_a_swap_of_two_images_undoes_itself(names, order):
    order = tuple(order)
    text = ", then ".join(name(i % 2) for i, name in enumerate(names))
    assert rewrite_references(rewrite_references(text, order), order) == text


@given(st.sampled_from(sentences.UNCHANGED), st.data())
@settings(deadline=None)
def test_no_order_changes_what_mentions_no_image(row, data):
    text, n = row
    order = tuple(data.draw(st.permutations(range(n))))
    assert rewrite_references(text, order) == text


@given(st.sampled_from(sentences.UNCHANGED), st.sampled_from(NAMES), st.data())
@settings(deadline=None)
def test_what_mentions_no_image_stays_beside_a_mention(row, name, data):
    """It stays, or the whole is refused; it never changes."""
    text, n = row
    slot = data.draw(st.integers(0, n - 1))
    order = tuple(data.draw(st.permutations(range(n))))
    try:
        rewritten = rewrite_references(f"{text}\n\nLook at {name(slot)}.", order)
    except UnsoundRewriteError:
        return
    assert rewritten == f"{text}\n\nLook at {name(order.index(slot))}."


@given(
    st.text(alphabet="image 123,-and the first one<>_()[]#.\nleft?", max_size=80), st.integers(1, 4)
)
@settings(deadline=None, max_examples=300)
def test_any_text_is_either_rewritten_or_refused(text, n):
    for order in (tuple(reversed(range(n))), identity(n)):
        try:
            rewritten = rewrite_references(text, order)
        except UnsoundRewriteError:
            assert order != identity(n)
        else:
            assert isinstance(rewritten, str)


@given(st.text(max_size=60), st.integers(1, 3))
@settings(deadline=None)
def test_places_are_right_in_any_script(prefix, n):
    text = f"{prefix}\n. image 1"
    parsed = parse_references(text, n)
    assert all(text[slice(*mention.span)] == mention.words for mention in parsed.mentions)
    assert parsed.mentions[-1].words == "image 1"


# --- single rules ------------------------------------------------------------------------------


def test_a_swap_is_simultaneous():
    text = "The first image, the second image, the first image, image 2, image 1."
    expected = "The second image, the first image, the second image, image 1, image 2."
    assert rewrite_references(text, (1, 0)) == expected


def test_last_is_kept_only_while_it_is_last():
    text = "Is the last image red?"
    assert rewrite_references(text, (1, 0, 2)) == text
    assert rewrite_references(text, (0, 2, 1)) == "Is the second image red?"
    # "third" does not become "last": both say the same.
    assert rewrite_references("Is the second image red?", (0, 2, 1)) == "Is the third image red?"


def test_a_mention_has_span_slots_and_words():
    parsed = parse_references("Do images 1, 2 and 3 match <image_2>'s style?", 3)
    assert [(m.span, m.slots, m.words) for m in parsed.mentions] == [
        ((3, 20), (0, 1, 2), "images 1, 2 and 3"),
        ((28, 35), (1,), "image_2"),
    ]
    assert parsed.mentioned == {0, 1, 2}
    assert not parsed.doubts


def test_parsing_is_cached():
    assert parse_references("image 1", 2) is parse_references("image 1", 2)
    assert parse_references("image 1", 2) is not parse_references("image 1", 3)
    assert parse_references.cache_info().maxsize is not None


def test_more_than_twenty_images():
    order = (24, *range(24))
    assert rewrite_references("the twentieth image", order) == "the 21st image"
    assert rewrite_references("image 25 and image 9", order) == "image 1 and image 10"


def test_long_texts_take_time_in_proportion():
    def seconds(text):
        start = time.process_time()
        parse_references(text, 2)
        parse_references(text, 3)
        return time.process_time() - start

    for piece in (
        "the first image ",
        "image 1, ",
        "image ",
        "first, ",
        "the second one ",
        "[(<",
        "1, 2 or ",
        "the left is ",
        "one on the left ",
        "image 1's 2's ",
        "image 1 (second) ",
        "image\u200b2 ",
        "image\n2 ",
    ):
        assert seconds(piece * (50_000 // len(piece))) < 5


# --- slot names --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "n", "slot"),
    [
        ("Image 2", 3, 1), ("image 2.", 3, 1), ("the second image", 3, 1), ("second", 3, 1),
        ("2", 3, 1), ("2.", 3, 1), ("(2)", 3, 1), ("[2]", 3, 1), ("#2", 3, 1), ("2nd", 3, 1),
        ("the last one", 3, 2), ("last", 4, 3), ("Picture #2", 3, 1), ("IMAGE-3", 3, 2),
        ("<image_2>", 3, 1), ("image2", 3, 1), ("**Image 1**", 3, 0), (' "Image 3" ', 3, 2),
        ("two", 3, 1), ("image two", 3, 1), ("Image number 2", 3, 1), ("no. 2", 3, 1),
        ("The first one", 3, 0), ("third picture", 3, 2), ("the second-to-last image", 3, 1),
        ("the left image", 2, 0), ("Right", 2, 1), ("the one on the right", 2, 1),
        ("the image on the left", 2, 0), ("the former", 2, 0), ("the latter image", 2, 1),
        ("the first chart", 2, 0), ("Frame 2", 2, 1), ("the middle one", 3, 1), ("Image  2", 2, 1),
        ("4", 3, None), ("0", 3, None), ("image 0", 3, None), ("-2", 3, None), ("2.5", 3, None),
        ("images 1 and 2", 3, None), ("2 and 3", 3, None), ("1, 2", 3, None), ("red", 3, None),
        ("", 3, None), ("image", 3, None), ("the second card", 3, None), ("left", 3, None),
        ("A", 3, None), ("Figure 2", 3, None), ("two dogs", 3, None), ("the fourth image", 3, None),
        ("Image 2 is brighter than image 1", 3, None), ("[" * 1_000_000, 3, None),
        ("the first two images", 3, None), ("second hand", 3, None),
    ],
)  # fmt: skip
def test_parse_slot(text, n, slot):
    assert parse_slot(text, n) == slot


@given(st.text(max_size=30), st.integers(1, 5))
@settings(deadline=None)
def test_parse_slot_takes_any_text(text, n):
    slot = parse_slot(text, n)
    assert slot is None or 0 <= slot < n


@pytest.mark.parametrize(
    ("text", "order", "expected"),
    [
        ("2", (1, 0), "1"), ("(2)", (2, 0, 1), "(3)"), ("The second one.", (2, 0, 1), "The third one."),
        ("Second", (1, 0), "First"), ("2nd", (1, 0), "1st"), ("the left one", (1, 0), "the right one"),
        ("on the left", (1, 0), "on the right"), ("Image 2", (1, 0), "Image 1"),
        ("images 1 and 2", (2, 0, 1), "images 2 and 3"), ("red", (1, 0), "red"), ("one", (1, 0), "two"),
        ("last", (0, 2, 1), "second"), ("7", (1, 0), "7"), ("2", (0, 1), "2"),
    ],
)  # fmt: skip
def test_rewrite_slot_name(text, order, expected):
    assert rewrite_slot_name(text, order) == expected


def test_a_slot_name_follows_its_image():
    for names in NAMES:
        for slot in range(4):
            for order in other_orders(4):
                rewritten = rewrite_slot_name(names(slot), order)
                assert order[parse_slot(rewritten, 4)] == slot
