"""BLINK's rule: the reply has to be an option's letter, as its authors' evaluation demands it.

A reply is read if it is a letter, bare or in brackets ("B", "(B)"), or if one option and no other
stands in it in brackets ("It is (B)."). For all others the authors ask GPT-3.5 which option is meant;
here they are unparsable. So our figures can only be lower than with the judge, and only by replies
that do not answer with a letter.

The copy of the benchmark in lmms-eval instead takes the first letter of the reply, by which
"The answer is B" is T. That is not the authors' rule and is not followed here.
"""

from __future__ import annotations

import re

from perl_env.question import LETTERS, Question
from perl_env.scoring.rule import UNREADABLE, Reading, Rule, read_letter, stated_text

_ONLY_LETTER = re.compile(r"\(?([A-Z])\)?\.?")
_BRACKETED = re.compile(r"\(([A-Z])\)")


def read(question: Question, reply: str) -> Reading:
    """Apply the rule to a reply."""
    text = stated_text(reply)
    if only := _ONLY_LETTER.fullmatch(text):
        return read_letter(question, only.group(1))
    options = LETTERS[: len(question.options)] or LETTERS
    named = {letter for letter in _BRACKETED.findall(text) if letter in options}
    return read_letter(question, named.pop()) if len(named) == 1 else UNREADABLE


RULE = Rule("blink", read, "fallback", "BLINK, eval")
