"""Texts and queries as words. Any text is one, nothing in it is syntax, and no setting of the database changes them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

MOST_WORDS = 200
"""Different words of a query that are looked for; those beyond change little."""
LONGEST = 400
"""Characters of a word that count: PostgreSQL takes 2,046 bytes."""

# Written without blanks between words: Thai to Khmer, kana, and the ideographs of Chinese and Japanese.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_ACCENTS = re.compile("[\u0300-\u036f]+")
_HALVES = re.compile("[\ud800-\udfff]")


def indexed(text: str) -> list[str]:
    """The words of a piece in their order; those of scripts without blanks are letters, and each two neighbours."""
    found: list[str] = []
    for word, unspaced in _words(text):
        if unspaced:
            found.extend(word)
            found.extend(one + two for one, two in pairwise(word))
        else:
            found.append(word)
    return found


def asked(text: str) -> list[str]:
    """The different words of a query, in their order; in scripts without blanks each two neighbours."""
    found: dict[str, None] = {}
    for word, unspaced in _words(text):
        pairs = [one + two for one, two in pairwise(word)] if unspaced else []
        found.update(dict.fromkeys(pairs or [word]))
        if len(found) >= MOST_WORDS:
            break
    return list(found)[:MOST_WORDS]


def _words(text: str) -> Iterator[tuple[str, bool]]:
    """Each word, and whether it is of a script without blanks."""
    for found in _word().finditer(_folded(text)):
        if found.lastgroup == "unspaced":
            yield found[0], True
        else:
            yield found[0][:LONGEST], False


def _folded(text: str) -> str:
    """Without case, accents, and forms of letters that are for the eye alone, such as those of a PDF's ligatures."""
    # Halves of characters are in no encoding.
    whole = unicodedata.normalize("NFKD", _HALVES.sub("\ufffd", text).casefold())
    return unicodedata.normalize("NFC", _ACCENTS.sub("", whole))


@cache
def _word() -> re.Pattern[str]:
    """Made at the first use: that takes some ten milliseconds. Marks, such as vowels of Hindi, are of their word."""
    marks = "".join(chr(code) for code in range(0x300, 0x10000) if unicodedata.category(chr(code)) in ("Mn", "Mc"))
    return re.compile(rf"(?P<unspaced>[{_UNSPACED}]+)|(?:[^\W_{_UNSPACED}][{marks}]*)+")
