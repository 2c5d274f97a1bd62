"""perl/Digits-v0: questions over scans of handwritten digits, the ones that scikit-learn carries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial

import numpy as np
from PIL import Image

from perl_env.order_class import OrderClass
from perl_env.question import LETTERS, Question
from perl_env.tasks.procedural import SPLITS, Draw, Kind, ProceduralQuestions, with_gold_at
from perl_env.tasks.shapes import ORDINALS, count_images

SIDE = 56
MAX_IMAGES = 6
TEST_EVERY = 4  # every fourth scan belongs to the test split


@lru_cache(maxsize=len(SPLITS))
def scans(split: str) -> dict[int, list[np.ndarray]]:
    """The scans of a split by digit, each a read-only uint8 array (56, 56, 3), black on white."""
    from sklearn.datasets import load_digits

    data = load_digits()
    found: dict[int, list[np.ndarray]] = {digit: [] for digit in range(10)}
    for i, (scan, digit) in enumerate(zip(data.images, data.target, strict=True)):
        if (i % TEST_EVERY == 0) == (split == "test"):
            found[int(digit)].append(_picture(scan))
    return found


def _picture(scan: np.ndarray) -> np.ndarray:
    """An 8 × 8 scan of values 0..16 as a picture."""
    grey = Image.fromarray((255 - scan * 255 / 16).astype(np.uint8), mode=None)
    pixels = np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BICUBIC).convert("RGB"))
    pixels.flags.writeable = False
    return pixels


def digits(
    *,
    split: str = "test",
    seed: int = 0,
    size: int = 10_000,
    kinds: str | Sequence[str] | None = None,
    difficulty: int = 1,
    gold_slot_decay: float = 1.0,
) -> ProceduralQuestions:
    """The questions of perl/Digits-v0; the scans of the two splits are disjoint.

    Args:
        split: "train" (1,347 scans) or "test" (450).
        seed: another seed gives other questions.
        size: how many questions there are.
        kinds: which of the kinds are asked, by turns: names, or one name; all by default.
        difficulty: 1 (three images), 2 (three or four) or 3 (four to six).
        gold_slot_decay: each slot is the gold's this many times as often as the slot before it.

    Raises:
        InputError: an unknown split, kind or difficulty.
    """
    makers = _KINDS_BY_SPLIT.get(split, _KINDS_BY_SPLIT["test"])
    return ProceduralQuestions(
        "digits",
        makers,
        chosen=kinds,
        split=split,
        seed=seed,
        size=size,
        difficulty=difficulty,
        gold_slot_decay=gold_slot_decay,
        max_images=MAX_IMAGES,
        max_pixels=SIDE * SIDE,
    )


def _which_image(choices: Draw, split: str) -> Question:
    count = count_images(choices)
    gold, *others = choices.some(range(10), count)
    slot = choices.gold_slot(count)
    shown = with_gold_at(gold, others, slot)
    return Question(
        _show(choices, split, shown), f"Which image shows the digit {gold}?", f"Image {slot + 1}",
        order_class=OrderClass.SLOT_NAMING,
    )  # fmt: skip


def _sum(choices: Draw, split: str) -> Question:
    shown = [choices.integer(0, 9) for _ in range(count_images(choices))]
    return Question(
        _show(choices, split, shown),
        "What is the sum of the digits in all images?",
        str(sum(shown)),
    )


def _extreme(choices: Draw, split: str, word: str) -> Question:
    """The image with the largest or the smallest digit."""
    count = count_images(choices)
    slot = choices.gold_slot(count)
    *others, gold = sorted(choices.some(range(10), count), reverse=word == "smallest")
    others = choices.shuffled(others)
    return Question(
        _show(choices, split, with_gold_at(gold, others, slot)),
        f"Which image shows the {word} digit?",
        f"Image {slot + 1}",
        order_class=OrderClass.SLOT_NAMING,
    )


def _order(choices: Draw, split: str) -> Question:
    shown = choices.some(range(10), count_images(choices))
    sequence = [shown.index(digit) + 1 for digit in sorted(shown)]
    return Question(
        _show(choices, split, shown), "List the image numbers from the smallest digit to the largest.",
        "-".join(map(str, sequence)), order_class=OrderClass.INDEX_LIST, index_list="sequence",
    )  # fmt: skip


def _odd_one_out(choices: Draw, split: str) -> Question:
    count = count_images(choices)
    common, odd = choices.some(range(10), 2)
    slot = choices.gold_slot(count)
    return Question(
        _show(choices, split, [odd if i == slot else common for i in range(count)]),
        "Which image shows another digit than the others?", LETTERS[slot],
        options=tuple(f"the {ORDINALS[i]} image" for i in range(count)),
        order_class=OrderClass.SLOT_NAMING,
    )  # fmt: skip


def _show(choices: Draw, split: str, shown: Sequence[int]) -> tuple[np.ndarray, ...]:
    """A scan of each digit; the same digit twice is shown by two different scans."""
    pools = scans(split)
    picked: list[np.ndarray] = []
    for digit in shown:
        left = [scan for scan in pools[digit] if not any(scan is other for other in picked)]
        picked.append(choices.one(left))
    return tuple(picked)


_MAKERS: dict[str, Callable[..., Question]] = {
    "which-image": _which_image,
    "sum": _sum,
    "largest": partial(_extreme, word="largest"),
    "smallest": partial(_extreme, word="smallest"),
    "order": _order,
    "odd-one-out": _odd_one_out,
}


def _kinds(split: str) -> dict[str, Kind]:
    return {name: Kind(name, partial(make, split=split)) for name, make in _MAKERS.items()}


_KINDS_BY_SPLIT = {split: _kinds(split) for split in SPLITS}
KINDS = tuple(_MAKERS)
