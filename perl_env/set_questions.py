"""The forms of questions that are about the images as a set: any order leaves them as they are.

"How many dogs are there in all images?", "Do both images show a cat?", "Exactly two of the images show
a star." A question has to have one of these forms from its beginning to its end: "what number do the
digits in all images form?" speaks of all images too, and depends on their order.
"""

from __future__ import annotations

import re

_NUMBER = r"(?:one|two|three|four|five|six|seven|eight|nine|ten|\d{1,2})"
_IMAGES = r"(?:images|pictures|photos|photographs|pics)"
_IMAGE = r"(?:image|picture|photo|photograph|pic)"
#: "all images", "both of the pictures", "the three images", "any image".
_SET = (
    rf"(?:(?:all|both|any|the|these|those)(?: of)?(?: the| these| those)?(?: given| shown)?(?: {_NUMBER})?(?: given| shown)? {_IMAGES}"
    rf"|(?:any|either|every|a single) {_IMAGE}|(?:all|both|any|either|one|{_NUMBER})? ?of (?:the|these)(?: {_NUMBER})? {_IMAGES})"
)
_SOME = (
    rf"(?:(?:exactly|at least|at most|only|just|precisely) )?(?:all|both|none|neither|either|some|most|any|no|{_NUMBER})"
    rf"(?: of)?(?: the| these| those)?(?: {_NUMBER})? (?:{_IMAGES}|{_IMAGE})"
)
#: Both, all or so many of them: more than "the images", which may be meant one after the other.
_QUANTIFIED = (
    rf"(?:(?:all|both|any|the {_NUMBER})(?: of)?(?: the| these| those)?(?: given| shown)?(?: {_NUMBER})? {_IMAGES}"
    rf"|(?:any|either|every|a single) {_IMAGE})"
)
#: What images do that no order can change.
_SHOW = r"(?:show|contain|depict|feature|include|portray|display|(?:do|does) not (?:show|contain|depict|have)|have|has)s?"
#: What images are that no order can change.
_BE = r"(?:is|are) (?:the same|identical|alike|similar|different|of|photographs?|photos?|drawings?|paintings?|cartoons?|black and white|blurred|blurry|empty)"
_REST = r"[^.;:?!]{0,120}"
_THING = r"[\w' -]{1,60}?"
_TOGETHER = r"(?:,? (?:together|in total|combined|altogether))?"
#: A quantity that has a direction or a time in it.
_NOT_A_COUNT = (
    r"(?!times|pages|hours|minutes|days|weeks|months|years|seconds|more|fewer|less|ways|other)"
)

_NUMBER_FORMS = (
    rf"(?:in total,? |altogether,? )?how many {_NOT_A_COUNT}{_THING} (?:are|is|can be|do you|does one|appear)(?: there| shown| seen| visible| depicted| see| found)*(?: in total| altogether)?(?:,? (?:in|across|on|over|among) {_SET}{_TOGETHER})",
    rf"how many {_NOT_A_COUNT}{_THING} (?:are|is) (?:there |shown |seen |visible )?(?:in total|altogether)",
    rf"how many {_NOT_A_COUNT}{_THING} do {_SET} (?:show|contain|depict|have){_TOGETHER}",
    rf"(?:in|on) {_SET}{_TOGETHER},? how many {_NOT_A_COUNT}{_THING} (?:are|is|can)(?: there| shown| seen| visible| you see| be seen)*{_TOGETHER}",
    rf"how many (?:of (?:the|these|those) )?(?:{_NUMBER} )?{_IMAGES} (?:{_SHOW}|{_BE}){_REST}",
    rf"what is the (?:sum|total|product|average|mean|maximum|minimum|median) of (?:all )?(?:the )?(?:digits|numbers|values|prices|scores|ages|weights|lengths|amounts)(?: shown)? (?:in|of|across|over|on) {_SET}{_TOGETHER}",
)
_TRUTH_FORMS = (
    rf"(?:do|does|have|has) (?:{_SOME}|{_QUANTIFIED}) {_SHOW}{_REST}",
    rf"are (?:{_SOME}|{_QUANTIFIED}) (?:the same|identical|alike|similar|different|of|photographs|photos|drawings|paintings|cartoons|black and white){_REST}",
    rf"(?:is|are)(?: there)? {_THING} (?:in|on|across|common to) {_QUANTIFIED}",
    rf"(?:is|are) {_THING} (?:shown|visible|depicted|present|seen|found) (?:in|on) {_QUANTIFIED}",
    rf"{_SOME} (?:{_SHOW}|{_BE}){_REST}",
    rf"there (?:is|are) {_THING} in (?:{_QUANTIFIED}|{_SOME}){_TOGETHER}",
)
_CHOICE_FORMS = (
    rf"(?:which|what) {_THING}(?: is| are| can be| appears| appear)(?: not)?(?: common to| shown in| depicted in| seen in| visible in| present in| found in| in| part of) {_QUANTIFIED}",
    rf"(?:which|what) {_THING} (?:fits|describes|suits|is shared by|is common to) {_QUANTIFIED}",
    rf"(?:which|what) {_THING} do {_QUANTIFIED} (?:have in common|share)",
    rf"what do {_QUANTIFIED} have in common",
)


def _any(forms: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{form})" for form in forms))


_WITH_NUMBERS, _WITH_TRUTH, _WITH_CHOICES = map(_any, (_NUMBER_FORMS, _TRUTH_FORMS, _CHOICE_FORMS))
_MAX_LENGTH = 300  # characters; a longer text is no such plain question
#: What stands around such a question without changing it.
_PREAMBLE = re.compile(
    rf"given (?:the|these)(?: following)?(?: {_NUMBER})? {_IMAGES}(?:[ ,:]|\band\b|·)*[.,:]"
    rf"|here (?:is|are) (?:the|{_NUMBER}) {_IMAGES}(?:[ ,:]|\band\b|·)*[.:]"
    r"|here is a statement (?:describing|about) (?:them|the images)\s*:|(?:is it |is this )?(?:true or false|correct)(?: or (?:not|wrong))?\s*[:,?.]"
    r"|·"
)


_EVIDENCE = re.compile(
    rf"(?:how many {_IMAGES}|how many of {_SET}|{_QUANTIFIED}|{_SET}|{_SOME}|in total|altogether)(?!\w)"
)


def set_words(low: str, *, numbers: bool, truths: bool) -> tuple[str, ...]:
    """The words for the set in a text of one of the forms, a preamble left aside; else nothing.

    Args:
        low: the text in lower case.
        numbers: whether all answers are numbers.
        truths: whether all answers are yes or no, true or false.

    >>> set_words("true or false: exactly two of the images show a star.", numbers=False, truths=True)
    ('exactly two of the images',)
    >>> set_words("what number do the digits in all images form?", numbers=True, truths=False)
    ()
    """
    asked = " ".join(_PREAMBLE.sub(" ", low).split()).strip(" .?!,")
    patterns = [_WITH_CHOICES]
    patterns += [_WITH_NUMBERS] if numbers else []
    patterns += [_WITH_TRUTH] if truths else []
    if len(asked) > _MAX_LENGTH or not any(pattern.fullmatch(asked) for pattern in patterns):
        return ()
    return tuple(dict.fromkeys(match[0] for match in _EVIDENCE.finditer(asked)))
