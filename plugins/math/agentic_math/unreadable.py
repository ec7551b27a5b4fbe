"""What is arithmetic by its signs and cannot be read: ``17 * / 23``, ``(2 + 3``, ``sqrt(4``.

It is asked of the calculator all the same, which refuses it and shows the fault. Left to a model it would be mended in
silence, and the answer be one to another question. What people write with the same signs and mean otherwise is left
alone: telephone numbers, ``18+``, lists, schedules of cron.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from agentic import ToolRetry
from agentic_math import names
from agentic_math.grammar import parse
from agentic_math.notation import Token, normalise, tokens_of

_SIGNS = frozenset("+ - * / // ^ ** % ! ( ) = == √ ∛".split())
_WITHIN_CALLS = _SIGNS | frozenset(", [ ]".split())
_TELLING = frozenset("+ * ^ ** √ ∛".split())
"""Signs of arithmetic alone; the others part dates, ranges and telephone numbers as well."""
_OTHERS = frozenset("- / // % !".split())
_LOOKALIKES = re.compile(
    r"""
    \(?\d{1,3}[.)]\s+[\d(]                                              # an exercise and its number
    |\*.*\*$                                                            # emphasis
    |/\*|.*\d/\*+$                                                      # a comment, a path
    |(?:(?:\*|\d+(?:-\d+)?)(?:/\d+)?(?:,\d+(?:-\d+)?)*(?:\s+|$)){5,7}$  # a schedule of cron
    """,
    re.VERBOSE,
)
_TELEPHONE = re.compile(r"\W*(?:\+|0\d)")
"""How telephone numbers begin."""


def is_unreadable(text: str, asked: bool) -> bool:
    """Whether it means arithmetic, is made of numbers, signs and known functions alone, and the grammar refuses it.

    ``asked``: its result was asked for in words.
    """
    if _LOOKALIKES.match(text):
        return False
    try:
        tokens = tokens_of(normalise(text))
    except ToolRetry:
        return False
    calls = any(map(_is_call, tokens, tokens[1:]))
    if not _is_arithmetic(tokens, calls) or not (calls or _is_meant(tokens, asked, _TELEPHONE.match(text) is not None)):
        return False
    try:
        parse(text)
    except ToolRetry:
        return True
    return False


def _is_arithmetic(tokens: Sequence[Token], calls: bool) -> bool:
    """Whether there are numbers, and beside them nothing that is not arithmetic; unknowns only where functions are."""
    signs = _WITHIN_CALLS if calls else _SIGNS
    for token in tokens:
        if token.kind == "name":
            allowed = names.CONSTANTS.get(token.text) == "pi" or (calls and _is_known(token.text))
        else:
            allowed = token.kind == "number" or token.text in signs
        if not allowed:
            return False
    return any(token.kind == "number" for token in tokens)


def _is_meant(tokens: Sequence[Token], asked: bool, may_be_telephone: bool) -> bool:
    """Whether the signs stand as they do in arithmetic only."""
    side_by_side = any(
        after.kind == "number" and (before.kind == "number" or before.text == ")") for before, after in pairwise(tokens)
    )
    if side_by_side and may_be_telephone:
        return False
    signs: set[str] = set()
    for before, sign, after in zip(tokens, tokens[1:], [*tokens[2:], None], strict=False):
        glued, led = before.end == sign.start, after is not None and sign.end == after.start
        if glued and not led and (after is None or sign.text == "+"):
            # 18+, 4*, 24/
            continue
        if led and not glued and side_by_side and sign.text == "+":
            # The plus of another telephone number.
            continue
        signs.add(sign.text)
    return bool(signs & _TELLING) or (asked and not side_by_side and bool(signs & _OTHERS))


def _is_call(name: Token, bracket: Token) -> bool:
    called = name.kind == "name" and bracket.text == "(" and name.end == bracket.start
    return called and names.function_named(name.text) is not None


def _is_known(name: str) -> bool:
    return name in names.CONSTANTS or names.is_unknown(name) or names.function_named(name) is not None
