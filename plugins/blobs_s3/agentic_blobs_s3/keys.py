"""Keys of files as keys of objects, in the same order.

They are the same text, but for characters that many servers refuse or fold: those of control, and what they are written
with. A blank and a letter stand for one that sorts before the blank or is it, a tilde and a digit for the tilde or the
one that follows it; so keys sort as they would by themselves, which is what listing in pages relies on.
"""

from __future__ import annotations

import re

LONGEST_KEY = 1024
"""In bytes of UTF-8, with prefix and escapes: S3's own limit."""
_ESCAPES = {**{chr(code): f" {chr(0x40 + code)}" for code in range(0x20)}, " ": " `", "~": "~0", "\x7f": "~1"}
_PLAIN = {escaped: plain for plain, escaped in _ESCAPES.items()}
_TO_ESCAPE = re.compile(r"[\x00-\x20~\x7f]")
_ESCAPED = re.compile(r" [@-`]|~[01]")


def object_key(prefix: str, key: str) -> str:
    """The object's key. Raises ValueError for what is no key."""
    if not is_key(key):
        raise ValueError(f"a part of a key is neither empty nor '.' nor '..': {key[:100]!r}")
    whole = prefix + escaped(key)
    if len(whole.encode()) > LONGEST_KEY:
        raise ValueError(f"a key is too long: {LONGEST_KEY} bytes, where blanks, tildes and control count for more")
    return whole


def object_prefix(prefix: str, wanted: str) -> str:
    """What the keys of all objects under ``wanted`` begin with. Raises ValueError for what is no prefix."""
    if wanted and (not wanted.endswith("/") or not is_key(wanted[:-1])):
        raise ValueError(f"a prefix ends in '/': {wanted[:100]!r}")
    return prefix + escaped(wanted)


def is_key(key: str) -> bool:
    """Whether it is a key: other objects of the bucket are not ours."""
    return {"", ".", ".."}.isdisjoint(key.split("/"))


def escaped(text: str) -> str:
    """The text as objects have it."""
    return _TO_ESCAPE.sub(lambda found: _ESCAPES[found[0]], text)


def plain(text: str) -> str | None:
    """The text again; None for what is not of our making."""
    read = _ESCAPED.sub(lambda found: _PLAIN[found[0]], text)
    return read if escaped(read) == text and is_key(read) else None


def fits_xml(key: str) -> bool:
    """Whether an object's key can be named in a request of XML, which does not know the last two characters."""
    return "\ufffe" not in key and "\uffff" not in key
