"""Texts and queries as FTS5 takes them: any text is one, and nothing in it is syntax."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from functools import cache
from itertools import pairwise

MOST_WORDS = 200
"""Different words of a query that are looked for; those beyond change little, and FTS5 takes only so many."""

# Written without blanks between words: Thai to Khmer, kana, and the ideographs of Chinese and Japanese.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_HALVES = re.compile("[\ud800-\udfff]")


def indexed(text: str) -> str:
    """The text as it goes into the index: letters of scripts without blanks stand apart, so that each is a word."""
    return _letter().sub(r" \g<0> ", _whole(text))


def query_of(text: str, common: Collection[str] = ()) -> str:
    """A query that matches pieces which hold any of the text's words; empty where it has none.

    The words ``common`` are left out where there are others.
    """
    words: dict[str, None] = {}
    for word in _word().findall(_whole(text)):
        words.update(dict.fromkeys(_terms(word)))
        if len(words) >= MOST_WORDS:
            break
    telling = [word for word in words if word not in common] or list(words)
    return " OR ".join(f'"{word}"' for word in telling[:MOST_WORDS])


@cache
def _letter() -> re.Pattern[str]:
    return re.compile(f"[{_UNSPACED}]")


@cache
def _word() -> re.Pattern[str]:
    """Made at the first query: with so many letters in it, that takes some ten milliseconds."""
    return re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}]+")


def _terms(word: str) -> list[str]:
    """The word itself, or in scripts without blanks each two letters that follow one another."""
    if not _letter().match(word):
        return [word.lower()]
    return [f"{one} {two}" for one, two in pairwise(word)] or [word]


def _whole(text: str) -> str:
    """Letters and their marks as one character each, and no halves of characters, which no file can hold."""
    return _HALVES.sub("\ufffd", unicodedata.normalize("NFC", text))
