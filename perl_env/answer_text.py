r"""Short answers as values: what text, number or measure an answer states, whatever its dress.

Everything here reads untrusted text by regular expressions; nothing is evaluated.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from fractions import Fraction

#: The longest answer that is looked at, in characters; a longer one is unparsable.
MAX_ANSWER = 2_000

_COUNT = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
fifteen sixteen seventeen eighteen nineteen twenty"""
_NUMBER_WORDS = {word: number for number, word in enumerate(_COUNT.split())}
_SUPERSCRIPTS = {ord(c): f"^{i}" for i, c in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
_DASHES = {ord(c): "-" for c in "−–—‐‑‒"}

_FONT = re.compile(
    r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mathsf|mbox|boxed)\s*\{([^{}]*)\}"
)
_DEGREE = re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![a-zA-Z]))|\\degree(?![a-zA-Z])")
_LATEX = (
    (re.compile(r"\\[dt]frac(?![a-zA-Z])"), r"\\frac"),
    (re.compile(r"\\(?:left|right)(?![a-zA-Z])\s*"), ""),
    (re.compile(r"\\(?:rightarrow|longrightarrow|to)(?![a-zA-Z])"), "→"),
    (re.compile(r"\\(?:q?quad(?![a-zA-Z])|[,;:! ])|~"), " "),
    (re.compile(r"\\([%$#&])"), r"\1"),
)
_WRAPPERS = (
    ("**", "**"), ("__", "__"), ("`", "`"), ("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"),
    ('"', '"'), ("'", "'"), ("“", "”"), ("‘", "’"), ("*", "*"),
)  # fmt: skip

_DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_DECIMAL = re.compile(rf"([+-]?)\s?[$€£¥]?\s?({_DIGITS})(?:[eE]([+-]?[0-9]{{1,2}}))?")
_RATIO = re.compile(
    r"([+-]?)\s?(?:([0-9]+)\s)?(?:([0-9]+)\s?/\s?([0-9]+)|\\frac\s?\{\s?([0-9]+)\s?\}\s?\{\s?([0-9]+)\s?\})"
)
_MEASURE = re.compile(
    rf"([+-]?\s?[$€£¥]?\s?{_DIGITS})(\s?)([^\W\d_]+(?:\s?/\s?[^\W\d_]+)?(?:\^?[23])?|%|°[CFcf]?)\.?"
)
_PAIR = re.compile(r"([\[(])\s*([^\s,;()\[\]]+)\s*[,;]\s*([^\s,;()\[\]]+)\s*([\])])")
_COMMAND = re.compile(r"\\[a-zA-Z]+")
_OPERATOR = re.compile(r"[+*/^=<>\\×÷·]|\w\s*-\s*[A-Za-z(]|[A-Za-z)]\s*-\s*\w")
_WORD = re.compile(r"[^\W\d_]{3,}")

# Words after a number that change its value or are no unit.
_CHANGING = """and or to not of minus plus times pi half third quarter dozen hundred thousand
million billion trillion st nd rd th"""
_NO_UNITS = frozenset(_CHANGING.split())
_ONE_LETTER_UNITS = frozenset("msghlvwnjkcf")
_UNIT_NAMES = {"degrees": "°", "degree": "°", "deg": "°", "percent": "%", "pct": "%"}
_LONGEST_NUMBER = 60


@functools.lru_cache(maxsize=256)  # grading one reply asks for the same text a dozen times
def plain(text: str) -> str:
    r"""``text`` without mark-up around it and with LaTeX fonts, spaces and signs made plain.

    >>> plain(r"**$\text{Image 2}$**"), plain(r"45^\circ"), plain("5−3")
    ('Image 2', '45°', '5-3')
    """
    text = text.translate(_SUPERSCRIPTS)
    text = "".join(map(_spaced_fraction, text)) if not text.isascii() else text
    text = unicodedata.normalize("NFKC", text).translate(_DASHES).replace("⁄", "/").strip()
    if "\\" in text or "~" in text:
        for _ in range(3):  # \text{\textbf{…}}
            text = _FONT.sub(r"\1", text)
        text = _DEGREE.sub("°", text)
        for pattern, replacement in _LATEX:
            text = pattern.sub(replacement, text)
    return _unwrapped(text)


def _spaced_fraction(character: str) -> str:
    """A character; "½" with a space before it, so that "2½" does not become 21/2."""
    return (
        f" {character}"
        if unicodedata.decomposition(character).startswith("<fraction>")
        else character
    )


def _unwrapped(text: str) -> str:
    for _ in range(6):
        before, text = text, text.strip()
        for left, right in _WRAPPERS:
            if (
                len(text) > len(left) + len(right)
                and text.startswith(left)
                and text.endswith(right)
            ):
                inner = text[len(left) : len(text) - len(right)]
                if left not in inner:
                    text = inner
        if text == before:
            break
    return text


def as_number(text: str) -> Fraction | None:
    r"""The number that a text is: 1,000 or 1000.0, -3, .5, 3/4, ``\frac{3}{4}``, 2 1/2, $5, "two".

    Number words count up to twenty. A comma groups thousands, it is no decimal mark. Percentages
    and units are no part of a number (see ``as_measure``).

    >>> as_number("1,000.0"), as_number("two"), as_number(r"\frac{3}{4}"), as_number("two dogs")
    (Fraction(1000, 1), Fraction(2, 1), Fraction(3, 4), None)
    """
    return _number(plain(text))


def _number(text: str) -> Fraction | None:
    text = text.removesuffix(".")
    if len(text) > _LONGEST_NUMBER:
        return None
    if (word := _NUMBER_WORDS.get(text.lower())) is not None:
        return Fraction(word)
    if match := _DECIMAL.fullmatch(text):
        sign, digits, exponent = match.groups()
        value = Fraction(digits.replace(",", "")) * Fraction(10) ** int(exponent or 0)
        return -value if sign == "-" else value
    if match := _RATIO.fullmatch(text):
        sign, whole, *parts = match.groups()
        above, below = (int(part) for part in parts if part is not None)
        if below:
            value = Fraction(above, below) + int(whole or 0)
            return -value if sign == "-" else value
    return None


def number_text(value: Fraction) -> str:
    """A number's one spelling: an integer or decimal where it ends, else a fraction.

    >>> number_text(Fraction("1000.0")), number_text(Fraction(1, 4)), number_text(Fraction(-1, 3))
    ('1000', '0.25', '-1/3')
    """
    rest, shift = value.denominator, 0
    for prime in (2, 5):
        power = 0
        while rest % prime == 0:
            rest, power = rest // prime, power + 1
        shift = max(shift, power)
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    digits = str(abs(value.numerator) * 10**shift // value.denominator).rjust(shift + 1, "0")
    sign = "-" if value < 0 else ""
    return f"{sign}{digits[: len(digits) - shift]}" + (f".{digits[-shift:]}" if shift else "")


def as_measure(text: str) -> tuple[Fraction, str] | None:
    """The number and the unit ("" for none) of "5 cm", "45°", "50%", "3 birds" or "5".

    >>> as_measure("5 cm"), as_measure("3 or 4"), as_measure("2x")
    ((Fraction(5, 1), 'cm'), None, None)
    """
    text = plain(text)
    if (value := _number(text)) is not None:
        return value, ""
    if len(text) > _LONGEST_NUMBER or not (match := _MEASURE.fullmatch(text)):
        return None
    unit = match.group(3).lower().replace(" ", "").replace("^", "")
    is_letter = len(unit) == 1 and unit.isalpha()
    if unit in _NO_UNITS or (is_letter and not (match.group(2) and unit in _ONE_LETTER_UNITS)):
        return None
    value = _number(match.group(1).strip())
    return None if value is None else (value, _UNIT_NAMES.get(unit, unit))


def is_formula(text: str) -> bool:
    r"""Whether a plain text is a formula: it has an operator or a LaTeX command, and no words.

    >>> is_formula("2(x+1)"), is_formula(r"\frac{\pi}{2}"), is_formula("red/blue"), is_formula("3-1-2")
    (True, True, False, False)
    """
    bare = _COMMAND.sub(" ", text)
    says_something = bare != text or any(character.isalnum() for character in text)
    return bool(_OPERATOR.search(text)) and says_something and not _WORD.search(bare)


def normal_text(text: str) -> str:
    """The text that decides whether two answers say the same: case, space and punctuation removed.

    Signs, decimal points, times (3:45) and factorials stay; in formulas only the white space goes;
    a bracketed pair of numbers keeps its brackets, for it may be an interval.

    >>> normal_text("  The *Red* car."), normal_text("T-shirt"), normal_text("-5"), normal_text("True.")
    ('the red car', 't shirt', '-5', 'true')
    """
    text = plain(text)
    if is_formula(text):
        return re.sub(r"\s+", "", text)
    if pair := _PAIR.fullmatch(text):
        left, first, second, right = pair.groups()
        if (a := _number(first)) is not None and (b := _number(second)) is not None:
            return f"{left}{number_text(a)} {number_text(b)}{right}"
    return without_punctuation(text)


_QUOTES = re.compile(r"[\"'“”‘’`´]|\*\*|(?<!\w)[*_]|[*_](?!\w)")
_PUNCTUATION = re.compile(
    r"(?<![0-9)])!|[,;?¿¡()\[\]{}|_…→]|(?<![0-9]):|:(?![0-9])|\.(?![0-9])|(?<=[^\W0-9])\.|(?<=[\w)\]])\s*-\s*|-(?![\w.(])"
)


def without_punctuation(text: str) -> str:
    """``text`` in lower case without punctuation, words parted by one space."""
    return " ".join(_PUNCTUATION.sub(" ", _QUOTES.sub("", text.casefold())).split())


def content_key(text: str) -> str:
    """One spelling for all answers that plainly say the same; "" for an answer that says nothing.

    >>> content_key("1,000"), content_key("Two"), content_key(" A dog! ")
    ('1000', '2', 'a dog')
    """
    value = as_number(text)
    return normal_text(text) if value is None else number_text(value)
