"""perl/Shapes-v0: procedural questions over pictures of coloured shapes, one of each order class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from perl_env.order_class import OrderClass
from perl_env.question import LETTERS, Question
from perl_env.tasks.procedural import Draw, Kind, ProceduralQuestions, with_gold_at
from perl_env.tasks.shapes_drawing import COLOURS, GROUNDS, SHAPES, SIDE, SIZES, Scene, draw

MAX_IMAGES = 6
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")
KINDS: dict[str, Kind] = {}
_COLOURS, _SHAPES, _SIZES = tuple(COLOURS), tuple(SHAPES), tuple(SIZES)


def kind(name: str) -> Callable[[Callable[[Draw], Question]], Callable[[Draw], Question]]:
    """Register a function that makes questions of one kind."""

    def register(make: Callable[[Draw], Question]) -> Callable[[Draw], Question]:
        KINDS[name] = Kind(name, make)
        return make

    return register


def count_images(choices: Draw, most: int = MAX_IMAGES) -> int:
    """How many images: 3 when easy, 3 or 4, or 4 to 6 when hard."""
    low, high = {1: (3, 3), 2: (3, 4), 3: (4, 6)}[choices.difficulty]
    return choices.integer(min(low, most), min(high, most))


def scene(choices: Draw, **fixed) -> Scene:
    """A random scene; what is fixed is not drawn. Harder pictures wander and change ground."""
    reach = (2, 4, 7)[choices.difficulty - 1]
    drawn = Scene(
        shape=choices.one(_SHAPES),
        colour=choices.one(_COLOURS),
        size=choices.one(("medium", "large")),
        shift=(choices.integer(-reach, reach), choices.integer(-reach, reach)),
        ground=choices.integer(0, len(GROUNDS) - 1) if choices.difficulty > 1 else 0,
    )
    return replace(drawn, **fixed)


def distinct_scenes(choices: Draw, count: int) -> list[Scene]:
    """Scenes of which no two show the same shape in the same colour.

    Hard ones share colour or shape with a neighbour, so that one attribute is not enough.
    """
    names = [(shape, colour) for shape in _SHAPES for colour in _COLOURS]
    if choices.difficulty == 3:
        shapes, colours = choices.some(_SHAPES, 3), choices.some(_COLOURS, 2)
        names = [(shape, colour) for shape in shapes for colour in colours]
    return [
        scene(choices, shape=shape, colour=colour) for shape, colour in choices.some(names, count)
    ]


def pictures(scenes: Sequence[Scene]) -> tuple:
    """The scenes' pictures."""
    return tuple(draw(each) for each in scenes)


def a(name: str) -> str:
    """The name with its indefinite article."""
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def name_slot(choices: Draw, slot: int, count: int) -> str:
    """One of the ways in which people name a slot."""
    names = [f"image {slot + 1}", f"the {ORDINALS[slot]} image"]
    if slot == count - 1:
        names.append("the last image")
    if count == 2:
        names.append("the left image" if slot == 0 else "the right image")
    return choices.one(names)


@kind("count-all")
def _count_all(choices: Draw) -> Question:
    """How often a thing is seen in all images together."""
    colour = choices.one(_COLOURS)
    scenes = [
        scene(
            choices,
            count=choices.integer(1, 2),
            colour=choices.one((colour, choices.one(_COLOURS))),
        )
        for _ in range(count_images(choices))
    ]
    total = sum(each.count for each in scenes if each.colour == colour)
    return Question(
        pictures(scenes), f"How many {colour} shapes are there in all images together?", str(total)
    )


@kind("true-of-some")
def _true_of_some(choices: Draw) -> Question:
    """A statement about the set of images, in the manner of NLVR2."""
    count = count_images(choices)
    shape = choices.one(_SHAPES)
    others = [each for each in _SHAPES if each != shape]
    shown = choices.integer(0, 2)
    scenes = choices.shuffled(
        [scene(choices, shape=shape if i < shown else choices.one(others)) for i in range(count)]
    )
    claimed = shown if choices.chance(0.5) else choices.one([n for n in range(3) if n != shown])
    statement = ("none", "exactly one", "exactly two")[claimed]
    return Question(
        pictures(scenes),
        f"True or false: {statement} of the images {'show' if claimed == 2 else 'shows'} {a(shape)}.",
        LETTERS[0 if claimed == shown else 1],
        options=("True", "False"),
    )


@kind("left-right")
def _left_right(choices: Draw) -> Question:
    """A statement about the left and the right image, in the manner of NLVR2."""
    left, right, other = distinct_scenes(choices, 3)
    truth = choices.chance(0.5)
    claimed = right if truth else choices.one((left, other))
    return Question(
        pictures((left, right)),
        f"True or false: the left image shows {a(left.name)} and the right image {a(claimed.name)}.",
        LETTERS[0 if truth else 1],
        options=("True", "False"),
        order_class=OrderClass.REFERENTIAL,
    )


@kind("which-image")
def _which_image(choices: Draw) -> Question:
    """The one image that shows a thing."""
    count = count_images(choices)
    gold, *others = distinct_scenes(choices, count)
    slot = choices.gold_slot(count)
    return Question(
        pictures(with_gold_at(gold, others, slot)),
        f"Which image shows {a(gold.name)}?",
        f"Image {slot + 1}",
        order_class=OrderClass.SLOT_NAMING,
    )


def _extreme(choices: Draw, attribute: str, values: Sequence, text: str) -> Question:
    """The one image with the greatest value of an attribute; ``values`` are in ascending order."""
    count = min(count_images(choices), len(values))
    *others, gold = sorted(choices.some(values, count), key=values.index)
    slot = choices.gold_slot(count)
    shown = [scene(choices, **{attribute: value}) for value in choices.shuffled(others)]
    return Question(
        pictures(with_gold_at(scene(choices, **{attribute: gold}), shown, slot)),
        text,
        f"Image {slot + 1}",
        order_class=OrderClass.SLOT_NAMING,
    )


@kind("largest")
def _largest(choices: Draw) -> Question:
    """The one image whose shape is the largest."""
    return _extreme(choices, "size", _SIZES, "Which image shows the largest shape?")


@kind("most")
def _most(choices: Draw) -> Question:
    """The one image with the most shapes."""
    return _extreme(choices, "count", (1, 2, 3, 4), "Which image shows the most shapes?")


@kind("odd-one-out")
def _odd_one_out(choices: Draw) -> Question:
    """The one image whose colour is not the others'; options as in BLINK."""
    count = count_images(choices)
    common, odd = choices.some(_COLOURS, 2)
    slot = choices.gold_slot(count)
    scenes = [scene(choices, colour=odd if i == slot else common) for i in range(count)]
    return Question(
        pictures(scenes),
        "Which image differs from the others in colour?",
        LETTERS[slot],
        options=tuple(f"the {ORDINALS[i]} image" for i in range(count)),
        order_class=OrderClass.SLOT_NAMING,
    )


@kind("match-reference")
def _match_reference(choices: Draw) -> Question:
    """The image that shares the reference's shape; all images may move, the reference too."""
    count = count_images(choices)
    shapes = choices.some(_SHAPES, count - 1)
    reference = scene(choices, shape=shapes[0])
    others = [scene(choices, shape=shape) for shape in shapes[1:]]
    slot = choices.gold_slot(count - 1)
    scenes = [reference, *with_gold_at(scene(choices, shape=shapes[0]), others, slot)]
    return Question(
        pictures(scenes),
        "Which other image shows the same shape as image 1?",
        f"Image {slot + 2}",
        order_class=OrderClass.SLOT_NAMING,
    )


@kind("attribute")
def _attribute(choices: Draw) -> Question:
    """The colour or shape in a named image."""
    count = choices.one((2, count_images(choices)))
    scenes = distinct_scenes(choices, count)
    slot = choices.gold_slot(count)
    attribute = choices.one(("colour", "shape"))
    place = name_slot(choices, slot, count)
    text = (
        f"What colour is the shape in {place}?"
        if attribute == "colour"
        else f"What shape is in {place}?"
    )
    return Question(
        pictures(scenes), text, getattr(scenes[slot], attribute), order_class=OrderClass.REFERENTIAL
    )


@kind("compare")
def _compare(choices: Draw) -> Question:
    """Whether one named image shows more than another."""
    counts = choices.some((1, 2, 3, 4), 2)
    scenes = [scene(choices, count=count) for count in counts]
    truth = "yes" if counts[1] > counts[0] else "no"
    return Question(
        pictures(scenes),
        "Does image 2 show more shapes than image 1?",
        truth,
        order_class=OrderClass.REFERENTIAL,
    )


@kind("image-options")
def _image_options(choices: Draw) -> Question:
    """Options that are images: only they may move, and the gold letter moves with its picture."""
    count = min(count_images(choices) + 1, MAX_IMAGES)
    colours = choices.some(_COLOURS, count - 1)
    slot = choices.gold_slot(count - 1)
    order = with_gold_at(colours[0], colours[1:], slot)
    scenes = [scene(choices, colour=colours[0]), *(scene(choices, colour=c) for c in order)]  # type: ignore[arg-type]
    return Question(
        pictures(scenes),
        "Which option has the same colour as the first image?",
        LETTERS[slot],
        options=tuple(f"Image {i + 2}" for i in range(count - 1)),
        order_class=OrderClass.IMAGE_OPTIONS,
    )


@kind("size-ranks")
def _size_ranks(choices: Draw) -> Question:
    """Each image's rank by size: a rank list."""
    count = min(count_images(choices), len(_SIZES))
    sizes = choices.some(_SIZES, count)
    ranks = tuple(sorted(sizes, key=_SIZES.index).index(size) + 1 for size in sizes)
    wrong = [r for r in _some_permutations(choices, count) if r != ranks][:2]
    options = choices.shuffled([ranks, *wrong])
    return Question(
        pictures([scene(choices, size=size) for size in sizes]),
        "Rank the images by the size of their shape, 1 is the smallest: which list gives the rank of each image in turn?",
        LETTERS[options.index(ranks)],
        options=tuple("[" + ", ".join(map(str, option)) + "]" for option in options),
        order_class=OrderClass.INDEX_LIST,
        index_list="rank",
    )


@kind("size-sequence")
def _size_sequence(choices: Draw) -> Question:
    """The images from the smallest shape to the largest: a sequence list."""
    count = min(count_images(choices), len(_SIZES))
    sizes = choices.some(_SIZES, count)
    sequence = [sizes.index(size) + 1 for size in sorted(sizes, key=_SIZES.index)]
    return Question(
        pictures([scene(choices, size=size) for size in sizes]),
        "List the image numbers from the smallest shape to the largest.",
        "-".join(map(str, sequence)),
        order_class=OrderClass.INDEX_LIST,
        index_list="sequence",
    )


@kind("before-after")
def _before_after(choices: Draw) -> Question:
    """A change over time; the text says which image came first, so that the images may move."""
    before, after = choices.some(_SIZES, 2)
    first = scene(choices, size=before)
    second = scene(choices, size=after, shape=first.shape, colour=first.colour)
    grew = _SIZES.index(after) > _SIZES.index(before)
    return Question(
        pictures((first, second)),
        "Image 1 was taken before image 2. Did the shape grow or shrink?",
        "grow" if grew else "shrink",
        order_class=OrderClass.TEMPORAL,
        pinned=(),
    )


def _some_permutations(choices: Draw, count: int) -> list[tuple[int, ...]]:
    """Distinct orders of 1..count, at least three of them."""
    found: dict[tuple[int, ...], None] = {}
    while len(found) < 3:
        found[tuple(choices.shuffled(range(1, count + 1)))] = None
    return list(found)


def shapes(
    *,
    split: str = "test",
    seed: int = 0,
    size: int = 10_000,
    kinds: str | Sequence[str] | None = None,
    difficulty: int = 1,
    gold_slot_decay: float = 1.0,
) -> ProceduralQuestions:
    """The questions of perl/Shapes-v0.

    Args:
        split: "train" or "test".
        seed: another seed gives other questions.
        size: how many questions there are.
        kinds: which of ``KINDS`` are asked, by turns: names, or one name; all by default.
        difficulty: 1 (three images), 2 (three or four) or 3 (four to six, alike in part).
        gold_slot_decay: each slot is the gold's this many times as often as the slot before it.

    Raises:
        InputError: an unknown split, kind or difficulty.
    """
    return ProceduralQuestions(
        "shapes",
        KINDS,
        chosen=kinds,
        split=split,
        seed=seed,
        size=size,
        difficulty=difficulty,
        gold_slot_decay=gold_slot_decay,
        max_images=MAX_IMAGES,
        max_pixels=SIDE * SIDE,
    )
