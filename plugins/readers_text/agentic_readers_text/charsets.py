"""The encoding that a web page declares, as browsers understand it."""

from __future__ import annotations

import codecs
import re

_DECLARED = re.compile(
    rb"""<(?:meta[^>]{0,200}charset|\?xml[^>]{0,100}encoding)\s*=\s*["']?\s*([a-zA-Z0-9_:.-]{2,40})""", re.I
)
_BY_LABEL = {
    "iso-8859-8-i": "iso8859_8",
    "windows-874": "tis_620",
    "x-euc-jp": "euc_jp",
    "x-gbk": "gb18030",
    "x-mac-cyrillic": "mac_cyrillic",
    "x-sjis": "cp932",
    "x-x-big5": "big5hkscs",
}
"""Names that Python does not know."""

_WIDER = {
    "ascii": "cp1252",
    "big5": "big5hkscs",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "shift_jis": "cp932",
}
"""What pages that call themselves so are written in: the same, with more letters."""


def declared_encoding(head: bytes) -> str | None:
    """The encoding that the first bytes of a page name; None where they name none, or one that it cannot have."""
    found = _DECLARED.search(head)
    if found is None:
        return None
    label = found[1].decode("ascii").lower()
    try:
        codec = codecs.lookup(_BY_LABEL.get(label, label)).name
        # What reads the declaration otherwise cannot be what the page is in: UTF-16, for one.
        fits = found[0].decode(codec, "replace") == found[0].decode("ascii")
    except (LookupError, UnicodeError):
        return None
    return _WIDER.get(codec, codec) if fits else None
