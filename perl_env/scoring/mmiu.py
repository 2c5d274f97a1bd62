"""MMIU's rule, as in its authors' evaluation (OpenGVLab/MMIU, evaluate.py).

A reply of which one letter from A to N remains without its punctuation is that choice, in either case.
For all others the authors ask GPT-4o-mini which option is meant; here they are unparsable. So our
figures can only be lower than with the judge.
"""

from __future__ import annotations

import string

from perl_env.question import Question
from perl_env.scoring.rule import UNREADABLE, Reading, Rule, read_letter, stated_text

_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_CHOICES = frozenset("abcdefghijklmn")


def read(question: Question, reply: str) -> Reading:
    """Apply the rule to a reply."""
    text = stated_text(reply).translate(_NO_PUNCTUATION).strip().lower()
    return read_letter(question, text) if text in _CHOICES else UNREADABLE


RULE = Rule("mmiu", read, "fallback", "MMIU, evaluate.py")
