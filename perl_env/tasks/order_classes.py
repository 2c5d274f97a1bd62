"""What a loader may say about the class of a question: only what the question itself bears out."""

from __future__ import annotations

import re
from collections.abc import Sequence

from perl_env.classification import classify
from perl_env.order_class import OrderClass
from perl_env.question import Question
from perl_env.references import mentioned_slots, parse_slot
from perl_env.tasks.benchmark import UnusableRowError

#: "Given these two images, <image_1> and <image_2>": shown, not referred to.
_SHOWN_IN_A_ROW = re.compile(r"<image_\d+>(?:[\s,;&]*(?:and\s+)?<image_\d+>)+")


def order_class_of(question: Question) -> OrderClass:
    """The class of a question about which its data set says nothing.

    The one place where classes are found out rather than declared.

    Raises:
        UnusableRowError: it is not certain.
    """
    found = classify(question)
    if not found.certain:
        raise UnusableRowError(
            "order class unknown", where=", ".join(found.evidence),
            expected="words that tell what another order would do",
            got=f"perhaps {found.order_class}: {found.reason}",
        )  # fmt: skip
    return found.order_class


def borne_out(
    declared: OrderClass | None, text: str, options: Sequence[str], answer: str, n_images: int
) -> OrderClass | None:
    """``declared``, the class of a whole sub-task, if this question fits it; else ``None``.

    A question that is said to name images has to name some, one that is said not to, none.
    """
    if n_images == 1:
        return OrderClass.SINGLE
    match declared:
        case OrderClass.SLOT_NAMING:
            fits = all_name_slots(options or (answer,), n_images)
        case OrderClass.REFERENTIAL:
            named = mentioned_slots(_SHOWN_IN_A_ROW.sub(" ", text), n_images)
            # An open answer that names an image would have to be rewritten, too.
            fits = bool(named) and bool(options or not mentioned_slots(answer, n_images))
        case OrderClass.INVARIANT:
            fits = not any(mentioned_slots(part, n_images) for part in (text, *options))
        case _:
            fits = True
    return declared if fits else None


def all_name_slots(options: Sequence[str], n_images: int) -> bool:
    """Whether each option names one image, in words and not by a bare number, and each another one."""
    slots = [parse_slot(option, n_images) for option in options]
    return (
        bool(options)
        and None not in slots
        and len(set(slots)) == len(slots)
        and all(any(character.isalpha() for character in option) for option in options)
    )
