"""Second stage: open questions become multiple choice, so that their golds can be graded exactly.

Rules come first, since they cost nothing and cannot err: the wrong options of a whole number are other
whole numbers, of yes the other is no, of one image the others are the other images. What no rule can do
is asked of a model, if there is one, and its answer is checked; the rest stays open and is counted.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from perl_env.answer_text import content_key
from perl_env.curation.asking import Sampling, Wanted, ask_until_valid, json_in
from perl_env.curation.outcome import Outcome, problem
from perl_env.curation.settings import RephraseSettings
from perl_env.curation.stage_input import StageInput
from perl_env.curation.workspace import fingerprint
from perl_env.grading import STRICT
from perl_env.order_class import OrderClass
from perl_env.question import LETTERS, Question
from perl_env.references import mentioned_slots, parse_slot
from perl_env.value_equality import same_value

STAGE = "rephrase"
TEMPERATURE = 0.7  # another attempt has to be able to say something else
_WHOLE = re.compile(r"-?\d{1,9}")
_PAIRS = (("yes", "no"), ("true", "false"))
#: Words that make a number near the right one right as well.
_VAGUE = re.compile(
    r"\b(?:about|almost|approximat\w*|around|at least|at most|estimat\w*|less than|more than|nearest|roughly|round\w*)\b",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(r"<image_\d+>")

PROMPT = """Below is a question about the images above, with its right answer. Rewrite it as a multiple-choice question with exactly one right option.

Rules:
- Keep the meaning. Mention the same images in the same words ("image 2", <image_2>); add and drop no <image_N>.
- Give {least} to {most} short options. One is the right answer as given; the others are clearly wrong but plausible.
- No option says the same as another one, and none says "all of the above" or "none of the above".
- If this cannot be done soundly, answer {{"possible": false}}.

Answer with one JSON object and nothing else:
{{"possible": true, "question": "…", "options": ["…", "…"], "answer": "the letter of the right option"}}

Question: {question}
Right answer: {answer}"""


def rephrase(given: StageInput, settings: RephraseSettings) -> list[Outcome]:
    """The outcome of every question; all are kept, some with options.

    Args:
        given: its model rephrases what no rule can; its seed places the right options.
        settings: of this stage.
    """
    outcomes: dict[str, Outcome] = {}
    wanted: dict[str, Wanted] = {}
    for key in given.keys:
        question = given.load(key)
        if question.options:
            outcomes[key] = Outcome(key, True, "multiple choice already")
        elif changes := by_rule(question, settings.options, given.seed):
            outcomes[key] = Outcome(key, True, "by rule", changes)
        elif question.order_class in (OrderClass.INDEX_LIST, OrderClass.SLOT_NAMING):
            outcomes[key] = Outcome(key, True, "open, since its answer moves with the images")
        elif given.model is None:
            outcomes[key] = Outcome(key, True, "open, since no rule is sound")
        else:
            wanted[key] = _wanted(question, given, settings)
    if wanted and given.model is not None:
        sampling = Sampling(TEMPERATURE, settings.max_new_tokens)
        found = ask_until_valid(
            given.answers, given.model, sampling, wanted,
            lambda key, text: _read(given.load(key), text), settings.attempts, given.progress, STAGE,
        )  # fmt: skip
        outcomes |= {key: _outcome(key, value) for key, value in found.items()}
    return [outcomes[key] for key in given.keys]


def _outcome(key: str, found: Any) -> Outcome:
    if isinstance(found, ValueError):
        return Outcome(key, True, f"open, since the rephrasing is not valid: {found}")
    if found is None:
        return Outcome(key, True, "open, since it cannot be rephrased")
    return Outcome(key, True, "by model", found)


def by_rule(question: Question, n_options: int = 4, seed: int = 0) -> dict[str, Any]:
    """The changes that make an open question multiple choice, where a rule is sound; else none.

    >>> grey = np.zeros((2, 2, 3), "uint8")
    >>> by_rule(Question((grey, grey), "How many dogs are there in both images?", "3"))["options"]
    ('0', '1', '2', '3')
    """
    gold = question.answer.strip().lower()
    if question.order_class is OrderClass.INDEX_LIST:
        return {}
    if question.order_class is OrderClass.SLOT_NAMING:
        slot = parse_slot(gold, len(question.images))
        options = () if slot is None else _image_names(question)
        right = slot or 0
    elif pair := next((pair for pair in _PAIRS if gold in pair), None):
        options, right = pair, pair.index(gold)
    elif _WHOLE.fullmatch(gold) and not _VAGUE.search(question.text):
        options = _near_numbers(int(gold), n_options, _rng(question, seed))
        right = options.index(str(int(gold)))
    else:
        return {}
    changes = {"options": options, "answer": LETTERS[right], **_without_benchmark(question)}
    return {} if not options or problem(question, changes) else changes


def _without_benchmark(question: Question) -> dict[str, Any]:
    """A benchmark's own instruction and rule speak of its open form: they no longer fit."""
    plain = {"instruction": None, "scoring": STRICT}
    return {name: value for name, value in plain.items() if getattr(question, name) != value}


def _image_names(question: Question) -> tuple[str, ...]:
    """All images by name, in their order."""
    return tuple(f"Image {slot + 1}" for slot in range(len(question.images)))


def _near_numbers(gold: int, n: int, rng: np.random.Generator) -> tuple[str, ...]:
    """Whole numbers in a row around the gold, whose place among them is drawn; none below zero."""
    below = int(rng.integers(n))
    first = gold - below
    if gold >= 0:
        first = max(first, 0)
    return tuple(str(first + i) for i in range(n))


def _rng(question: Question, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, int(fingerprint(question.key, question.text), 16)])


def _wanted(question: Question, given: StageInput, settings: RephraseSettings) -> Wanted:
    text = PROMPT.format(
        least=2, most=settings.options, question=question.text, answer=question.answer
    )
    key, shown = question.key, settings.show_pictures
    about = ["rephrase", text, given.pixels[key] if shown else None]
    return Wanted(about, 1, lambda: (given.load(key).images if shown else (), text))


def _read(question: Question, answer: str) -> dict[str, Any] | None:
    """The changes that an answer proposes; ``None`` where it says that there are none.

    Raises:
        ValueError: it is not valid; the message says why in words that are counted.
    """
    said = json_in(answer)
    if said.get("possible") is False:
        return None
    text, options, letter = said.get("question"), said.get("options"), said.get("answer")
    if not isinstance(text, str) or not text.strip() or not isinstance(letter, str):
        raise ValueError("no question or no answer")
    if not isinstance(options, list) or not all(isinstance(o, str) and o.strip() for o in options):
        raise ValueError("no list of options")
    stripped = tuple(re.sub(r"^\s*\(?[A-Z][).:]\s+", "", option).strip() for option in options)
    letter = letter.strip().strip("().")
    if not 2 <= len(stripped) <= len(LETTERS):
        raise ValueError("too few or too many options")
    if letter not in tuple(LETTERS[: len(stripped)]):
        raise ValueError("the answer is no option")
    if len({content_key(option) or option for option in stripped}) < len(stripped):
        raise ValueError("two options say the same")
    right = [same_value(question.answer, option) for option in stripped]
    if sum(right) != 1 or not right[LETTERS.index(letter)]:
        raise ValueError("the right answer is not among the options, exactly once")
    if sorted(_PLACEHOLDER.findall(" ".join((text, *stripped)))) != sorted(_PLACEHOLDER.findall(question.text)):  # fmt: skip
        raise ValueError("other placeholders")
    if mentioned_slots(text, len(question.images)) != mentioned_slots(question.text, len(question.images)):  # fmt: skip
        raise ValueError("other images are mentioned")
    changes = {
        "text": text.strip(),
        "options": stripped,
        "answer": letter,
        **_without_benchmark(question),
    }
    if wrong := problem(question, changes):
        raise ValueError(wrong)
    return changes
