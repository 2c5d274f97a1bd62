"""BLINK's rule, as in its authors' evaluation (zeyofu/BLINK_Benchmark, eval/test_benchmark.py).

A reply is read if it is a letter, bare or in brackets ("B", "(B)"), or if one option and no other stands in
brackets in its last paragraph, else in all of it ("It is (B)."). For all others the authors ask GPT-3.5
which option is meant; here they are unparsable. So our figures can only be lower than with the judge, and
only by replies that do not answer with a letter. (A full stop behind the letter, which also makes the
authors ask, is passed over.)

The copy of the benchmark in lmms-eval instead takes the first letter of the reply, by which
"The answer is B" is T. That is not the authors' rule and is not followed here.
"""

from __future__ import annotations

import re

from perl_env.question import LETTERS, Question
from perl_env.scoring.rule import UNREADABLE, Reading, Rule, read_letter, stated_text

_ONLY_LETTER = re.compile(r"(?:([A-Z])|\(([A-Z])\))\.?")
_BRACKETED = re.compile(r"(?<!\S)\(([A-Z])\)(?=[.,;:!?]?(?:\s|\Z))")


def read(question: Question, reply: str) -> Reading:
    """Apply the rule to a reply."""
    text = stated_text(reply)
    if only := _ONLY_LETTER.fullmatch(text):
        return read_letter(question, only.group(1) or only.group(2))
    for part in (text.rsplit("\n\n", 1)[-1], text):
        named = _named(question, part)
        if len(named) == 1:
            return read_letter(question, named.pop())
    return UNREADABLE


def _named(question: Question, text: str) -> set[str]:
    """The options that stand in brackets in a text, each a word of its own."""
    options = LETTERS[: len(question.options)] or LETTERS
    return {letter for letter in _BRACKETED.findall(text) if letter in options}


RULE = Rule("blink", read, "fallback", "BLINK, eval/test_benchmark.py")
