"""The rules of the first stage, one by one, and duplicates against a slow comparison of all pairs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from perl_env.curation.likeness import COLOUR_DISTANCE, Hashes, first_like, picture_hashes
from perl_env.curation.rule_filter import filter_by_rules
from perl_env.curation.settings import RuleSettings
from perl_env.curation.survey import take_facts
from perl_env.permutation import permute
from tests.perl_env.curation.models import pictures, question


def facts(*questions):
    return [take_facts(one, index) for index, one in enumerate(questions)]


def reasons(questions, benchmarks=(), **settings):
    outcomes = filter_by_rules(facts(*questions), facts(*benchmarks), RuleSettings(**settings))
    assert all(one.kept == (one.reason == "") for one in outcomes)
    return [one.reason for one in outcomes]


@pytest.mark.parametrize(
    ("fields", "settings", "reason"),
    [
        ({"order_class": "malformed"}, {}, "malformed"),
        ({}, {"form": "options"}, "no multiple choice"),
        ({"options": ("3", "4"), "answer": "A"}, {"form": "open"}, "multiple choice"),
        ({"kind": "count"}, {"kinds": ("sum",)}, "kind not asked for"),
        ({}, {"order_classes": ("referential",)}, "order class not asked for"),
        ({}, {"min_images": 4}, "too few images"),
        ({}, {"max_images": 2}, "too many images"),
        ({}, {"min_side": 49}, "picture too small"),
        ({}, {"max_side": 47}, "picture too large"),
        ({}, {"max_characters": 10}, "text too long"),
        ({}, {"min_images": 3, "max_images": 3, "min_side": 48, "max_side": 48}, ""),
    ],
)
def test_each_rule_says_its_reason(fields, settings, reason):
    assert reasons([question(**fields)], **settings) == [reason]


def smaller_and_compressed(one):
    """The same pictures at another size, after JPEG."""
    import io

    changed = []
    for image in one.images:
        file = io.BytesIO()
        Image.fromarray(image).resize((72, 72)).save(file, "JPEG", quality=80)
        changed.append(np.asarray(Image.open(file)))
    return replace(one, images=tuple(changed), key=one.key + "-again")


def test_a_question_that_comes_again_is_kept_once_whatever_its_size_or_spelling():
    first = question("Which image shows a dog?", "Image 2", order_class="slot-naming")
    again = smaller_and_compressed(replace(first, text="which image shows a dog"))
    other = question("Which image shows a dog?", "Image 2", seed=1, order_class="slot-naming")
    assert reasons([first, again, other]) == ["", "duplicate", ""]
    assert reasons([first, again, other], duplicates=False) == ["", "", ""]


def test_another_order_with_the_same_gold_is_a_duplicate_and_with_another_gold_is_not():
    first = question("Which image shows a dog?", "Image 1", order_class="slot-naming")
    moved = replace(permute(first, (1, 0, 2)), canonical=None, order=(), key="moved")
    count = question("How many dogs are there in all images?", "3", seed=5)
    turned = replace(permute(count, (2, 1, 0)), canonical=None, order=(), key="turned")
    assert reasons([first, moved, count, turned]) == ["", "", "", "duplicate"]


def test_questions_that_contradict_each_other_both_go():
    first = question(answer="3")
    assert reasons([first, replace(first, answer="4", key="b"), question(seed=2)]) == [
        "same question with another answer", "same question with another answer", "",
    ]  # fmt: skip


def test_pictures_of_another_colour_are_other_pictures():
    red = np.zeros((48, 48, 3), np.uint8)
    red[12:36, 12:36, 0] = 200
    blue = red[:, :, ::-1].copy()
    hashes = Hashes.of(*zip(*map(picture_hashes, (red, blue, red.copy())), strict=True))
    assert hashes.phashes[0] == hashes.phashes[2]
    assert first_like(hashes[1:], hashes[:1], 64).tolist() == [-1, 0]


def test_what_a_benchmark_has_goes():
    long = "What is the total number of all animals that can be seen in all of the images?"
    benchmark = question(long, seed=9)
    shares_picture = replace(question(seed=1), images=(*pictures(2, 7), benchmark.images[1]))
    shares_text = question(long, seed=2)
    short = question("How many are there?", seed=3)
    found = reasons([shares_picture, shares_text, short, question(seed=4)],
                    [benchmark, question("How many are there?", seed=8)])  # fmt: skip
    assert found == ["picture of a benchmark", "text of a benchmark", "", ""]


@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(0, 12))
def test_like_pictures_are_those_that_a_slow_comparison_finds(seed, n, distance):
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 2**63, 4, dtype=np.uint64)
    phashes = base[rng.integers(0, 4, n)] ^ (np.uint64(1) << rng.integers(0, 42, n, dtype=np.uint64))  # fmt: skip
    colours = rng.integers(100, 108, (n, 48), dtype=np.uint8) + rng.integers(0, 3, (n, 1), dtype=np.uint8) * 6  # fmt: skip
    hashes = Hashes(phashes, colours)
    found = first_like(hashes, hashes[: n // 2], distance)
    for i in range(n):
        alike = [
            j for j in range(n // 2)
            if (int(phashes[i]) ^ int(phashes[j])).bit_count() <= distance
            and max(abs(int(a) - int(b)) for a, b in zip(colours[i], colours[j], strict=True)) <= COLOUR_DISTANCE
        ]  # fmt: skip
        assert found[i] == (alike[0] if alike else -1)
