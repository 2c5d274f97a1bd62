"""First stage: what can be told without asking anybody.

Form, kind, class, number and sizes of pictures; questions that come again; questions that share a picture
or a text with a benchmark.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from perl_env.curation.likeness import Hashes, first_like, same_picture
from perl_env.curation.outcome import Outcome
from perl_env.curation.settings import RuleSettings
from perl_env.curation.survey import Facts
from perl_env.order_class import OrderClass

#: Shorter texts are templates that any two data sets may share ("Which image is different?").
OVERLAP_WORDS = 12


def filter_by_rules(
    facts: Sequence[Facts], benchmarks: Sequence[Facts], settings: RuleSettings
) -> list[Outcome]:
    """The outcome of every question, in order; of several alike the first is kept."""
    shared = _shared_with(benchmarks, facts, settings)
    reasons = [
        _by_itself(one, settings) or overlap for one, overlap in zip(facts, shared, strict=True)
    ]
    if settings.duplicates:
        open_ones = [i for i, reason in enumerate(reasons) if not reason]
        for i, reason in _duplicates([facts[i] for i in open_ones], settings.duplicate_distance):
            reasons[open_ones[i]] = reason
    return [Outcome(one.key, not why, why) for one, why in zip(facts, reasons, strict=True)]


def _by_itself(one: Facts, settings: RuleSettings) -> str:
    """Why a question is left out, whatever else there is; "" where it is not."""
    n, sides = len(one.sizes), [side for size in one.sizes for side in size]
    rules = (
        (one.order_class == OrderClass.MALFORMED, "malformed"),
        (settings.form == "options" and not one.n_options, "no multiple choice"),
        (settings.form == "open" and one.n_options > 0, "multiple choice"),
        (bool(settings.kinds) and one.kind not in settings.kinds, "kind not asked for"),
        (bool(settings.order_classes) and one.order_class not in settings.order_classes, "order class not asked for"),
        (n < settings.min_images, "too few images"),
        (n > settings.max_images, "too many images"),
        (min(sides) < settings.min_side, "picture too small"),
        (max(sides) > settings.max_side, "picture too large"),
        (one.characters > settings.max_characters, "text too long"),
    )  # fmt: skip
    return next((reason for applies, reason in rules if applies), "")


def _shared_with(
    benchmarks: Sequence[Facts], facts: Sequence[Facts], settings: RuleSettings
) -> list[str]:
    """For each question what it shares with a benchmark; "" where it shares nothing."""
    texts = {one.text for one in benchmarks if one.words >= OVERLAP_WORDS}
    found = first_like(_hashes(facts), _hashes(benchmarks), settings.duplicate_distance)
    reasons, start = [], 0
    for one in facts:
        end = start + len(one.phashes)
        picture = (found[start:end] >= 0).any()
        text = one.words >= OVERLAP_WORDS and one.text in texts
        reasons.append("picture of a benchmark" if picture else "text of a benchmark" if text else "")  # fmt: skip
        start = end
    return reasons


def _hashes(facts: Sequence[Facts]) -> Hashes:
    """Of all pictures of all questions, one after the other."""
    return Hashes.of(
        [h for one in facts for h in one.phashes], [c for one in facts for c in one.colours]
    )


def _duplicates(facts: Sequence[Facts], distance: int) -> Iterator[tuple[int, str]]:
    """The places of questions that are left out because of others, and why.

    Two questions are the same where text, options and pictures are. In the same order of the pictures
    another gold is a contradiction: at least one of them is wrong, so both go. In another order the
    gold may well be another one, and only those with the same gold are the same.
    """
    groups: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    for place, one in enumerate(facts):
        groups[one.text, len(one.phashes)].append(place)
    for places in groups.values():
        if len(places) > 1:
            yield from _within(places, facts, distance)


def _within(places: list[int], facts: Sequence[Facts], distance: int) -> Iterator[tuple[int, str]]:
    """The duplicates among questions of one text and number of pictures."""
    flat = _hashes([facts[place] for place in places])
    n = len(flat) // len(places)
    hashes = Hashes(flat.phashes.reshape(-1, n), flat.colours.reshape(len(places), n, -1))
    answers = np.array([facts[place].answer for place in places])
    contradicted = np.zeros(len(places), bool)
    repeated = np.zeros(len(places), bool)
    for i in range(len(places)):
        later = slice(i + 1, None)
        same = same_picture(hashes[i], hashes[later], distance).all(axis=1)
        agrees = answers[later] == answers[i]
        if (same & ~agrees).any():
            contradicted[i] = True
            contradicted[later] |= same & ~agrees
        if repeated[i]:
            continue
        repeated[later] |= agrees & (same | _in_any_order(hashes[i], hashes[later], distance))
    for i, place in enumerate(places):
        if contradicted[i]:
            yield place, "same question with another answer"
        elif repeated[i]:
            yield place, "duplicate"


def _in_any_order(one: Hashes, others: Hashes, distance: int) -> np.ndarray:
    """Which of the other questions show the pictures of this one, each once; bool [others]."""
    free = np.ones(others.phashes.shape, bool)
    whole = np.ones(len(free), bool)
    for slot in range(len(one)):
        match = free & same_picture(one[slot], others, distance)
        whole &= match.any(axis=1)
        free[np.arange(len(free)), match.argmax(axis=1)] &= ~match.any(axis=1)
    return whole
