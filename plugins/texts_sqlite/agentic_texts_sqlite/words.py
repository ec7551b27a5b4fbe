"""Texts and queries as FTS5 takes them: any text is one, and nothing in it is syntax."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from functools import cache, lru_cache
from itertools import pairwise

MOST_WORDS = 200
"""Different words of a query that are looked for; those beyond change little, and FTS5 takes only so many."""

# Written without blanks between words: Thai to Khmer, kana, and the ideographs of Chinese and Japanese.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
# What may be written or not in the same word: the vowels of Hebrew and Arabic, stretched letters, joiners, soft
# hyphens, and which form of an ideograph is meant.
_OPTIONAL = (
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed"
    "\u200d\u00ad\ufe00-\ufe0f\U000e0100-\U000e01ef"
)
# Between words it parts them; behind a virama it only says how that is drawn.
_NON_JOINER = "(?<=[\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca])\u200c"
MOST_MARKS = 32
"""Marks of one word that are looked for: FTS5 takes the letters between two as a word of its own."""


def indexed(text: str) -> str:
    """The text as it goes into the index: letters of scripts without blanks stand apart, so that each is a word."""
    return _letter().sub(r" \g<0> ", _whole(text))


def query_of(text: str, common: Collection[str] = ()) -> str:
    """A query that matches pieces which hold any of the text's words; empty where it has none.

    The words ``common`` are left out where there are others. A word goes with its marks: FTS5 drops some and splits at
    others, in texts and in queries alike, and looks for the parts of one word side by side.
    """
    words: dict[str, None] = {}
    for word in _words(_whole(text)):
        words.update(dict.fromkeys(_terms(word)))
        if len(words) >= MOST_WORDS:
            break
    telling = [word for word in words if word not in common] or list(words)
    return " OR ".join(f'"{word}"' for word in telling[:MOST_WORDS])


def _words(text: str) -> Iterator[str]:
    """The words of a text, parted where scripts with and without blanks meet."""
    blanks = {ord(one): " " for one in set(text) if not _is_of_words(one)}
    for word in text.translate(blanks).split():
        if word.isascii():
            yield word
        else:
            yield from (part for part in _run().findall(word) if not all(map(_is_mark, part)))


@lru_cache(10_000)
def _is_of_words(character: str) -> bool:
    """Whether FTS5 takes it for a part of words, or may: it splits at some marks, and never where it knows nothing."""
    return character.isalnum() or _is_mark(character) or unicodedata.category(character) in ("Co", "Cn")


@lru_cache(10_000)
def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M")


@cache
def _letter() -> re.Pattern[str]:
    return re.compile(f"[{_UNSPACED}]")


@cache
def _run() -> re.Pattern[str]:
    return re.compile(f"[{_UNSPACED}]+|[^{_UNSPACED}]+")


@cache
def _optional() -> re.Pattern[str]:
    return re.compile(f"[{_OPTIONAL}]|{_NON_JOINER}")


def _terms(word: str) -> list[str]:
    """The word itself, or in scripts without blanks each two letters that follow one another."""
    if word.isascii():
        return [word]
    marks = [place for place, one in enumerate(word) if _is_mark(one)]
    if not _letter().match(word):
        return [word[: marks[MOST_MARKS]] if len(marks) > MOST_MARKS else word]
    letters = [one for one in word if not _is_mark(one)]
    return [f"{one} {two}" for one, two in pairwise(letters)] or letters


def _whole(text: str) -> str:
    """The text in small letters, each one character with its marks where there is one, without what is optional.

    FTS5 knows letters and signs as of the year 2012: younger capitals are made small here, and younger signs parted
    from the words beside them. Halves of characters, which no file can hold, are blanks too.
    """
    text = text.lower()
    if text.isascii():
        return text
    text = _optional().sub("", unicodedata.normalize("NFC", text))
    # Usual punctuation is none of them, and can stay: to go over every character takes ten times as long.
    signs = {
        ord(one): " " for one in set(text) if not (one <= "\xff" or "\u2000" <= one <= "\u205f" or _is_of_words(one))
    }
    return text.translate(signs) if signs else text
