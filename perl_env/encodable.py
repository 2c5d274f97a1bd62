"""Text that can be written: half of a surrogate pair alone is no character."""

from __future__ import annotations


def encodable(text: str) -> str:
    r"""The text with each half of a surrogate pair that stands alone replaced by U+FFFD.

    JSON may hold such halves as ``\ud800``, and a model may say them; no file and no column of text takes
    them.

    >>> encodable("a\ud800b") == "a\ufffdb", encodable("\ud83d\ude00") == "\U0001f600"
    (True, True)
    """
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
