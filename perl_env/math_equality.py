r"""Whether two formulas are equal, by math-verify, kept away from anything that could run for long.

math-verify's own timeouts are Unix signals, which work in the main thread only, and cannot stop
one long computation. So they are off, and instead only formulas that are certain to be cheap are
handed over: short ones of known commands, with small exponents and few variables.
"""

from __future__ import annotations

import logging
import math
import re
from functools import lru_cache

from perl_env.answer_text import plain

#: The longest formula that is compared symbolically, in characters.
MAX_LENGTH = 100
_MAX_NUMERIC_EXPONENT = 1000
_MAX_SYMBOLIC_EXPONENT = 12
_MAX_VARIABLES = 4
_MAX_GROUPS = 8
_MAX_DIGITS = 15
_MAX_NUMERIC_ROOTS = 3
_MAX_SYMBOLIC_ROOTS = 1

_CHEAP = r"""
    frac pi times cdot div pm infty leq geq le ge lt gt neq ne in cup cap emptyset
    begin end pmatrix bmatrix
"""
_GREEK = frozenset(
    ["alpha", "beta", "gamma", "delta", "theta", "lambda", "mu", "phi", "omega", "sigma", "rho"]
)
_COMMANDS = frozenset(_CHEAP.split()) | _GREEK | {"sqrt"}
_COMMAND = re.compile(r"\\([a-zA-Z]+)")
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{(?:pmatrix|bmatrix)\}")
_CHARACTERS = re.compile(r"[A-Za-z0-9+\-*/^_=<>()\[\]{}.,:;|%&\s\\]*")
_NUMBERS = re.compile(r"[0-9]+")
_ROOT_INDEX = re.compile(r"\\sqrt\s*\[(?!\s*[2-5]\s*\])")


def same_expression(gold: str, reply: str) -> bool:
    r"""Whether math-verify finds the formula of a reply equal to the gold's.

    False for whatever is not certain to be cheap. Works in any thread.

    >>> same_expression(r"\frac{\sqrt{3}}{2}", r"\sqrt{3}/2"), same_expression("1", "9**9**9**9")
    (True, False)
    """
    gold, reply = _as_latex(gold), _as_latex(reply)
    return is_cheap(gold) and is_cheap(reply) and _verified(gold, reply)


def is_cheap(latex: str) -> bool:
    r"""Whether comparing this formula is certain to be quick.

    >>> is_cheap("(x+1)^2"), is_cheap("9^{9^{9}}"), is_cheap("99!"), is_cheap(r"\sum_{i=1}^{9} i")
    (True, False, False, False)
    """
    if not latex or len(latex) > MAX_LENGTH or not _CHARACTERS.fullmatch(latex) or "**" in latex:
        return False
    if latex.count("{") != latex.count("}"):
        return False
    commands = _COMMAND.findall(latex)
    if any(command not in _COMMANDS for command in commands) or _ROOT_INDEX.search(latex):
        return False
    letters = _COMMAND.sub(" ", _ENVIRONMENT.sub(" ", latex))
    variables = {*re.findall("[A-Za-z]", letters), *_GREEK.intersection(commands)}
    if re.search("[A-Za-z]{3}", letters) or len(variables) > _MAX_VARIABLES:
        return False
    if latex.count("(") + latex.count("frac") > _MAX_GROUPS:
        return False
    if any(len(number) > _MAX_DIGITS for number in _NUMBERS.findall(latex)):
        return False
    roots = commands.count("sqrt")
    if variables:
        return (
            roots <= _MAX_SYMBOLIC_ROOTS and _total_exponent(latex, roots) <= _MAX_SYMBOLIC_EXPONENT
        )
    return roots <= _MAX_NUMERIC_ROOTS and _total_exponent(latex, 1) <= _MAX_NUMERIC_EXPONENT


def _total_exponent(latex: str, roots: int) -> float:
    """The product of all numbers in exponents, an upper bound of any power; inf for a dear one.

    Dear are towers, exponents that are fractions, and a symbolic exponent beside anything else
    that sympy would try to simplify with it.
    """
    product, symbolic = 1.0, roots
    for caret in re.finditer(r"\^\s*", latex):
        exponent = _group_at(latex, caret.end())
        symbolic += bool(re.search("[A-Za-z]", exponent))
        is_tower = "^" in exponent or latex[caret.end() + len(exponent) :].lstrip().startswith("^")
        if is_tower or symbolic > 1 or re.search(r"[./]|frac", exponent):
            return math.inf
        for number in _NUMBERS.findall(exponent):
            product *= max(1, int(number))
    return product


def _group_at(latex: str, start: int) -> str:
    """The group in braces or brackets that starts there, else the rest up to an operator."""
    if start < len(latex) and latex[start] in "{(":
        depth = 0
        for position in range(start, len(latex)):
            depth += (latex[position] in "{(") - (latex[position] in "})")
            if depth == 0:
                return latex[start : position + 1]
        return latex[start:]
    match = re.match(r"[-+]?\s*(?:\\?[a-zA-Z]+|[0-9.]+)?\s*(?:[({^][^)}]*)?", latex[start:])
    return match.group() if match else ""


def _as_latex(text: str) -> str:
    text = plain(text).removesuffix(".")
    for character, command in (("π", r"\pi "), ("×", r"\times "), ("÷", r"\div "), ("·", r"\cdot "),
                               ("∞", r"\infty "), ("°", "")):  # fmt: skip
        text = text.replace(character, command)
    return text.replace("%", r"\%").replace("$", "")


@lru_cache(maxsize=4096)
def _verified(gold: str, reply: str) -> bool:
    # Imported here because it brings sympy along, half a second that most questions never need.
    from latex2sympy2_extended import NormalizationConfig
    from math_verify import LatexExtractionConfig, parse, verify

    for name in ("math_verify.parser", "math_verify.grader"):
        logging.getLogger(name).addFilter(_is_no_timeout_notice)
    # LaTeX only: math-verify reads plain expressions with an evaluator. Units are compared by us.
    config = [
        LatexExtractionConfig(
            normalization_config=NormalizationConfig(
                basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="none",
                equations=False,
            )
        )
    ]  # fmt: skip
    sides = [
        parse(f"${side}$", config, fallback_mode="no_fallback", parsing_timeout=None)  # type: ignore[arg-type]
        for side in (gold, reply)
    ]
    return all(sides) and bool(verify(*sides, timeout_seconds=None))


def _is_no_timeout_notice(record: logging.LogRecord) -> bool:
    return "Timeout is disabled" not in str(record.msg)
