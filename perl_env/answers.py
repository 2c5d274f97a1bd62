r"""Finding the answer in a model's reply, and whether the reply has the form that was asked for.

The reply is untrusted text of any length. Every function here takes time linear in its length, and
only the last ``MAX_SEARCHED`` characters are searched for an answer: an answer stands at the end.
"""

from __future__ import annotations

import re

#: How many characters from a reply's end are searched. 2,048 tokens are some 8,000 characters.
MAX_SEARCHED = 50_000
#: The longest reply without any mark-up that is taken as an answer as a whole.
MAX_BARE = 200

_BRACES = re.compile(r"\\boxed\s{0,8}\{|\\[{}]|[{}]")
_ANSWER_TAG = re.compile(r"<(/?)answer>", re.IGNORECASE)
_PHRASE = re.compile(
    r"\b(?:answer|(?:correct|right|best)\s{1,3}(?:option|choice))[*_]{0,2}\s{0,3}"
    r"(?:(?:is|would\s+be|should\s+be|must\s+be)\b\s{0,3}[:：]?|[:：])[*_\s]{0,8}",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?][*_]{0,2}(?=\s+[A-Z])")
_TEXT = re.compile(r"\\text\s{0,8}\{([^{}]*)\}")
#: "B", and on a line of its own below, why.
_REASON_BELOW = re.compile(r"([^\n]+?)\s*\n\s*((?:because|since)\b[^\n]*)", re.IGNORECASE)
_THINK, _END_OF_THOUGHT = "<think>", "</think>"


def extract_answer(reply: str) -> str | None:
    r"""The part of a reply that states the answer; ``None`` where there is none.

    Looked for after the thoughts (``<think>…</think>``), in this order:

    1. the last balanced, non-empty ``\boxed{…}``;
    2. the last ``<answer>…</answer>``;
    3. what follows the last "the answer is", "final answer:", "answer:", "the correct option is"
       on its line;
    4. the whole text if it is one short line, or one with a reason ("Because …") below it.

    Only a reply without any of these has 1 and 2 looked for in its thoughts too, finished or not,
    as the paper's scorer does, to which a box counts wherever it stands.

    >>> extract_answer(r"<think>2 is red</think> so \boxed{\text{Image 2}}")
    '\\text{Image 2}'
    >>> extract_answer("The answer is B. It is the only red one."), extract_answer("(C)")
    ('B', '(C)')
    >>> extract_answer("I see two dogs.\nThey run.") is None
    True
    """
    spoken = spoken_part(reply)[-MAX_SEARCHED:]
    return _marked(spoken) or _unmarked(spoken) or _marked(reply[-MAX_SEARCHED:])


def marked_answer(reply: str) -> str | None:
    r"""The answer that a reply marks as such, by ``\boxed{…}`` or else by ``<answer>…</answer>``.

    In a thought only where no answer of any form follows it.

    >>> marked_answer(r"It is \boxed{B}."), marked_answer("<answer>B</answer>"), marked_answer("B")
    ('B', 'B', None)
    """
    spoken = spoken_part(reply)[-MAX_SEARCHED:]
    if marked := _marked(spoken):
        return marked
    return None if _unmarked(spoken) else _marked(reply[-MAX_SEARCHED:])


def _marked(text: str) -> str | None:
    return _last_boxed(text) or _last_tagged(text)


def _unmarked(text: str) -> str | None:
    return _after_phrase(text) or _bare(text)


def phrased_answer(reply: str) -> str | None:
    """What follows the last "the answer is" or the like on its line, outside of thoughts."""
    return _after_phrase(spoken_part(reply)[-MAX_SEARCHED:])


def is_well_formed(reply: str) -> bool:
    r"""Whether a reply has the paper's form ``<think>…</think>…\boxed{…}``.

    Equal to a full match of ``<think>.*</think>.*\\boxed\{.*\}.*`` (dot matches all; the format
    reward of the released code), but linear, and white space around the reply is allowed.

    >>> is_well_formed(r"<think>Two.</think> \boxed{2}"), is_well_formed(r"\boxed{2}")
    (True, False)
    """
    position = len(reply) - len(reply.lstrip())
    if not reply.startswith(_THINK, position):
        return False
    for mark in (_THINK, _END_OF_THOUGHT, r"\boxed{", "}"):
        found = reply.find(mark, position)
        if found < 0:
            return False
        position = found + len(mark)
    return True


def _last_boxed(text: str) -> str | None:
    """The content of the balanced box that starts last, in one pass over the braces."""
    best: tuple[int, str] | None = None
    opened: list[tuple[bool, int]] = []
    for token in _BRACES.finditer(text):
        mark = token.group()
        if mark in (r"\{", r"\}"):
            continue
        if mark != "}":
            opened.append((len(mark) > 1, token.end()))
        elif opened:
            is_box, start = opened.pop()
            # Nested boxes close inside out; slicing only later starts keeps the pass linear.
            if is_box and (best is None or start > best[0]):
                content = text[start : token.start()].strip()
                best = (start, content) if content else best
    return _without_phrase(best[1]) if best else None


def _last_tagged(text: str) -> str | None:
    found, start = None, -1
    for tag in _ANSWER_TAG.finditer(text):
        if not tag.group(1):
            start = tag.end()
        elif start >= 0:
            found, start = text[start : tag.start()].strip() or found, -1
    return found and (_after_phrase(found) or found)


def _without_phrase(content: str) -> str:
    """What a box says, without "The answer is" before it."""
    words = _TEXT.fullmatch(content)
    inner = words[1] if words else content
    if "{" in inner or "}" in inner:  # the phrase may stand in a part of a formula
        return content
    return _after_phrase(inner) or content


def _after_phrase(text: str) -> str | None:
    for phrase in reversed(list(_PHRASE.finditer(text))):
        end = text.find("\n", phrase.end())
        line = text[phrase.end() : end if end >= 0 else len(text)].strip()
        if line:
            return _first_sentence(line)
    return None


def _first_sentence(line: str) -> str:
    """``line`` up to its first full stop, unless that belongs to a letter ("B. The red one")."""
    for stop in _SENTENCE_END.finditer(line):
        if stop.start() > 1 or not line[: stop.start()].isalpha():
            return line[: stop.start()].strip()
        if line[stop.end() :].strip().split(" ", 1)[0] in _SENTENCE_OPENERS:
            return line[: stop.start()].strip()
    return line


#: Words that open an explanation after "The answer is B."; option texts seldom start with them.
_SENTENCE_OPENERS = frozenset({"It", "This", "That", "They", "I", "Because", "Since", "As", "Here"})


def _bare(text: str) -> str | None:
    text = text.strip()
    if len(text) <= MAX_BARE and (lines := _REASON_BELOW.fullmatch(text)):
        text = f"{lines[1]} {lines[2]}"  # means what it would mean on one line
    if not text or len(text) > MAX_BARE or "\n" in text or r"\boxed" in text:
        return None
    phrase = _PHRASE.search(text)  # "Answer:" with nothing behind it
    return None if phrase and phrase.end() == len(text) else text


def spoken_part(reply: str) -> str:
    """What a reply says after its thoughts; nothing where a thought was cut off."""
    spoken = (
        reply[reply.rfind(_END_OF_THOUGHT) + len(_END_OF_THOUGHT) :]
        if _END_OF_THOUGHT in reply
        else reply
    )
    return "" if _THINK in spoken else spoken
