"""Words by which a text tells what another order of its images would do to it.

Each table is one regular expression over lower-case text. They decide what ``classification`` is
unsure of, so a word too many costs a question and a word too few costs a wrong gold: when in doubt a
word is in.
"""

from __future__ import annotations

import re

from perl_env.mentions.words import IMAGE_NOUNS, NUMBERS
from perl_env.references import ReferenceText


def _words(text: str) -> re.Pattern[str]:
    """Any of the words; a word may itself be a small regular expression ("frames?").

    They are tried by their first letters, which is twice as fast as one after the other.
    """
    tails: dict[str, list[str]] = {}
    for word in text.split():
        tails.setdefault(word[0], []).append(word[1:])
    words = "|".join(f"{head}(?:{'|'.join(rest)})" for head, rest in tails.items())
    return re.compile(rf"(?<![\w-])(?:{words})(?!\w)".replace("_", "[ -]"))


#: The order of the images is an order in time, or of a story, a pattern or a procedure.
TIME = _words(
    """
    videos? frames? clips? footage movies? films? gifs? animations? keyframes? timestamps? timelines?
    before after afterwards? later earlier next previous(?:ly)? preceding subsequent(?:ly)? prior until
    sequences? sequential(?:ly)? chronological(?:ly)? consecutive successive series storyboards?
    stor(?:y|ies) narratives? comics? slideshows? over_time time-lapse timelapse in_time
    steps? stages? phases? process(?:es)? procedures? recipes? progress(?:ion|es|ed)? instructions?
    happen(?:s|ed|ing)? occur(?:s|red)? begin(?:s|ning)? began begun start(?:s|ed|ing)? end(?:s|ed|ing)?
    finish(?:es|ed)? outcome results? predict(?:s|ed|ion)? forecast continu(?:e|es|ed|ation) resume
    trajector(?:y|ies) track(?:s|ed|ing)? motions? actions? activit(?:y|ies) events? perform(?:s|ed|ing)?
    evol(?:ve|ves|ved|ution) grow(?:s|n|ing|th)? grew shrinks? shrank develop(?:s|ed|ment)? becom(?:e|es|ing) became
    patterns? analog(?:y|ies|ous) raven'?s? logically completes? progressive iterations? rounds? moves?
    coherent coherence plot_of cause[sd]? causal effects? reasons? why goals? intent(?:ion)?s? plans?
    var(?:y|ies|ied|iation) trends? passed elapsed ris(?:e|es|ing) rose fall(?:s|ing)? fell switch(?:es|ed)? repeat(?:s|ed)?
    preced(?:e|es|ed) by_the so_far in_front spell(?:s|ed)? outer inner how_long how_far
    yesterday today tomorrow morning evening ago already will going_to
    """
)
#: What is certain to be about time: alone enough to say so.
SURELY_TIME = _words(
    """
    videos? frames? clips? footage gifs? keyframes? chronological(?:ly)? storyboards? timelapse time-lapse
    before_and_after happens?_next before_or_after
    """
)
#: May be about a change between the images: harmless only where every image is named.
CHANGE = _words(
    """
    chang(?:e|es|ed|ing) mov(?:e|es|ed|ing|ement) turn(?:s|ed|ing)? rotat(?:e|es|ed|ing|ion) shift(?:s|ed)?
    cameras? viewpoints? views? perspectives? transform(?:s|ed|ation|ations)? convert(?:s|ed)? translat(?:e|es|ed|ion)
    homograph(?:y|ies) mapped mapping warp(?:s|ed)? edit(?:s|ed|ing)? modif(?:y|ies|ied|ication) alter(?:s|ed)?
    add(?:s|ed|ing|ition)? remov(?:e|es|ed|al|ing) new gone disappear(?:s|ed)? appeared missing lacks? lacking swapped swap replac(?:e|es|ed)
    increas(?:e|es|ed) decreas(?:e|es|ed) rais(?:e|es|ed) lower(?:s|ed) now(?!_(?:you|we|given|please)) then when while whil?st once again still yet
    increment(?:s|ed)? old newer older updat(?:e|es|ed) from_one
    coordinates? bounding bbox(?:es)? boxe?s?_of
    """
)
#: Places on a page or a screen, once those within one picture are taken out.
LAYOUT = _words(
    """
    left right leftmost rightmost left-most right-most left-hand right-hand top bottom upper lower upright
    topmost bottommost above below under underneath beneath middle centre center central side_by_side
    rows? columns? grids? matri(?:x|ces) cells? panels? pages? layout quadrants? tiles? corner jigsaw puzzles?
    adjacent neighbou?r(?:s|ing)? horizontal(?:ly)? vertical(?:ly)? diagonal(?:ly)? opposite arranged arrangement
    clockwise counter-?clockwise anti-?clockwise east west north south
    """
)
#: Sides and places that are surely within one picture, or a direction in it.
WITHIN_PICTURE = re.compile(
    r"(?:upper|lower|top|bottom)[ -](?:left|right)(?:[ -]hand)? (?:corner|part|half|side)"
    r"|(?:left|right|top|bottom|upper|lower)(?:[ -]hand)? (?:half|side|corner|edge|hand|arm|leg|foot|eye|ear|wing)\b"
    r"|(?:to|on) the (?:left|right)(?: side)? of (?:the|a|an|it|him|her|them|this|that)\b(?! (?:image|picture|photo|page))"
    r"|(?:fac(?:es?|ing)|look(?:s|ing)?|pointing|points?|leaning|heading) (?:to (?:the|its|his|her) )?(?:left|right)\b"
)
#: Words for the images or the text as such: "the images above", "the following pictures".
ABOUT_THE_PROMPT = re.compile(
    r"(?:images|pictures|photos|figures|paintings|options|statements?|questions?|choices) (?:above|below)\b"
    r"|\b(?:the|these|this) (?:above|below|following|given)(?: \w+)? (?:images|pictures|photos|statements?|questions?|options|choices)\b"
    r"|\bthe following\b(?! (?:image|picture|photo|one|frame|step|day)\b)"
)
#: Ordinals that were not understood as mentions.
LOOSE_ORDINAL = re.compile(
    r"(?<![\w-])(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|last|final(?:ly)?|former"
    r"|latter|initial(?:ly)?|\d+(?:st|nd|rd|th))(?![\w])"
)
#: A part that one image plays and that only its place may tell.
ROLE = re.compile(
    r"(?<!\w)(?:reference|ref|query|target|source|original|template|anchor|base|main|stem|exemplar|prompt|example"
    r"|title|rule|index|input|output|ground[ -]truth|candidates?|test|probe|model)(?= (?:image|picture|photo|one|painting|object|shape|point|figure|frame|person|face|car|vehicle|sketch)|[s]?(?:[ .,;:?!)]|$))"
)
#: The answer goes through the images, or through things in them, in an order.
RESPECTIVELY = re.compile(
    r"(?<!\w)(?:respectively|in (?:the )?(?:same |given |right |correct )?order|in turn|one by one|each|every|per|order(?:ed|ing)?|rank(?:s|ed|ing)?|sort(?:ed|ing)?|index|indices|positions?|slots?)(?!\w)"
)
#: A comparison, which has a direction.
COMPARISON = re.compile(
    r"(?<!\w)(?:than|compared|comparing|compare|relative to|versus|vs|differ(?:s|ence|ences|ent|ently)?|instead|contrast)(?!\w)"
)
#: A caption that may stand beside a picture or be drawn in it.
CAPTION = re.compile(
    r"(?<!\w)(?:fig(?:ure|s?\.)?s?|charts?|graphs?|diagrams?|tables?|plots?|maps?|panels?|scenes?|schemes?|cards?|subfigures?)[ ~]?(?:\(?\d{1,2}\)?|\(?[a-h]\)?(?!\w)|[ivx]+(?!\w))"
)
ASKS_FOR_IMAGE = re.compile(
    r"(?<!\w)(?:which|what|identify|select|choose|find|pick|name|tell)(?: me)?(?: the| a| one| of| these| those| two| three| four| \d| other| only| given)*"
    r" (?:images?|pictures?|photos?|photographs?|pics?)(?!\w)"
)
#: What is asked of an image that it shows or is by itself, or beside images that are named ("·").
ASKS_WHAT_IMAGE_SHOWS = re.compile(
    r"(?<!\w)which(?: one)?(?: of (?:the|these|those|them))?(?: other| given| two| three| four| five| six| \d+)*"
    r"(?: (?:images?|pictures?|photos?|photographs?|pics?))?(?: of the other(?: two| three)?)?(?: of| the| or| and| ·|,)*"
    r" (?:shows?|contains?|depicts?|features?|displays?|portrays?|ha(?:s|ve)|shares?|resembles?|matches|looks?|fits the description"
    r"|differs? from the others?|does not (?:show|contain|depict|have|belong|match|fit in)"
    r"|(?:is|are) (?:(?:most |more )?likely (?:to be )?)?(?:an? |the )?(?:real|fake|odd one|same|most|more|less|least|different|brightest|darkest|missing part"
    r"|\w{2,}(?:er|est)(?! to| than the (?:one|image)))"
    r")(?!\w)"
)
#: One image among several, named by nothing but "the": which one, only its place may tell.
SOME_IMAGE = re.compile(
    r"(?<!\w)(?:the|this|that)(?: (?!same|other)\w+)? (?:image|picture|photo|photograph|sketch|drawing|painting|portrait|logo|diagram|scan)(?!\w)"
)
#: A relation to an image that is not named ("the others", "matches best").
RELATION = re.compile(
    r"(?<!\w)(?:others?|rest|remaining|another|match(?:es|ing)?|alike|similar|same|best|most likely to|correspond(?:s|ing)?|belongs?|fits?|odd)(?!\w| the (?:description|caption|text|statement))"
)
#: Options that speak of the images as a set: they stay.
SET_OPTION = re.compile(
    r"(?:(?:both|neither|none|all|all of them|both of them|none of them|none of the above|all of the above|neither of them|either"
    r"|equal|equally|the same|same|no difference|they are the same|cannot tell|can't tell|unknown|not sure|cannot be determined"
    r"|cannot be inferred|no image|no images|all images|both images|neither image|neither of the images)\b[\s.]*)",
    re.IGNORECASE,
)


ASKS_FOR_ORDER = re.compile(
    r"(?<!\w)(?:order(?:ed|ing)?|sequences?|rank(?:s|ed|ing)?|sort(?:ed|ing)?|arrange[ds]?|rearrange|chronological(?:ly)?"
    r"|(?:list|give|write) the image numbers|from (?:the )?\w+ to (?:the )?\w+)(?!\w)"
)
ASKS_FOR_NUMBER_OF = re.compile(
    r"(?<!\w)(?:number|index|position|slot) of (?:the|an?) (?:image|picture|photo)|(?:image|picture|photo) (?:number|index)"
)
PLACE_OF_IMAGE = re.compile(
    r"(?<!\w)(?:(?:own|its|even|odd|image|picture|photo) (?:number|index)s?|(?:even|odd) numbers?|index|indices|positions?|place|count(?:ed|ing)"
    r"|reading order|rule|gap|between|in order|out of order|back|front)(?!\w)"
)
WORD = re.compile(r"\w+")
BARE_LETTER = re.compile(r"\(?[A-Za-z]\)?\.?")
BARE_NUMBER = re.compile(rf"[\[(#]?(?:\d+|{'|'.join(NUMBERS)})[\])]?\.?", re.IGNORECASE)
BARE_SIDE = re.compile(
    r"^\W*(?:the )?(?:on the |at the |to the )?(?:left|right)(?: one| side)?\W*$", re.IGNORECASE
)
PLACEHOLDER = re.compile(r"<\|?image[ _-]?\d*\|?>", re.IGNORECASE)
PLACEHOLDER_RUN = re.compile(
    r"^\W*(?:<\|?image[ _-]?\d*\|?>[\s,;]*(?:and\s+)?)+(?!\w+ (?:is|shows)\b)"
)
OPTION_WORD = re.compile(r"(?<!\w)(?:options?|choices?)(?!\w)")
IMAGE_WORD = re.compile(rf"(?:{'|'.join(IMAGE_NOUNS)})")
LISTED_NUMBERS = re.compile(r"\w\s*(?:,|;|\band\b)\s*\w")
NUMBER = re.compile(rf"\d[\d,.]*|{'|'.join(NUMBERS)}|none|zero", re.IGNORECASE)
YES_NO = re.compile(r"(?:yes|no|true|false|correct|incorrect|wrong)\.?", re.IGNORECASE)
LABEL = re.compile(
    r"(?<!\w)(?:(?:the )?\w{1,20} (?:image|picture|photo)|(?:image|picture|photo)[ -]?#?\d+)\s*[:=(]\s*<image>\)?|<image>"
)
OTHERS = re.compile(r"(?<!\w)(?:others?|rest|remaining)(?!\w)")


def without_mentions(parsed: ReferenceText) -> str:
    """The text in lower case without its mentions, labels of placeholders and words about the prompt."""
    pieces, at = [], 0
    for mention in parsed.mentions:
        pieces.append(parsed.text[at : mention.span[0]])
        at = max(at, mention.span[1])
    pieces.append(parsed.text[at:])
    low = " \u00b7 ".join(pieces).lower()
    if "<image>" in low:
        low = LABEL.sub(" ", low)
    if "above" in low or "below" in low or "following" in low or "given" in low:
        low = ABOUT_THE_PROMPT.sub(" ", low)
    return " ".join(low.split())


def without_places_in_picture(low: str) -> str:
    """The text in lower case without the sides and places that are surely within one picture."""
    sides = ("left", "right", "top", "bottom", "upper", "lower")
    return WITHIN_PICTURE.sub(" ", low) if any(map(low.__contains__, sides)) else low


def is_bound(caption: str, low: str) -> bool:
    """Whether a caption stands right after or before a placeholder, so that it travels with it."""
    name = re.escape(caption)
    return (
        re.search(rf">\s*\(?{name}(?!\w)", low) is not None
        or re.search(rf"(?<!\w){name}\s*(?:[:=(]\s*)?<\|?image", low) is not None
    )


def found_words(pattern: re.Pattern[str], low: str) -> tuple[str, ...]:
    """The distinct words that the pattern finds, in the order of the text."""
    return tuple(dict.fromkeys(match[0].strip() for match in pattern.finditer(low)))
