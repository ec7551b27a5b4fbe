"""The columns that a plain request names, as people write them: ``unit prices`` for ``unit_price``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentic_data_analysis.request_words import ASKED, PLAIN

_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_LOOKED_AT = 80


def named(words: str, names: Sequence[str]) -> list[str]:
    """The columns that the words name, in the table's order; a longer name is not its last word alone."""
    spoken = f" {' '.join(_spoken(words))} "
    found = set()
    for name in sorted(names, key=lambda one: -len(one)):
        parts = f" {' '.join(_spoken(name))} "
        if parts.strip() and parts in spoken:
            found.add(name)
            spoken = spoken.replace(parts, " , ")
    return [name for name in names if name in found]


def leading(words: str, names: Sequence[str]) -> str | None:
    """The column that the words begin with, after articles and the like."""
    spoken = _spoken(words[:_LOOKED_AT])
    while spoken and spoken[0] in PLAIN:
        spoken = spoken[1:]
    fitting = [name for name in names if (parts := _spoken(name)) and spoken[: len(parts)] == parts]
    return max(fitting, key=len, default=None)


def without(words: str, columns: Sequence[str]) -> str:
    """The words in the singular without the names of columns, which may be words such as ``total count`` themselves."""
    spoken = f" {' '.join(_spoken(words, singular=False))} "
    for name in sorted(columns, key=lambda one: -len(one)):
        bare = " ".join(_spoken(name, singular=False))
        if not any(pattern.fullmatch(bare) for _, pattern in ASKED):
            spoken = re.sub(rf" {re.escape(bare)}(?:s|es)? ", " ", spoken)
    return spoken


def is_plain(words: str) -> bool:
    """Whether, beside the words for figures, nothing is said that may name something else."""
    return not _telling(words)


def names_a_value(words: str, columns: Sequence[str], data: str) -> bool:
    """Whether the words hold a value of the data, as in ``total sales of north``: that asks for some rows alone."""
    telling = {word for word in _telling(without(words, columns)) if word != "value"}
    return any(re.search(rf"\b{re.escape(word)}\b", data, re.I) for word in telling)


def _telling(words: str) -> list[str]:
    """The words that say what the figures are of, in the singular."""
    for _, pattern in ASKED:
        words = pattern.sub(" ", words)
    return [word for word in _spoken(words) if word not in PLAIN and not word.isdecimal()]


def _spoken(text: str, singular: bool = True) -> list[str]:
    """Words in lower case, signs and changes of case as gaps: ``Unit_Prices`` is ``unit price``."""
    words = [word.lower() for word in _WORD.findall(_CAMEL.sub(" ", text))]
    return [_singular(word) for word in words] if singular else words


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
