"""The published rules by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from perl_env.errors import InputError, nearest
from perl_env.scoring import (
    blink,
    mantis_eval,
    mathverse,
    mathvision,
    mathvista,
    mmiu,
    mv_math,
    remi,
)
from perl_env.scoring.rule import Rule

RULES: Mapping[str, Rule] = MappingProxyType(
    {
        module.RULE.name: module.RULE
        for module in (
            mantis_eval, blink, mmiu, mathvista, mathverse, mathvision, remi, mv_math,
        )
    }
)  # fmt: skip


def find_rule(name: str, key: str = "") -> Rule:
    """The published rule of this name.

    Args:
        name: such as "blink".
        key: of the question that names it, for the error.

    Raises:
        InputError: there is none; the nearest known name is told.

    >>> find_rule("blink").judge
    'fallback'
    """
    if name not in RULES:
        where = f"question {key!r}, scoring" if key else "scoring"
        raise InputError("unknown scoring rule", where=where,
                         expected=nearest(name, ["strict", *RULES]), got=repr(name))  # fmt: skip
    return RULES[name]
