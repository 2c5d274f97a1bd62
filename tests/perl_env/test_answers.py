import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perl_env.answers import MAX_BARE, MAX_SEARCHED, extract_answer, is_well_formed

PAPERS_FORMAT = re.compile(r"<think>.*</think>.*\\boxed\{.*\}.*", re.DOTALL)


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        # boxes
        (r"\boxed{B}", "B"),
        (r"<think>a</think>\boxed{ 12 }", "12"),
        (r"first \boxed{A}, no, \boxed{B}", "B"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\boxed{C}}", "C"),
        (r"\boxed{A} and then \boxed{B", "A"),
        (r"in \boxed{}: \boxed{D}. Put it in \boxed{}.", "D"),
        (r"a stray } and { then \boxed{B}", "B"),
        (r"<think>\boxed{A}</think>", "A"),
        ("\\boxed\n{B}", "B"),
        (r"<answer>A</answer> \boxed{B}", "B"),
        # tags
        ("<answer>B</answer>", "B"),
        ("<answer>A</answer> no <ANSWER> C </ANSWER>", "C"),
        ("<answer>The answer is (D).</answer>", "(D)."),
        ("<answer>A</answer><answer></answer>", "A"),
        # what follows a thought wins over what is marked within it
        (r"<think>maybe \boxed{A}</think><answer>B</answer>", "B"),
        (r"<think>maybe \boxed{A}</think>The answer is B", "B"),
        (r"<think>maybe \boxed{A}</think>\boxed{B}", "B"),
        ("<think>Perhaps <answer>A</answer></think> B", "B"),
        (r"<think>\boxed{A}</think>" + "\n", "A"),
        (r"<think>\boxed{A}</think>\boxed{}", "A"),
        ("<think>\\boxed{A}</think>I looked twice.\nThey differ.", "A"),
        (r"<think>\boxed{A}", "A"),
        # phrases within a box
        (r"\boxed{The answer is B}", "B"),
        (r"\boxed{\text{The answer is B}}", "B"),
        (r"\boxed{\text{The answer is }\frac{1}{2}}", r"\text{The answer is }\frac{1}{2}"),
        # phrases
        ("The answer is B", "B"),
        ("So the answer is: B.", "B."),
        ("The answer is A. No: the answer is B", "B"),
        ("Final Answer: 42", "42"),
        ("**Final answer:** 42", "42"),
        ("**Answer**: the red one", "the red one"),
        ("I think.\nAnswer:\n(C)", "(C)"),
        ("The correct option is D\nbye", "D"),
        ("The answer is 42. I hope that helps.", "42"),
        ("The answer is 3.5. So it is.", "3.5"),
        ("The answer is B. The second image", "B. The second image"),
        ("The answer is B. It is red.", "B"),
        ("<think>hm</think>The answer is 3-1-2", "3-1-2"),
        # bare
        ("B", "B"),
        (" two birds \n", "two birds"),
        ("<think>one, two</think>\n2", "2"),
        ("B\n\nBecause A is wrong.", "B Because A is wrong."),
    ],
)
def test_the_answer_is_found(reply, answer):
    assert extract_answer(reply) == answer


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "   \n ",
        r"\boxed{}",
        r"\boxed{B",
        "first line\nsecond line",
        "x" * (MAX_BARE + 1),
        "<think>the answer is A, or",
        "<think>the answer is A</think>",
        "<think>A",
        "<think>done</think>\nthen <think>the answer is B",
        "Answer:",
        "B\n\nBecause A is wrong.\nOr is it?",
        "B\n\nA is wrong.",
    ],
)
def test_where_no_answer_is_stated_none_is_found(reply):
    assert extract_answer(reply) is None


def test_only_the_end_of_a_reply_is_searched():
    assert extract_answer(r"\boxed{B}" + " " * (MAX_SEARCHED - 20)) == "B"
    assert extract_answer(r"\boxed{B}" + "\nx" * MAX_SEARCHED) is None


@pytest.mark.parametrize(
    "piece",
    [
        r"\boxed{", "[", "{", "}", "{}", "<think>", "</think>", "<think></think>", "<answer>", "</answer>",
        "the answer is ", "answer:", "\\", "\\boxed", "\\boxed ", "\n", " ", "correct ", "*", "_", ". A",
        r"\boxed{}", r"\boxed{a}", "answer" + " " * 50, "a", "\\text{", "$", "Answer is:****   ", "<", "B. ",
    ],
)  # fmt: skip
def test_a_megabyte_of_anything_takes_no_time(piece):
    reply = piece * (10**6 // len(piece))
    started = time.perf_counter()
    for text in (reply, "<think>" + reply, "<think></think>" + reply, reply + r"\boxed{B}"):
        extract_answer(text)
        is_well_formed(text)
    assert time.perf_counter() - started < 5  # anything quadratic would take minutes


@pytest.mark.parametrize(
    ("reply", "well_formed"),
    [
        (r"<think>two</think>\boxed{2}", True),
        ("<think>two\nlines</think>\n\nSo \\boxed{2}.", True),
        ("\n <think></think>\\boxed{}\n", True),
        (r"<think>two</think> 2", False),
        (r"\boxed{2}", False),
        (r"two</think>\boxed{2}", False),
        (r"<think>\boxed{2}</think>", False),
        (r"<think>two</think>\boxed{2", False),
        (r"so <think>two</think>\boxed{2}", False),
        (r"</think><think>\boxed{2}", False),
        ("", False),
    ],
)
def test_well_formed(reply, well_formed):
    assert is_well_formed(reply) is well_formed


pieces = st.lists(
    st.sampled_from(
        [
            "<think>",
            "</think>",
            r"\boxed{",
            "{",
            "}",
            "<answer>",
            "</answer>",
            "B",
            " ",
            "\n",
            "answer: ",
        ]
    )
).map("".join)


@settings(deadline=None)
@given(pieces)
def test_well_formed_agrees_with_the_papers_pattern(reply):
    assert is_well_formed(reply) == bool(PAPERS_FORMAT.fullmatch(reply.strip()))


@settings(deadline=None)
@given(st.text() | pieces)
def test_any_reply_gives_a_stripped_answer_or_none(reply):
    answer = extract_answer(reply)
    assert answer is None or answer == answer.strip() != ""


@settings(deadline=None)
@given(st.text(alphabet="ab{} \\frac12", max_size=30))
def test_a_balanced_box_after_anything_wins(before):
    assert extract_answer(before.replace("\\", "") + r" \boxed{3{4}5}") == "3{4}5"
