"""Words by which English texts name images: tables and the casing of a replacement.

Nouns fall into three groups, by how surely "the second NOUN" or "NOUN 2" means the second image:

* ``IMAGE_NOUNS`` are images, always;
* ``NUMBERED_VIEW_NOUNS`` ("frame 2", "the second panel") are images unless the text also speaks of
  images by an image noun, in which case they may be parts of one;
* ``VIEW_NOUNS`` adds nouns that are taken as images only with an ordinal ("the second chart"):
  with a number they are captions ("Figure 2"), which travel with their picture.
"""

from __future__ import annotations

from collections.abc import Sequence


def _table(words: str) -> list[str]:
    return words.split()


IMAGE_NOUNS = _table("image img picture pic photograph photo snapshot screenshot")
NUMBERED_VIEW_NOUNS = _table("frame panel scene view")
VIEW_NOUNS = [
    *NUMBERED_VIEW_NOUNS,
    *_table("figure chart graph diagram plot map illustration drawing painting sketch"),
]

ORDINALS = _table(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
)
NUMBERS = _table(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
)

#: What digits have behind them as an ordinal: "2nd".
ORDINAL_ENDINGS = frozenset(("st", "nd", "rd", "th"))

#: Ordinal word -> slot; number word -> number.
ORDINAL_SLOTS = {word: slot for slot, word in enumerate(ORDINALS)}
NUMBER_VALUES = {word: value for value, word in enumerate(NUMBERS, start=1)}
#: Word -> slot counted from the end (-1 is the last).
END_SLOTS = {"last": -1, "final": -1, "penultimate": -2}
#: Words that name a slot only right before an image noun ("the opening image") -> slot, -1 the last.
DENOTATIONS = dict.fromkeys(("opening", "foremost", "lead", "premiere"), 0)
DENOTATIONS |= {"secondary": 1, "closing": -1, "concluding": -1}
#: Words for a side of two, and their opposites. They name slots only where there are two images.
OPPOSITE_SIDES = {
    "left": "right",
    "left-hand": "right-hand",
    "left hand": "right hand",
    "lefthand": "righthand",
    "left-side": "right-side",
    "leftmost": "rightmost",
    "left-most": "right-most",
    "former": "latter",
}
OPPOSITE_SIDES |= {right: left for left, right in OPPOSITE_SIDES.items()}
LEFT_SIDES = frozenset(word for word in OPPOSITE_SIDES if word.startswith(("left", "former")))

#: What may follow "the second" or "image 1, 2" without being a noun that is counted.
FUNCTION_WORDS = frozenset(
    _table(
        """
    a about above across after against all along also although always among an and any are as at be
    because been before being below beneath between both but by can contain contained contains could
    depict depicted depicts did do does each either else for from given had has have having he her
    here his how however i if in inside instead into is it its just like may might must near neither
    no nor not of off on only or our outside over perhaps please respectively shall she should shown
    shows since so some still taken than that the their them then there these they this those though
    through to together too toward towards under unless until up upon using versus vs was we were
    what when where whereas whether which while who whom whose why will with within without would
    yet you your
    """
    )
)
#: Words that may follow "image 1 and 2" or stand between "the images" and "the first one"; some
#: could be nouns after an ordinal ("the first match").
VERBS = frozenset(
    _table(
        """
    appear appeared appears belong belongs come comes compared corresponding differ differs
    different display displayed displays feature features include includes look looks match matches
    more most represent represents resemble resembles same seem seems share shares show showed
    showing side similar such use used
    """
    )
)
#: What may follow "the first" without being a noun that it counts.
COMPARATIVES = frozenset(
    _table(
        """
    better bigger brighter clearer closer colder darker denser fainter farther fewer further heavier
    higher larger lighter longer louder lower nearer newer older redder sharper shorter simpler
    slower smaller thicker thinner warmer whiter wider younger
    """
    )
)
#: Words that stand between "the images" and "the first one" without being what "one" means.
PLAIN_WORDS = (
    FUNCTION_WORDS
    | VERBS
    | COMPARATIVES
    | frozenset(
        _table(
            """
    alike best brightest can choose closely closest compare darkest decide determine differently
    else equal exactly find first follow following
    identical identify judge largest least less many match most much nearest one options out part
    pick prefer quality reference second select sharpest smallest than third tell true visually
    """
        )
    )
)


def ordinal_number(number: int) -> str:
    """The number as an ordinal in digits.

    >>> [ordinal_number(number) for number in (1, 2, 3, 11, 22)]
    ['1st', '2nd', '3rd', '11th', '22nd']
    """
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def ordinal_word(slot: int) -> str:
    """The ordinal that names a slot: a word up to the twentieth, digits beyond."""
    return ORDINALS[slot] if slot < len(ORDINALS) else ordinal_number(slot + 1)


def number_word(slot: int) -> str:
    """The number that names a slot: a word up to twenty, digits beyond."""
    return NUMBERS[slot] if slot < len(NUMBERS) else str(slot + 1)


def cased_like(word: str, model: str) -> str:
    """``word`` in lower case, Capitalised or UPPER CASE, as ``model`` is.

    >>> cased_like("third", "Second"), cased_like("third", "SECOND"), cased_like("third", "2nd")
    ('Third', 'THIRD', 'third')
    """
    if model.islower():
        return word
    if model.isupper():
        return word.upper()
    return word[0].upper() + word[1:] if model[0].isupper() else word


def article_for(word: str, article: str) -> str:
    """The indefinite article that agrees with ``word``, cased like ``article``.

    >>> article_for("eighth", "A"), article_for("2nd", "an")
    ('An', 'a')
    """
    vowel = word[0].lower() in "aeiou" or word.startswith(("8", "11th", "18th"))
    agreeing = "an" if vowel else "a"
    if word.isupper() and article[0] == "A":
        return agreeing.upper()
    return agreeing.capitalize() if article[0] == "A" else agreeing


def joined(words: Sequence[str]) -> str:
    """Words as a list in English.

    >>> joined(["2", "4", "1"]), joined(["2", "1"])
    ('2, 4 and 1', '2 and 1')
    """
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
