r"""ReMI's rule, as in its authors' notebook.

The prompt asks for JSON with an "answer". A reply is read if it is such an object, with or without a
```` ```json ```` fence around it, or if it marks its answer (``\boxed{…}``, see ``perl_env.scoring``); else
it is unparsable. The answer is put in lower case and cut at "%". Then, by task:

* RefCoco: it has to be one of the label's numbers;
* GeomShape and GeomCost: within 3 % of the label;
* Clocks: within 10 of the label (minutes);
* all others: equal, numbers to within 1 %, without "(x)", brackets and white space.

The rule uses no judge: figures are comparable.
"""

from __future__ import annotations

import json
import math
import re

from perl_env.answers import marked_answer
from perl_env.question import LETTERS, Question
from perl_env.scoring.rule import UNREADABLE, Reading, Rule, fact, read_letter, stated_text

#: By task, how far a number may be off, as a share of the label.
_RELATIVE = {"geomshape": 0.03, "geomcost": 0.03}
_CLOCK_MINUTES = 10.0
_RELATIVE_ELSEWHERE = 0.01
_FENCE = re.compile(r"```(?:json)?\s*(.*?)\s*(?:```)?", re.IGNORECASE | re.DOTALL)
_IGNORED = re.compile(r"\(x\)|[()\s]")


def read(question: Question, reply: str) -> Reading:
    """Apply the rule to a reply."""
    answer = _answer(reply)
    if not answer:
        return UNREADABLE
    if question.options:
        return _read_option(question, answer)
    return Reading(answer, _is_right(answer, question.answer.lower(), fact(question, "task")))


def _answer(reply: str) -> str | None:
    """The answer in lower case, cut at "%"; ``None`` where the reply has not the form asked for."""
    text = stated_text(reply)
    found = _json_answer(text)
    if found is None and marked_answer(reply):
        found = text
    return None if found is None else found.lower().split("%")[0].strip()


def _json_answer(text: str) -> str | None:
    fenced = _FENCE.fullmatch(text)
    try:
        value = json.loads(fenced.group(1) if fenced else text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or value.get("answer") is None:
        return None
    return str(value["answer"])


def _read_option(question: Question, answer: str) -> Reading:
    bare = _IGNORED.sub("", answer)
    if len(bare) == 1 and bare.upper() in LETTERS:
        return read_letter(question, bare)
    for letter, option in zip(LETTERS, question.options, strict=False):
        if _IGNORED.sub("", option.lower()) == bare:
            return read_letter(question, letter)
    return UNREADABLE


def _is_right(answer: str, label: str, task: str) -> bool:
    task = task.lower()
    if task == "refcoco":
        return answer in [part.strip() for part in label.split(",")]
    left, right = _number(answer), _number(label.split("%")[0])
    if left is None or right is None:
        return _IGNORED.sub("", answer) == _IGNORED.sub("", label)
    if task == "clocks":
        return abs(left - right) <= _CLOCK_MINUTES
    return abs(left - right) <= _RELATIVE.get(task, _RELATIVE_ELSEWHERE) * abs(right)


def _number(text: str) -> float | None:
    try:
        value = float(_IGNORED.sub("", text))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


RULE = Rule("remi", read, "never", "ReMI, the authors' evaluation notebook")
