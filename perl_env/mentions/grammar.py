"""The forms in which English texts mention images, as regular expressions over lower-case text.

``MENTION`` finds every place that may be a mention; each of its alternatives is one form. Whether
the place is a mention, and of which slots, is decided by ``parser``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from perl_env.mentions.words import (
    DENOTATIONS,
    END_SLOTS,
    IMAGE_NOUNS,
    NUMBERED_VIEW_NOUNS,
    NUMBERS,
    OPPOSITE_SIDES,
    ORDINAL_ENDINGS,
    ORDINALS,
    VIEW_NOUNS,
)


def any_of(words: Iterable[str]) -> str:
    """An alternation that shares prefixes, which is several times faster to try than a plain one.

    No word hides one that it begins: where both fit, the longer is tried first.
    """
    tails: dict[str, list[str]] = {}
    for word in words:
        tails.setdefault(word[:1], []).append(word[1:])
    may_end = tails.pop("", None) is not None
    options = [re.escape(head) + any_of(rest) for head, rest in tails.items()]
    if not options:
        return ""
    body = options[0] if len(options) == 1 and not may_end else f"(?:{'|'.join(options)})"
    return body + "?" if may_end else body


IMAGE = any_of(IMAGE_NOUNS)
NUMBERED = any_of([*IMAGE_NOUNS, *NUMBERED_VIEW_NOUNS])
VIEW = any_of([*IMAGE_NOUNS, *VIEW_NOUNS])
COUNT = rf"(?:{any_of(NUMBERS[1:10])}|\d{{1,2}})(?!\w)"

NUMBER = rf"(?:\d{{1,4}}|(?:{any_of(NUMBERS)})(?!\w))"
# Between noun and number: "image 2", "image_2", "Image-2", "image #2", "image no. 2", "image (2)".
NUMBER_GAP = r"(?:[ \xa0](?:no\.?|number|num\.?|nr\.?)[ ]?|[ \xa0]?[#№(][ ]?|[ \xa0]?\*{1,2}|[ \xa0]{1,2}|[-_])?"
# Some ordinals may count from the end: "second-to-last", "next to last", "third from the end", "second last".
ORDINAL = (
    rf"(?:(?:{any_of(['next', *ORDINALS[1:10]])})"
    r"(?:[- ](?:to[- ]|from[- ](?:the[- ])?)(?:last|end)|[- ]last)"
    rf"|{any_of([*ORDINALS, *END_SLOTS, *OPPOSITE_SIDES, 'initial', 'middle'])}"
    r"|\d{1,3}(?:st|nd|rd|th))(?![\w-])"
)
_BETWEEN_NUMBERS = (
    r"\)?\*{0,2}"
    r"(?:[ ]?,[ ]?(?:(?:and|or|&)[ ])?|[ ](?:and/or|and|or|vs\.?|versus|through|thru|to)[ ]"
    r"|[ ]?(?:&|-|–|—|~|->|→)[ ]?)"
    r"\*{0,2}(?:[#(]|no\.?[ ])?"
)
_BETWEEN_ORDINALS = (
    r"(?:[ ]?,[ ]?(?:(?:and|or|&)[ ])?|[ ](?:and/or|and|or|vs\.?|versus|through|thru|to)[ ]|[ ]?[/&][ ]?)"
    r"(?:the[ ])?"
)
_WORD_GAP = r"[\"'*_”’)]{0,2}[ \t\n\xa0]{1,2}[\"'*_“‘(]{0,2}"
# Words that may stand between ordinal and noun without changing which image is meant.
_CLEAR_MODIFIER = r"(?:given|input|provided|shown|displayed|presented|above|attached)"

_VAGUE_WORDS = [
    *("previous", "next", "prior", "preceding", "subsequent", "succeeding", "neighboring"),
    *("neighbouring", "adjacent", "consecutive", "successive", "alternate", "alternating"),
    *("leading", "starting", "ending"),
    *("end", "beginning", "top", "bottom", "upper", "lower", "topmost", "bottommost", "central"),
    *("center", "centre", "odd-numbered", "even-numbered", "every other", "first few", "last few"),
    *("first several", "last several"),
]
_TENS = [f"{ten}ty" for ten in ("twen", "thir", "for", "fif", "six", "seven", "eigh", "nine")]

_GROUP = any_of(
    [
        "pair",
        "set",
        "row",
        "group",
        "couple",
        "half",
        "third",
        "quarter",
        "batch",
        "column",
        "series",
        "triplet",
        "sequence",
    ]
)
# Looked for ahead of a form that is tried rarely in vain: an ordinal has up to four words.
_A_FEW_WORDS = r"(?:[\w-]+[ ]){1,4}?"

#: The first word of a mention -> which of the forms below it may have.
TRIGGER_KINDS = (
    dict.fromkeys([word.split()[0] for word in _VAGUE_WORDS] + [*_TENS, *DENOTATIONS], "rare")
    | dict.fromkeys(
        [*ORDINALS, *END_SLOTS, *OPPOSITE_SIDES, "initial", "middle", "next"], "ordinal"
    )
    | {
        noun + ending: "noun"
        for noun in (*IMAGE_NOUNS, *NUMBERED_VIEW_NOUNS, "one")
        for ending in ("", "s")
    }
)
#: Where a mention may begin: the word, which ``TRIGGER_KINDS`` knows unless it is an ordinal in digits.
#: The match includes the character before, no letter and no digit, and so is tried once a word.
TRIGGER = re.compile(rf"[\W_]({any_of(TRIGGER_KINDS)}|\d{{1,3}}(?:st|nd|rd|th))(?![^\W\d_])")
#: What of a trigger is letters before a dash or a blank ("odd-numbered").
_TRIGGER_WORDS = {
    re.split("[- ]", trigger)[0]: kind for trigger, kind in reversed(TRIGGER_KINDS.items())
}
_TRIGGER_WORD_SET = frozenset(_TRIGGER_WORDS)


def trigger_places(low: str, words: frozenset[str]) -> list[tuple[int, str]]:
    """Where a mention may begin, and the kind of its forms, in the order of the text.

    In most texts the few words that are there are found one by one, which is quicker than a search.

    Args:
        low: text in lower case.
        words: its words.
    """
    if not low.isascii() or not words.isdisjoint(ORDINAL_ENDINGS):
        found = TRIGGER.finditer(f" {low}")  # it begins at the character before: places agree
        return [(match.start(), TRIGGER_KINDS.get(match[1], "ordinal")) for match in found]
    places = []
    for word in words & _TRIGGER_WORD_SET:
        size, start = len(word), low.find(word)
        while start >= 0:
            end = start + size
            if not low[start - 1 : start].isalnum() and not low[end : end + 1].isalpha():
                places.append((start, _TRIGGER_WORDS[word]))
            start = low.find(word, end)
    places.sort()
    return places


#: Forms that begin with a noun.
NOUN_FORMS = re.compile(
    rf"""
    (?P<numbered>
        (?P<noun>{NUMBERED})(?P<noun_s>s?)(?P<number_gap>{NUMBER_GAP})
        (?P<numbers>{NUMBER}(?P<more>(?:{_BETWEEN_NUMBERS}{NUMBER})*))
        (?![\w%°]|\.\d|,\d{{3}}|[:/]\d))
    |(?P<odd_number>(?:{IMAGE})s?{NUMBER_GAP}\d+(?P<odd_suffix>(?:and|or|to|vs)[#(]?\d+|[a-z]{{1,3}}|[/:.]\d|½|,\d{{3}})(?![^\W_]))
    |(?P<labelled>(?:{IMAGE})s?[ ](?:(?:in|at)[ ]position|labell?ed|numbered|marked|with[ ](?:number|index|label)|index)
        [ ](?:as[ ]|with[ ]|by[ ])?["']?\d
        |(?:{IMAGE})s?[ ](?:pairs?|sets?|groups?|triplets?|rows?|columns?|ids?|(?:at[ ])index)[ ]?[#(]?\d
        |(?:{IMAGE})s[,:]?[ ]\d{{1,2}},?[ ](?:and|or)[ ]\d)
    |(?P<marked>(?:{IMAGE})s?[ ]?(?:["'`“‘](?:\d{{1,2}}|{any_of(NUMBERS)})["'`”’]|\$\d{{1,2}}\$|\\\(\d{{1,2}}\\\)
        |\((?:no\.?|number|nr\.?)[ ]?\d{{1,2}}\)|(?:[~|/]|\\_)[ ]?\d{{1,2}}(?![\w%°]|[./:,]\d|[ ][a-z])
        |-[ ]\d{{1,2}}(?![\w%°]|[./:]\d|[ ][a-z])))
    |(?P<by_luck>(?:{IMAGE})[ ]of[ ](?P<lucky>lucky[ ])?number[ ](?P<lucky_number>{NUMBER})(?![\w%°]|\.\d))
    |(?P<indexed>(?:{NUMBERED})s?[,:]?[ ]?[\[{{][ ]?\d+(?:[ ]?[\]}}]|,))
    |(?P<lettered>(?:{IMAGE})s?[ ](?P<letter>[a-h]|i{{1,3}}|iv|vi?)(?=[\s.,;:?!)'"\]]|$))
    |(?P<placed>
        (?:{IMAGE})(?P<placed_s>s?)[ ](?:(?:that|which)[ ]is[ ]|shown[ ]|displayed[ ]|located[ ])?
        (?:on|at|to)[ ](?:the[ ]|your[ ])?(?:far[ ])?(?P<side>left|right|top|bottom)(?:[ -]hand)?(?:[ ]side)?(?![\w-]))
    |(?P<laid_out>
        (?:{IMAGE})s?[ ]in[ ](?:the[ ])?(?:
            (?:middle|center|centre|top|bottom|upper|lower|left|right)(?![ -](?:of|part|half|corner))
                (?:[ -](?:left|right|middle|center)(?![ ](?:corner|part|half)))?
            |{ORDINAL}[ ](?:row|column|group|pair|set|position|line))(?![\w-]))
    |(?P<relative>
        (?P<relative_noun>{IMAGE}|one)(?P<relative_s>s?)[ ]
        (?:(?:that|which)[ ](?:is|was|comes|came|appears)[ ])?
        (?:(?:right|immediately|directly|just|located|shown|placed)[ ])*
        (?P<direction>before|after|preceding|following|between|next[ ]to|adjacent[ ]to|beside|above|below|under|over)[ ](?:the[ ])?
        (?=(?P<pronoun>it|that|this|those|them)(?!\w)
          |{ORDINAL}|(?:{IMAGE})s?{NUMBER_GAP}{NUMBER}|[<\[{{]))
    """,
    re.VERBOSE,
)
#: What follows a noun that has one of these forms. Most nouns fail here.
NOUN_NEXT = re.compile(
    rf"(?:{NUMBERED}|one)s?(?:[\d#№(*_\[{{\"'`“‘$~|/\\-]|[,:][ ]?[\d\[{{]|[ \xa0]{{1,2}}(?:[^a-z]|n|{any_of(NUMBERS)}|[a-h](?![a-z])|[iv]"
    r"|at|on|to|that|which|shown|displayed|located|in\b|im|label|number|marked|with|index|pair|set|group|triplet|row|column|id|of (?:lucky|number)"
    r"|right|dir|just|placed|before|after|prec|follow|between|adj|beside|above|below|under|over))"
)
_PAIRED = rf"""
    |(?P<paired>
        (?={_A_FEW_WORDS}pair)
        (?P<pair_ordinal>{ORDINAL})[ ](?:pair[ ]of[ ](?:the[ ]|these[ ]|those[ ])?(?P<pair_noun>{IMAGE})s
            |(?P<noun_of_pair>{IMAGE})[ ]pair|pair(?![ ]of[ ]))(?![\w-]))
    """
_GROUPED = rf"""
    |(?P<grouped>
        (?={_A_FEW_WORDS}{_GROUP})
        {ORDINAL}[ ](?P<group>{_GROUP})s?
        [ ]of[ ](?:the[ ]|these[ ]|those[ ])?(?:{COUNT}[ ])?(?:{IMAGE})s?(?!\w))
    """


def _ordinal_forms(pairs: bool, groups: bool) -> re.Pattern[str]:
    """Forms that begin with an ordinal, with those of pairs and groups where a text may have them."""
    return re.compile(
        rf"""
    (?P<vague>{any_of(_VAGUE_WORDS)}(?:[ -](?:left|right|few|{COUNT}))?[ ](?:{IMAGE})s?(?!\w))
    {_PAIRED if pairs else ""}{_GROUPED if groups else ""}
    |(?P<ordinal>
        (?P<ordinals>{ORDINAL}(?P<more_ordinals>(?:{_BETWEEN_ORDINALS}{ORDINAL})*))
        (?:[ ](?P<count>{COUNT}))?
        (?:
            {_WORD_GAP}(?:{_CLEAR_MODIFIER}[ ])?(?:(?P<modifier>[a-z][a-z'-]*)[ ])??
                (?P<ordinal_noun>{VIEW})(?P<ordinal_s>e?s?)(?!\w)
            |[ ](?P<one>ones?)(?!\w)
            |[ ](?P<of>of[ ](?:all[ ])?(?:the|these|those|our|your)[ ](?:(?P<of_count>{COUNT})[ ])?
                (?:{_CLEAR_MODIFIER}[ ])?(?:{IMAGE})s)(?!\w)
            |[ ](?P<to_come>to[ ]come)(?!\w)
            |[ ](?P<placeholder><image>)
        )?)
        """,
        re.VERBOSE,
    )


#: Forms that begin with a word that is neither noun nor ordinal.
RARE_FORMS = re.compile(
    rf"""
    (?P<denoted>(?P<denotation>{any_of(DENOTATIONS)})[ ](?P<denoted_noun>{IMAGE})(?P<denoted_s>s?)(?!\w)
        |(?P<end_denotation>end)[ ](?P<end_noun>{IMAGE})(?=[ ]in[ ](?:the|this)[ ](?:series|sequence|set|list)\b))|    (?P<vague>{any_of(_VAGUE_WORDS)}(?:[ -](?:left|right|few|{COUNT}))?[ ](?:{IMAGE})s?(?!\w))
    |(?P<large_ordinal>
        {any_of(_TENS)}[ -]{ORDINAL}{_WORD_GAP}(?:{IMAGE})s?(?!\w))
    """,
    re.VERBOSE,
)
#: Whether a text has "pair" and " of " -> the forms by kind of trigger.
_FORMS = {
    (pairs, groups): {
        "noun": NOUN_FORMS,
        "ordinal": _ordinal_forms(pairs, groups),
        "rare": RARE_FORMS,
    }
    for pairs in (False, True)
    for groups in (False, True)
}


def forms_of(low: str) -> dict[str, re.Pattern[str]]:
    """The forms that a text may have, by kind of trigger: most texts have no pairs and no groups."""
    return _FORMS["pair" in low, " of " in low]


# VERBOSE ignores blanks, so the pieces above write a blank as [ ]; "[ -]" and "[- ]" are classes.

NUMBER_ITEM = re.compile(NUMBER)
ORDINAL_ITEM = re.compile(ORDINAL)
PAIR_OF_IMAGES = re.compile(
    rf"(?<!\w)(?:(?:{IMAGE}) pairs?|pairs? of (?:the |these )?(?:{IMAGE})s)(?!\w)"
)
IMAGE_NOUN = re.compile(rf"(?<![^\W_])(?:{IMAGE})s?(?!\w)")
PLURAL_IMAGE_NOUN = re.compile(rf"(?<![^\W_])(?:{IMAGE})s(?!\w)")
SINGLE_IMAGE = re.compile(rf"(?<!\w)(?:the|this|each|every|one|an|a|single) (?:{IMAGE})(?!\w)")
NEXT_WORD = re.compile(r"[ \t\n\xa0]*([a-z]+)")
NEXT_WORD_IN_LINE = re.compile(r"[ \t\xa0]*([a-z]+)")
WORD = re.compile(r"[a-z]+")

#: After "first image": the image is counted within something else than the list of images.
FOLLOWED_BY_OTHER_COUNT = re.compile(
    r"""[ ](?:pairs?|sets?|groups?|rows?|columns?|sequences?|series|triplets?|options?|grids?|only
        |regions?|patch(?:es)?|tiles?|layers?|labels?|numbers?|files?|samples?|types?|kinds?|sources?)\b
    |[ ](?:from|on|at|to)[ ](?:the[ ])?(?:far[ ])?(?:left|right|top|bottom|end|last|back|beginning|start)\b
    |[ ](?:of|in|from|on|at)[ ](?:the[ ]|each[ ]|every[ ]|that[ ]|this[ ]|a[ ])?(?:\w+[ ])?
        (?:pairs?|rows?|columns?|grids?|collages?|pages?|groups?|triplets?|halves|half|boxe?s?|options?)\b
    |[ ](?:ever[ ]|to[ ]be[ ])?(?:taken|captured|shot|made|painted|drawn|published)\b
    |-(?!like\b|based\b|level\b)\w""",
    re.VERBOSE,
)
#: After "first picture": a thing that is called after pictures.
FOLLOWED_BY_COMPOUND = re.compile(
    r" (?:frames?|albums?|books?|booths?|shoots?|editors?|galler(?:y|ies)|quality|resolutions?)\b"
    r"|-(?:like|based|level)\b"
)
#: After "first image": a device or a technique, which the ordinal counts rather than the images.
FOLLOWED_BY_TECHNIQUE = re.compile(
    r" (?:sensors?|processing|processors?|recognition|recogni[sz]ers?|classification|classifiers?|encoders?"
    r"|encodings?|decoders?|detectors?|detection|segmentation|captioning|generators?|generation|retrieval"
    r"|compression|compressors?|acquisition|enhancement|viewers?|formats?|stabili[sz]ation|transformers?)\b"
)
#: After "first image": what may be counted or belong to the first image.
FOLLOWED_BY_COLLECTION = re.compile(
    r" (?:datasets?|databases?|collections?|folders?|archives?|librar(?:y|ies)|buttons?|tokens?|models?|networks?"
    r"|tags?|urls?|links?|search(?:es)?)\b"
)
BUT_ONE = re.compile(r" but (?:one|two|three)(?!\w)")
FOLLOWED_BY_TOTAL = re.compile(rf" of (?:the |these |those )?({COUNT})")
FOLLOWED_BY_SIDE = re.compile(r" \((?:on |at |the )*(?:left|right|top|bottom|middle)(?!\w)")
#: After "images 1": more numbers, in a way that is not understood ("images 1;2", "images 1, …, 5").
FOLLOWED_BY_NUMBERS = re.compile(
    r"[ ]?(?:[;+|/][ ]?|,?[ ]?(?:\.{2,}|…),?[ ]?(?:and[ ])?)[#(]?\d"
    r"|(?:,|,?[ ](?:and|or))[ ]?\n[ ]?(?:(?:and|or)[ ])?\d{1,2}(?![\w.):])|[ ]?\n(?:and|or)[ ]\d{1,2}(?![\w.):])"
)
FOLLOWED_BY_PAIR = re.compile(r" (?:of|in) (?:the |this )?pair\b")
#: After "first panel": a part of something.
FOLLOWED_BY_WHOLE = re.compile(
    rf" (?:of|in|on|from|within) (?:(?:the|this|that|each|every|both|all|any) )?(?:\w+ )?({IMAGE})(?!\w)"
    r"| (?:in|on|from|within) (?:the|this|that|each|every|both|all|any)\b| of\b"
)
#: After "image 2" where 2 is a quantity.
FOLLOWED_BY_UNIT = re.compile(
    r"[ ]?(?:times|x|×|px|pixels?|cm|mm|m|km|inch(?:es)?|percent|%|°|degrees?|dpi|bits?|bytes|[mk]b"
    r"|years|months|weeks|days|hours|minutes|seconds)(?!\w)"
)
#: Units that no determiner is needed for: "image 1024 x 768", "image 50%".
FOLLOWED_BY_SIZE = re.compile(r"[ ]?(?:[x×][ ]?\d|px\b|%|°|dpi\b)")
#: "the left (first) image"
ORDINAL_IN_BRACKETS = re.compile(rf" ?[(/,] ?(?:the )?{ORDINAL}")
POSITION_NEXT = re.compile(r" (?:positions?|slots?|spots?)\b")
OPTION_LABEL = re.compile(r"(?<!\w)[a-h][.):] ?\Z")
#: Numbers to choose from: ", 2 or 3?".
BARE_CHOICE = re.compile(r"[,:(] ?\d{1,2}(?:, ?\d{1,2})*,? or \d{1,2}(?= ?(?:[?.,)]|$))")
FILE_AFTER = re.compile(r"\.(?:jpe?g|png|gif|bmp|webp|tiff?|svg)\b")
#: "the first image, then last": an ordinal without article right after a mention.
THEN_ORDINAL = re.compile(r"(?:\bthen|\band|\bor|\bthan|\bvs\.?|\bversus|\bto|,) \Z")
LABEL_BEFORE_PLACEHOLDER = re.compile(r"\s*(?:[:=(]|is\b|->|→)\s*<image>")
RIGHT_MEANS_CORRECT = re.compile(
    r"(?:choose|select|pick|find|identify|correct|match|guess|which (?:one )?is|what is|not)\b[^.?!]*\Z"
)
#: After "the right image": the one that is correct.
FOLLOWED_BY_CHOICE = re.compile(
    r" (?:to (?:choose|pick|select|use|take|click|answer|insert|put|show|send|match|complete|fill)|for)\b"
)
CAPTION = re.compile(r"(?<!\w)(?:fig(?:ure|s?\.)?s?|charts?|graphs?|diagrams?|plots?|maps?) ?\(?\d")
GROWTH_PATTERN = re.compile(r"(?<!\w)(?:patterns?|stacked|matchsticks?|n-?th|\d{2,}th)(?!\w)")
#: "from image 1 to image 3" as a change, not as a range.
CHANGE = re.compile(
    r"(?:compar|match|map|chang|mov|turn|rotat|transform|transition|shift|differ|distance|evolv|progress)"
)
#: A noun phrase that is counted, numbered or asked for, up to its noun: "two red cards", "which card".
COUNTED = re.compile(
    rf"(?<!\w)(?:{any_of(NUMBERS[1:])}|\d+|several|these|those|which|each|both|{any_of(ORDINALS)})"
    r"(?=((?: [a-z]+){1,4}))"
)
