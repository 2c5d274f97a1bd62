"""Mantis-Eval's rule, as in its authors' evaluation script (TIGER-AI-Lab/Mantis, benchmark/eval.py).

Multiple choice: of what follows "final answer:", "the answer is" or "answer:" (tried in that order,
case ignored, where it stands first), else of the whole reply, the first letter is the choice. So "Based on the
images, A" is B and "The second one" is T. A letter beyond the options leaves the reply as a whole to be
compared with the gold option's text. Short answers have to equal the gold but for case and for brackets around the gold.

The rule uses no judge: figures are comparable.
"""

from __future__ import annotations

from perl_env.question import LETTERS, Question
from perl_env.scoring.rule import UNREADABLE, Reading, Rule, read_letter, stated_text

_MARKERS = ("final answer:", "the answer is", "answer:")


def read(question: Question, reply: str) -> Reading:
    """Apply the rule to a reply."""
    text = stated_text(reply)
    said = _after_marker(text)
    if not question.options:
        same = said.lower() == question.answer.strip("()\n ").lower()
        return Reading(said or None, same)
    first = next((character for character in said if character.isalpha()), "").upper()
    if len(first) == 1 and (reading := read_letter(question, first)) is not UNREADABLE:
        return reading
    # The script compares with the gold's text alone; other options' texts tell what a wrong one means.
    return next(
        (
            read_letter(question, letter)
            for letter, option in zip(LETTERS, question.options, strict=False)
            if text == option.strip()
        ),
        UNREADABLE,
    )


def _after_marker(text: str) -> str:
    lower = text.lower()
    if len(lower) != len(text):  # a few letters change their length with their case
        lower = text
    for marker in _MARKERS:
        if (found := lower.find(marker)) >= 0:
            return text[found + len(marker) :].strip()
    return text.strip()


RULE = Rule("mantis-eval", read, "never", "Mantis, benchmark/eval.py")
