"""The documents of a task of lm-eval: one a question, made when it is looked at."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from evals.lm_eval_tasks.prompt import placed_text
from evals.lm_eval_tasks.settings import Settings
from evals.plan import make_plan
from evals.table import order_text
from perl_env.errors import UnsoundRewriteError
from perl_env.prompts import question_text
from perl_env.question import Question
from perl_env.questions import QuestionSource

#: One document, as plain data that lm-eval can write down.
Document = dict[str, Any]

#: Column by column what a document says.
COLUMNS = {
    "index": "number of the question in its source",
    "key": "names the question, as in our own tables",
    "kind": "its sub-task; may be empty",
    "order_class": "what a permutation does to it",
    "prompt": "the prompt in canonical order, with <image> for each picture",
    "answer": "the gold in canonical order",
    "orders": "the orders in which it is asked, as text: 2-0-1",
    "excluded": "why it cannot be asked soundly in other orders; empty where it can",
}


@dataclass(frozen=True)
class Asked:
    """A question as it is asked.

    Attributes:
        key: names it.
        in_orders: the question in each order, the canonical one first; it alone where it is excluded.
        excluded: why it cannot be asked soundly; empty where it can.
    """

    key: str
    in_orders: tuple[Question, ...]
    excluded: str = ""


class Documents:
    """The documents by index, as far as lm-eval needs a data set of them.

    A question is loaded and permuted when its document is looked at, so that a few documents of a
    large benchmark cost no more than a few. The orders are those of ``evals.evaluate``.
    """

    def __init__(self, source: QuestionSource, settings: Settings):
        self.source, self.settings = source, settings
        self.features = COLUMNS
        #: The question of a document; the last few are kept, since lm-eval asks several times.
        self.asked = functools.lru_cache(maxsize=4)(self._asked)

    def __len__(self) -> int:
        return len(self.source)

    def __iter__(self) -> Iterator[Document]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Document:
        asked = self.asked(index)
        canonical = asked.in_orders[0]
        return {
            "index": index,
            "key": asked.key,
            "kind": canonical.kind,
            "order_class": str(canonical.order_class),
            "prompt": placed_text(len(canonical.images), self.text(canonical)),
            "answer": canonical.answer,
            "orders": [order_text(question.order) for question in asked.in_orders],
            "excluded": asked.excluded,
        }

    def text(self, question: Question) -> str:
        """What stands below the pictures."""
        if self.settings.instruction is None:
            return question_text(question)
        return question_text(question, self.settings.instruction)

    def _asked(self, index: int) -> Asked:
        question = self.source[index]
        if not question.key:
            question = replace(question, key=str(index))  # as our own harness numbers them
        try:
            plan = make_plan([question], self.settings.orders, self.settings.repeats,
                             self.settings.perl_seed, strict=True)  # fmt: skip
        except UnsoundRewriteError as error:
            return Asked(question.key, (question,), str(error))
        return Asked(question.key, tuple(request.question for request in plan.requests))
