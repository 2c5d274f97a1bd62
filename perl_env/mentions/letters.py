"""Letters as the forms of mentions expect them: small, with one dash, one blank and one comma."""

from __future__ import annotations

import re

#: Signs that mean the same in a list, a range or beside a number -> the one that the forms have.
_PLAIN_SIGNS = {
    ord(sign): plain
    for plain, signs in {
        "-": "\u2010\u2011\u2012\u2015\u2212\u2043\ufe58\ufe63\uff0d",
        "~": "\u301c\u223c\uff5e",
        "→": "\u21d2\u2794\u279c\u279d\u279e\u27a1\u27f6\u27f9",
        " ": "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
        "\u202f\u205f\u3000",
        ",": "\u3001\uff0c\uff64",
        ";": "\uff1b",
        "/": "\uff0f\u2044\u2215",
        "+": "\uff0b",
        "#": "\uff03",
        ":": "\uff1a",
        "(": "\uff08",
        ")": "\uff09",
        "&": "\uff06",
    }.items()
    for sign in signs
}
#: Letters without any width: a reader does not see them, a pattern does.
UNSEEN = re.compile("[\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff]")

_ONLY_LETTERS = bytes(code if chr(code).isalpha() and code < 128 else 32 for code in range(256))
_LETTERS = re.compile(r"[^\W\d_]+")


def lower(text: str) -> str:
    """Lower case with plain signs, letter by letter, so that places in both texts correspond.

    >>> lower("Images 1\u20113"), lower("IMAGE\u30002")
    ('images 1-3', 'image 2')
    """
    low = text.lower()
    if text.isascii():
        return low
    if len(low) != len(text):
        low = "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in text)
    return low.translate(_PLAIN_SIGNS)


def has_any(low: str, pieces: tuple[str, ...]) -> bool:
    """Whether one of the pieces stands in the text."""
    for piece in pieces:  # noqa: SIM110 - any() with a generator takes several times as long
        if piece in low:
            return True
    return False


def words_of(low: str) -> frozenset[str]:
    """The words of a text in lower case, letters alone: to ask at once which searches are worth it.

    >>> sorted(words_of("the 2nd image's x-ray"))
    ['image', 'nd', 'ray', 's', 'the', 'x']
    """
    if low.isascii():
        # by way of bytes, whose table is several times as fast
        return frozenset(low.encode("ascii").translate(_ONLY_LETTERS).decode("ascii").split())
    return frozenset(_LETTERS.findall(low))
