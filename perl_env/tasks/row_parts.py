r"""Reading the parts of a row: labels of options, golds, headers of placeholders."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any

from perl_env.errors import InputError
from perl_env.placeholders import number_placeholders
from perl_env.question import BARE_PLACEHOLDER, LETTERS

_LABEL = re.compile(r"\s*(?:\(([A-Z])\)|([A-Z])\s?[).:])\s*")
_OPTION_LINE = re.compile(r"[ \t]*(?:\(([A-Z])\)|([A-Z])[.:)])[ \t]*(.*)")
_HEADER = re.compile(r"\s*(?:<image[_ -]?\d+>\s*)+", re.IGNORECASE)


def needed_text(value: Any, column: str) -> str:
    """A text that may not be missing.

    Raises:
        InputError: null or empty.
    """
    if not isinstance(value, str) or not value.strip():
        raise InputError("text is missing", where=column, expected="a text", got=repr(value))
    return value


def as_texts(value: Any, column: str) -> tuple[str, ...]:
    """A list of texts; null is an empty one.

    Raises:
        InputError: one of the texts is null or empty.
    """
    return tuple(needed_text(item, column).strip() for item in value or ())


def needed_pictures(values: Sequence[Any] | None, column: str) -> tuple[Any, ...]:
    """The pictures of a list.

    Raises:
        InputError: there is none, or one of them is null.
    """
    found = tuple(values or ())
    if not found or None in found:
        raise InputError("picture is missing", where=column, expected="at least one picture, none of them null",
                         got="an empty list" if not found else "null")  # fmt: skip
    return found


def leading_pictures(values: Sequence[Any], column: str) -> tuple[Any, ...]:
    """The pictures of numbered columns, of which the last ones may be null.

    Raises:
        InputError: all are null, or one before another is.
    """
    found = tuple(value for value in values if value is not None)
    if not found or any(value is None for value in values[: len(found)]):
        raise InputError("picture is missing", where=column, expected="pictures from the first column on",
                         got=", ".join("null" if v is None else "a picture" for v in values))  # fmt: skip
    return found


def without_labels(options: Sequence[str]) -> tuple[str, ...]:
    """Options without the letters that some data sets put in front: all have theirs, or none is cut.

    >>> without_labels([" (A) red", "B. blue"]), without_labels(["A: red", "blue"])
    (('red', 'blue'), ('A: red', 'blue'))
    """
    labels = [_LABEL.match(option) for option in options]
    if all(label and (label[1] or label[2]) == letter for label, letter in zip(labels, LETTERS, strict=False)):  # fmt: skip
        return tuple(option[label.end() :].strip() for option, label in zip(options, labels, strict=True) if label)  # fmt: skip
    return tuple(option.strip() for option in options)


def gold_letter(value: Any, options: Sequence[str], column: str = "answer") -> str:
    """The letter of a gold such as "B", "(B)", "B." or "(B) red".

    Raises:
        InputError: it is the letter of no option.
    """
    text = needed_text(value, column).strip()
    match = re.fullmatch(r"\(?([A-Za-z])(?:[).:].*)?", text, re.DOTALL)
    letter = match[1].upper() if match else ""
    if not letter or letter not in LETTERS[: len(options)]:
        raise InputError("gold answer is no option", where=column,
                         expected=f"one of {', '.join(LETTERS[: len(options)])}", got=repr(value))  # fmt: skip
    return letter


def split_options(text: str, column: str) -> tuple[str, tuple[str, ...]]:
    r"""A text and the options at its end, one a line: "(A) red", "A. red" or "A: red".

    Lines that follow an option without a label of their own belong to it. A text without such an end
    has no options.

    Raises:
        InputError: the letters are not A, B, C … in turn.

    >>> split_options("Which?\nA: red\nB: blue", "context")
    ('Which?', ('red', 'blue'))
    """
    lines = text.split("\n")
    found = [_OPTION_LINE.fullmatch(line) for line in lines]
    start = max((i for i, match in enumerate(found) if match and (match[1] or match[2]) == "A"), default=None)  # fmt: skip
    if start is None:
        return text, ()
    options: list[str] = []
    for line, match in zip(lines[start:], found[start:], strict=True):
        if match is None:
            options[-1] += f"\n{line}"
            continue
        if (match[1] or match[2]) != LETTERS[len(options)]:
            raise InputError("options are not in turn", where=column, expected=f"{LETTERS[len(options)]}: …",
                             got=repr(line))  # fmt: skip
        options.append(match[3])
    return "\n".join(lines[:start]).rstrip(), tuple(option.strip() for option in options)


def without_choices(text: str, listed: Sequence[str]) -> str | None:
    r"""A text up to its choices, which are its end; ``None`` where they are not.

    Args:
        text: question and choices.
        listed: the choices with their letters, in turn.

    >>> without_choices("Which?\n(A) red\n(B)  blue\n", ["(A) red", "(B) blue"])
    'Which?'
    """
    words = r"\s+".join(r"\s*".join(map(re.escape, choice.split(" ", 1))) for choice in listed)
    found = re.search(rf"(?:^|\s){words}\s*$", text)
    return text[: found.start()].rstrip() if found else None


def hoisted(texts: Sequence[str], n_images: int, column: str) -> tuple[str, ...]:
    """Texts for images that are shown first: placeholders are numbered, a header of them is left out.

    Bare placeholders may be fewer than the images: the missing ones stand in front then, so those in
    the text are the last ones.

    Raises:
        InputError: there are more placeholders than images, or one names no image.

    >>> hoisted(["<image> <image> Which is red?"], 2, "question")
    ('Which is red?',)
    >>> hoisted(["Is <image> red?"], 2, "question")
    ('Is <image_2> red?',)
    """
    bare = sum(text.count(BARE_PLACEHOLDER) for text in texts)
    numbers = itertools.count(1 + n_images - bare)
    if 0 < bare < n_images:
        texts = [re.sub(BARE_PLACEHOLDER, lambda _: f"<image_{next(numbers)}>", text) for text in texts]  # fmt: skip
    first, *others = number_placeholders(texts, n_images, column)
    header = _HEADER.match(first)
    if header and _names_all(header.group(), n_images) and not first[header.end() :][:1].islower():
        first = first[header.end() :]
    return (first, *others)


def _names_all(header: str, n_images: int) -> bool:
    """Whether a header names image 1, image 2, … up to the last, as they are shown anyway."""
    return [int(number) for number in re.findall(r"\d+", header)] == list(range(1, n_images + 1))
