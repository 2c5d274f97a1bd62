r"""MV-MATH: a rule in place of its language model.

The published scorer asks a language model whether a reply's answer is right and, of a multi-step
question, how many of its steps are. Here:

* the answer is what the reply marks, also as its prompt asks for it, in plain braces (``{C}``);
* a choice has to be the gold's letter, a single-step answer has to have the gold's value;
* a multi-step answer is read step by step, "(1) …; (2) …", each step compared with the gold's. The
  question is right if all of them are. ``Reading.steps`` holds the count, from which the step accuracy
  and question completeness rates are made (``evals.aggregation``).

Figures are not comparable with published ones.
"""

from __future__ import annotations

import re

from perl_env.answer_text import MAX_ANSWER
from perl_env.answers import MAX_SEARCHED, marked_answer, spoken_part
from perl_env.question import Question
from perl_env.scoring.extraction import extracted_letter
from perl_env.scoring.mathverse import is_choice, read_value
from perl_env.scoring.rule import UNREADABLE, Reading, Rule, fact, read_letter, stated_text
from perl_env.value_equality import same_value

#: Plain braces, none that belong to LaTeX.
_BRACES = re.compile(r"(?<![\\\w}^_{])\{([^{}\n]{1,400})\}(?![{}])")
_STEP = re.compile(r"(?<![=+*/^a-z-])[(（]\s{0,3}(\d{1,2})\s{0,3}[)）]")
_BETWEEN_STEPS = " \t\n;；。，,."


def read(question: Question, reply: str) -> Reading:
    """Apply the rule to a reply."""
    kind = fact(question, "problem_type")
    if kind == "multi-step":
        return _read_steps(question, reply)
    reply = _with_braces_marked(reply)
    if is_choice(question, kind == "choice"):
        letter = extracted_letter(question, reply)
        return UNREADABLE if letter is None else read_letter(question, letter)
    return read_value(question, reply)


def _with_braces_marked(reply: str) -> str:
    """The reply, or only what it put in plain braces last, where it marks nothing else."""
    if marked_answer(reply) is not None:
        return reply
    found = _BRACES.findall(spoken_part(reply)[-MAX_SEARCHED:])
    return rf"\boxed{{{found[-1]}}}" if found else reply


def _read_steps(question: Question, reply: str) -> Reading:
    gold = split_steps(question.answer) or [question.answer]
    text = stated_text(reply)
    steps = split_steps(text)
    if not steps:  # a box around each step's answer, or around the last one's only
        text = spoken_part(reply)[-MAX_SEARCHED:]
        steps = split_steps(text)
    if not steps and len(gold) == 1:
        steps, text = [stated_text(reply)], stated_text(reply)
    if not steps:
        return Reading(None, False, (0, len(gold)))
    steps = [marked_answer(step) or step for step in steps]
    right = sum(same_value(a, b) for a, b in zip(gold, steps, strict=False))
    parsed = "; ".join(f"({i}) {step}" for i, step in enumerate(steps, start=1))[:MAX_ANSWER]
    return Reading(parsed, right == len(gold) == len(steps), (right, len(gold)))


def split_steps(text: str) -> list[str]:
    """The parts behind "(1)", "(2)", … in their sequence; none where there is no "(1)".

    A number in brackets that is not the next step's belongs to the step.

    >>> split_steps("(1) B (3, 5); (2) (3, 4);（3）7.5.")
    ['B (3, 5)', '(3, 4)', '7.5']
    """
    marks: list[re.Match[str]] = []
    for mark in _STEP.finditer(text):
        if int(mark.group(1)) == len(marks) + 1:
            marks.append(mark)
    starts, ends = [mark.end() for mark in marks], [mark.start() for mark in marks[1:]]
    return [
        text[start:end].strip(_BETWEEN_STEPS)
        for start, end in zip(starts, [*ends, len(text)], strict=False)
    ]


RULE = Rule("mv-math", read, "always", "ours; MV-MATH has a language model judge")
