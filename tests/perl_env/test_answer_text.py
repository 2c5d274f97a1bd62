from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perl_env.answer_text import (
    as_measure,
    as_number,
    content_key,
    is_formula,
    normal_text,
    number_text,
    plain,
)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1000", 1000), ("1,000", 1000), ("1000.0", 1000), ("1,234,567.5", Fraction("1234567.5")),
        ("-3", -3), ("−3", -3), ("+3", 3), (".5", Fraction(1, 2)), ("3.", 3), ("007", 7), ("1e3", 1000),
        ("1/2", Fraction(1, 2)), ("½", Fraction(1, 2)), ("2½", Fraction(5, 2)), ("2 1/2", Fraction(5, 2)),
        (r"\frac{1}{2}", Fraction(1, 2)), (r"-\dfrac{3}{4}", Fraction(-3, 4)), ("$5$", 5), ("$5", 5),
        (r"\$1,200.00", 1200), ("two", 2), ("Twelve.", 12), ("zero", 0), ("twenty", 20), ("**7**", 7),
        (r"\text{7}", 7), ("７", 7),
    ],
)  # fmt: skip
def test_numbers(text, number):
    assert as_number(text) == number


@pytest.mark.parametrize(
    "text",
    ["", "1,00", "1,2", "10,00", "1/0", "50%", "5 cm", "two dogs", "2x", "1-2", "3.4.5", "5!", "10²", "9" * 100,
     "1e999", "9**9", "twenty-one", "١٢", "inf", "nan", "--3", "1_000"],
)  # fmt: skip
def test_what_is_no_number(text):
    assert as_number(text) is None


@pytest.mark.parametrize(
    ("text", "measure"),
    [
        ("5", (5, "")), ("5 cm", (5, "cm")), ("5cm", (5, "cm")), (r"5\text{ cm}", (5, "cm")), ("50%", (50, "%")),
        (r"50\%", (50, "%")), ("50 percent", (50, "%")), (r"45^\circ", (45, "°")), ("45 degrees", (45, "°")),
        ("5 cm²", (5, "cm2")), ("60 km/h", (60, "km/h")), ("3 Birds.", (3, "birds")), ("5 m", (5, "m")),
    ],
)  # fmt: skip
def test_measures(text, measure):
    assert as_measure(text) == measure


@pytest.mark.parametrize(
    "text",
    [
        "3 or 4",
        "3 or",
        "2x",
        "2 x",
        "5m",
        "3 million",
        "two dogs",
        "2nd",
        "5 pi",
        "cm",
        "",
        "3 red birds",
    ],
)
def test_what_is_no_measure(text):
    assert as_measure(text) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("True", "true."), ("A dog", "  a   DOG! "), ("T-shirt", "t shirt"), ("“Stop”", "stop"), ("don't", "dont"),
        ("red, blue", "Red; blue"), (r"\text{red}", "red"), ("**Yes**", "yes"), ("_yes_", "yes"), ("`yes`", "Yes"),
        ("[1, 3, 4]", "1,3,4"), ("Image-2", "image 2"), ("x + 1", "x+1"), (r"\(x\)", "x"), ("3→1→2", "3, 1, 2"),
        (r"3 \rightarrow 1", "3 → 1"), ("(2, 3)", "(2.0,3)"), ("No!", "no"), ("the end…", "The end"),
    ],
)  # fmt: skip
def test_answers_that_say_the_same(one, other):
    assert content_key(one) == content_key(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5", "-5"), ("3.5", "35"), ("10²", "102"), ("3:45", "345"), ("5!", "5"), ("x", "-x"), ("1/2", "12"),
        ("[0, 1]", "(0, 1)"), ("x+1", "x-1"), ("a", "b"), ("2(x+1)", "2x+1"), ("C++", "C"), ("10", "1,0"),
        ("50%", "50"), ("X+1", "x+1"), ("1.5, 2", "15, 2"),
    ],
)  # fmt: skip
def test_answers_that_say_different_things(one, other):
    assert content_key(one) != content_key(other)


@pytest.mark.parametrize("text", ["", "  ", "...", "?!", "**", '""', "()"])
def test_answers_that_say_nothing(text):
    assert content_key(text) == ""


@pytest.mark.parametrize(
    ("text", "formula"),
    [("x-1", True), ("2x=4", True), (r"\pi", True), ("T-shirt", False), ("3-1-2", False), ("and/or", False),
     ("red", False), ("5", False), ("-5", False)],
)  # fmt: skip
def test_formulas(text, formula):
    assert is_formula(text) is formula


@settings(deadline=None)
@given(st.fractions())
def test_a_number_has_one_spelling_that_reads_back(value):
    text = number_text(value)
    if len(text) < 60:
        assert as_number(text) == value


@settings(deadline=None)
@given(st.text(max_size=80))
def test_normalising_any_text_is_stable(text):
    assert isinstance(as_measure(text), tuple | None)
    assert plain(plain(text)) is not None
    key = content_key(text)
    assert key == key.strip()
    assert isinstance(normal_text(text), str)


@settings(deadline=None)
@given(st.integers(-(10**9), 10**9))
def test_thousands_may_be_grouped(number):
    assert content_key(f"{number:,}") == content_key(f"{number}.0") == str(number)
