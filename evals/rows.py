"""One reply, graded, as a row of the table."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from agents.engines.base import REFUSED, Reply
from evals.plan import Place, question_digest
from evals.table import Row, order_text
from perl_env.grading import Grade, count_choices, gold_slot, grade
from perl_env.order_class import EQUIVARIANT_CLASSES
from perl_env.question import Question


def make_row(
    key: str, question: Question, repeat: int, reply: Reply, task: str | Mapping[str, str]
) -> Row:
    """The row of one reply to a question in its current order; of a mixture, ``task`` is by key.

    What an endpoint said when it refused the question is not graded: it is no answer.
    """
    if reply.finish_reason == REFUSED:
        graded = Grade(None, None, False, False, grade(question, "").steps)
    else:
        graded = grade(question, reply.text)
    steps_right, steps = graded.steps or (None, None)
    return {
        "question": key,
        "question_digest": question_digest(question),
        "task": task if isinstance(task, str) else task[key],
        "kind": question.kind,
        "order_class": str(question.order_class),
        "order": order_text(question.order),
        "repeat": repeat,
        "gold_slot": gold_slot(question),
        "chosen_slot": chosen_slot(question, graded),
        "gold_letter": question.answer if question.options else None,
        "chosen_letter": graded.parsed if question.options else None,
        "n_images": len(question.images),
        "n_choices": count_choices(question),
        "reply": reply.text,
        "finish_reason": reply.finish_reason,
        "reply_tokens": len(reply.token_ids) or None,
        "parsed": graded.parsed,
        "canonical": graded.canonical,
        "correct": bool(graded.correct),
        "well_formed": bool(graded.well_formed),
        "scoring": question.scoring,
        "steps": steps,
        "steps_right": steps_right,
    }


def chosen_slot(question: Question, graded: Grade) -> int | None:
    """The slot, in the question's order, of the picture that the graded reply names, if any.

    It is what would be the gold's slot if the reply were right.
    """
    if graded.parsed is None or question.order_class not in EQUIVARIANT_CLASSES:
        return None
    return gold_slot(dataclasses.replace(question, answer=graded.parsed))


def place_of(row: Mapping[str, Any]) -> Place:
    """The place of a row's reply."""
    return row["question"], row["order"], row["repeat"]
