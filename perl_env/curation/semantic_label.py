"""Fourth stage: does another order of the images change the answer, and how?

The rules decide where they are certain. Where they are not, a model is asked, and its word counts where
it agrees with what the rules or the source propose. Everything else is listed in ``labels.jsonl`` for a
person and left out until somebody has decided: whoever sets ``order_class`` there overrides all others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perl_env.classification import Classification, classify
from perl_env.curation.asking import Sampling, Wanted, ask_until_valid, json_in
from perl_env.curation.outcome import Outcome, changed, checked, problem
from perl_env.curation.settings import LabelSettings
from perl_env.curation.stage_input import StageInput
from perl_env.curation.workspace import Workspace
from perl_env.errors import InputError
from perl_env.order_class import EQUIVARIANT_CLASSES, OrderClass
from perl_env.prompts import option_lines
from perl_env.question import Question

STAGE, FILE = "labels", "labels.jsonl"
TEMPERATURE = 0.7

_MEANINGS = {
    OrderClass.INVARIANT: "no image is named and no order matters: the same text and answer fit every order",
    OrderClass.REFERENTIAL: "the text names images by their number or place, the answer does not",
    OrderClass.SLOT_NAMING: "the answer or the options name an image by its number or place",
    OrderClass.INDEX_LIST: "the answer is a list of image numbers or ranks",
    OrderClass.IMAGE_OPTIONS: "the last images are themselves the options A, B, …",
    OrderClass.TEMPORAL: "the order of the images means something: time, steps, before and after",
    OrderClass.LAYOUT: "the text speaks about places on a page, such as left or right, top or bottom",
}

PROMPT = """Below is a question about {n} images, with its right answer. What would happen if the same images were shown in another order?

Choose the class that fits:
{classes}

Answer with one JSON object and nothing else:
{{"order_class": "one of the classes above", "answer_changes": true or false}}
"answer_changes" says whether the right answer, as it is written, would have to become another one.

Question: {question}
Right answer: {answer}"""


@dataclass(frozen=True)
class Labels:
    """What a person decided.

    Attributes:
        decided: the fields that each decided question gets: its class and, where the person says so,
            what its index lists mean.
        lines: everything in the file, by key, as it stands there.
    """

    decided: Mapping[str, Mapping[str, Any]]
    lines: Mapping[str, Mapping[str, Any]]


def read_labels(path: Path) -> Labels:
    """The decisions in a file; none where there is no file.

    Raises:
        InputError: a line is no JSON, names no question, or a class that is none.
    """
    decided: dict[str, Mapping[str, Any]] = {}
    lines: dict[str, Mapping[str, Any]] = {}
    if not path.exists():
        return Labels(decided, lines)
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        where = f"{path}, line {number}"
        if not text.strip():
            continue
        try:
            line = json.loads(text)
            key = line["key"]
        except (ValueError, TypeError, KeyError):
            raise InputError("line cannot be read", where=where, expected='JSON with "key" and "order_class"',
                             got=text) from None  # fmt: skip
        lines[key] = line
        if (name := line.get("order_class")) is not None:
            if name not in tuple(OrderClass):
                raise InputError("unknown order class", where=where,
                                 expected=f"one of {', '.join(OrderClass)}, or null", got=name)  # fmt: skip
            meaning = {"index_list": line["index_list"]} if line.get("index_list") else {}
            decided[key] = {"order_class": OrderClass(name), **meaning}
    return Labels(decided, lines)


def label(given: StageInput, settings: LabelSettings, labels: Labels) -> list[Outcome]:
    """The outcome of every question; its class is among the changes where it is another one.

    Args:
        given: its model is asked where the rules are unsure.
        settings: of this stage.
        labels: what a person decided.
    """
    proposed = {key: classify(given.load(key)) for key in given.keys}
    unsure = [key for key in given.keys if key not in labels.decided and not proposed[key].certain]
    said: dict[str, Any] = {}
    if given.model is not None and unsure:
        wanted = {key: _wanted(given.load(key), given, settings) for key in unsure}
        sampling = Sampling(TEMPERATURE, settings.max_new_tokens)
        said = ask_until_valid(
            given.answers, given.model, sampling, wanted, lambda _, text: _read(text),
            settings.attempts, given.progress, STAGE,
        )  # fmt: skip
    return [
        _decide(given.load(key), proposed[key], said.get(key), labels.decided.get(key), settings)
        for key in given.keys
    ]


def _decide(
    question: Question,
    rule: Classification,
    said: Any,
    human: Mapping[str, Any] | None,
    settings: LabelSettings,
) -> Outcome:
    source = question.order_class if settings.trust_source else None
    model = said if isinstance(said, OrderClass) else None
    note = {
        "source": str(question.order_class), "rules": str(rule.order_class), "certain": rule.certain,
        "words": list(rule.evidence), "why": rule.reason, "model": model and str(model),
        "model_problem": str(said) if isinstance(said, ValueError) else None,
    }  # fmt: skip
    if human is not None:
        return _as_told(question, human, note)
    if rule.certain:
        if source not in (None, rule.order_class):
            return Outcome(question.key, False, "rules and source disagree", note=note)
        return _settled(question, rule.order_class, "by rule", note)
    if model is not None:
        if model in (source, rule.order_class):
            return _settled(question, model, "by model", note)
        return Outcome(question.key, False, "model disagrees with rules and source", note=note)
    if source is not None:
        return _settled(question, source, "by its source", note)
    return Outcome(question.key, False, "nobody is certain", note=note)


def _as_told(question: Question, told: Mapping[str, Any], note: Mapping[str, Any]) -> Outcome:
    """The question as a person wants it; what cannot be is an error, since the line can be mended."""
    if told["order_class"] is OrderClass.MALFORMED:
        return Outcome(question.key, False, "malformed, by a person", note=note)
    changes = {name: value for name, value in told.items() if value != getattr(question, name)}
    try:
        checked(changed(question, changes))
    except InputError as error:
        raise InputError("label cannot be used", where=f"{FILE}, question {question.key!r}",
                         expected="a class with which the question can be asked",
                         got=f"{told['order_class']}: {error}") from error  # fmt: skip
    return Outcome(question.key, True, "by a person", changes, note)


def _settled(
    question: Question, order_class: OrderClass, by: str, note: Mapping[str, Any]
) -> Outcome:
    """The question with its class, if it can be asked with it."""
    changes = {} if order_class is question.order_class else {"order_class": order_class}
    if wrong := problem(question, changes):
        return Outcome(
            question.key, False, f"cannot be asked as its class says: {wrong}", note=note
        )
    return Outcome(question.key, True, by, changes, note)


def write_labels(
    workspace: Workspace,
    outcomes: Sequence[Outcome],
    load: Callable[[str], Question],
    labels: Labels,
) -> int:
    """List what a person should decide; lines that are there already stay as they are.

    Returns:
        How many questions wait for a decision.
    """
    lines = dict(labels.lines)
    waiting = [one for one in outcomes if not one.kept and one.key not in labels.decided]
    for one in waiting:
        question = load(one.key)
        fresh = {
            "key": one.key, "order_class": None, "why": one.reason, "question": question.text,
            "options": list(question.options), "answer": question.answer, "images": len(question.images),
            **one.note,
        }  # fmt: skip
        lines[one.key] = lines.get(one.key) or fresh
    if lines:
        with workspace.replacing(FILE) as file:
            for line in lines.values():
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
    return len(waiting)


def _wanted(question: Question, given: StageInput, settings: LabelSettings) -> Wanted:
    text = PROMPT.format(
        n=len(question.images), question="\n".join((question.text, *option_lines(question))),
        answer=question.answer, classes="\n".join(f"- {name}: {what}" for name, what in _MEANINGS.items()),
    )  # fmt: skip
    key, shown = question.key, settings.show_pictures
    about = ["label", text, given.pixels[key] if shown else None]
    return Wanted(about, 1, lambda: (given.load(key).images if shown else (), text))


def _read(answer: str) -> OrderClass:
    """The class that an answer names.

    Raises:
        ValueError: none, or one that contradicts what it says of the answer.
    """
    said = json_in(answer)
    name, changes = said.get("order_class"), said.get("answer_changes")
    if name not in tuple(_MEANINGS) or not isinstance(changes, bool):
        raise ValueError("no class or no word on the answer")
    order_class = OrderClass(name)
    fixed = order_class in (OrderClass.INVARIANT, OrderClass.REFERENTIAL)
    if (changes and fixed) or (not changes and order_class in EQUIVARIANT_CLASSES):
        raise ValueError("the class contradicts what is said of the answer")
    return order_class
