"""What an evaluation asks: every question in its orders, the same for every model."""

from __future__ import annotations

import dataclasses
import hashlib
import zlib
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from evals.orders import balanced_orders
from evals.table import order_text
from perl_env.errors import InputError, UnsoundRewriteError
from perl_env.grading import STRICT
from perl_env.order_class import OrderClass
from perl_env.permutation import permute
from perl_env.question import Order, Question
from perl_env.registration import load_questions

#: Question, order as text, and repeat: the place of one reply.
Place = tuple[str, str, int]


@dataclass(frozen=True)
class Excluded:
    """A question that was not asked, and why."""

    question: str
    reason: str


@dataclass(frozen=True)
class Request:
    """One question in one order, to be asked for one or more repeats."""

    key: str
    question: Question
    repeats: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """What is to be asked.

    Attributes:
        questions: the questions by key, in canonical order.
        requests: question by question, its orders one after the other and the repeats of an order in
            one request: so engines can reuse what requests have in common (an order's whole prompt,
            a question's pictures and the text before the first picture that moves).
        excluded: questions that are not asked, with reasons.
    """

    questions: Mapping[str, Question]
    requests: tuple[Request, ...]
    excluded: tuple[Excluded, ...]

    @property
    def places(self) -> list[Place]:
        """The place of every reply, in order."""
        return [
            (request.key, order_text(request.question.order), repeat)
            for request in self.requests
            for repeat in request.repeats
        ]

    def without(self, done: Container[Place]) -> list[Request]:
        """The requests that remain when the replies in ``done`` are there already."""
        remaining = []
        for request in self.requests:
            order = order_text(request.question.order)
            missing = tuple(r for r in request.repeats if (request.key, order, r) not in done)
            if missing:
                remaining.append(dataclasses.replace(request, repeats=missing))
        return remaining


def make_plan(
    questions: Sequence[Question], orders: int, repeats: int, seed: int, strict: bool = False
) -> Plan:
    """What to ask: every question in its orders, all permuted and checked beforehand."""
    if repeats < 1:
        raise InputError("too few repeats", where="repeats", expected="at least 1", got=repeats)
    if not questions:
        raise InputError("no questions", where="questions", expected="at least one", got=0)
    asked: dict[str, Question] = {}
    requests: list[Request] = []
    excluded: list[Excluded] = []
    for key, question in _with_keys(questions).items():
        try:
            permuted = _in_orders(
                question, balanced_orders(question, orders, order_generator(seed, key))
            )
        except UnsoundRewriteError as error:
            if strict:
                raise
            excluded.append(Excluded(key, str(error)))
            continue
        asked[key] = question
        requests.extend(Request(key, one, tuple(range(repeats))) for one in permuted)
    if not requests:
        raise InputError("no question can be asked", where="questions",
                         expected="at least one that can be rewritten", got=excluded[0].reason)  # fmt: skip
    return Plan(asked, tuple(requests), tuple(excluded))


def _in_orders(question: Question, orders: Sequence[Order]) -> list[Question]:
    if question.order_class is OrderClass.MALFORMED:
        raise UnsoundRewriteError("malformed question", where=f"question {question.key!r}")
    return [permute(question, order) for order in orders]


def _with_keys(questions: Sequence[Question]) -> dict[str, Question]:
    """The canonical questions by their keys, or by number where none has a key.

    Raises:
        InputError: two questions have one key, or some have none.
    """
    canonical = [question.canonical or question for question in questions]
    if not any(question.key for question in canonical):
        return {str(i): question for i, question in enumerate(canonical)}
    for i, question in enumerate(canonical):
        if not question.key:
            raise InputError("question without a key among others that have one",
                             where=f"questions, index {i}", expected="a key, or none in all",
                             got=repr(question.text))  # fmt: skip
    key, n = Counter(question.key for question in canonical).most_common(1)[0]
    if n > 1:
        raise InputError("two questions have one key", where="questions",
                         expected="each question a key of its own", got=f"{n} × {key!r}")  # fmt: skip
    return {question.key: question for question in canonical}


def order_generator(seed: int, key: str) -> np.random.Generator:
    """The generator that draws a question's orders: the same for every model, on every machine."""
    return np.random.default_rng([seed, stable_hash(key)])


def questions_digest(questions: Sequence[Question]) -> str:
    """A fingerprint of questions and pictures, by which a run directory knows its questions."""
    digest = hashlib.sha256()
    for question in questions:
        value = (question.key, *_content(question))
        digest.update(repr(value).encode("utf-8", "surrogatepass"))
        if question.scoring != STRICT:  # replies are graded once, when they come
            rule = (question.scoring, question.facts)
            digest.update(repr(rule).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:16]


def question_digest(question: Question) -> str:
    """A fingerprint of what one question asks, pictures and gold included, whatever its key and order.

    Two runs that hold one key with different fingerprints were asked different questions. How replies
    are scored is no part of it.
    """
    question = question.canonical or question
    if question not in _DIGESTS:
        text = repr(_content(question)).encode("utf-8", "surrogatepass")
        _DIGESTS[question] = hashlib.sha256(text).hexdigest()[:16]
    return _DIGESTS[question]


#: Every reply carries its question's fingerprint; pictures are read once a question, not once a reply.
_DIGESTS: WeakKeyDictionary[Question, str] = WeakKeyDictionary()


def _content(question: Question) -> tuple[object, ...]:
    pictures = [(i.shape, zlib.crc32(np.ascontiguousarray(i).data)) for i in question.images]
    return (question.text, question.options, question.answer, str(question.order_class),
            question.pinned, pictures)  # fmt: skip


def reload_questions(config: Mapping[str, Any]) -> dict[str, Question]:
    """The questions of a run directory's configuration by key; none where they cannot be had again.

    They cannot where the run did not say where they are from, where their files are gone, or where
    what is there now is no longer what was asked.
    """
    if not config.get("questions_from"):
        return {}
    try:
        questions = load_questions(**config["questions_from"])
    except (InputError, OSError):
        return {}
    if questions_digest(questions) != config.get("questions_digest"):
        return {}
    return _with_keys(questions)


def stable_hash(*parts: object) -> int:
    """A 63-bit number that is the same in every process, as Python's own hash is not."""
    text = "\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1
