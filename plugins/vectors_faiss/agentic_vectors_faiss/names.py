"""Scopes and documents as names of folders. No name begins with a dot, so those that do are never data."""

from __future__ import annotations

import hashlib
import re

_SCOPE = re.compile(r"[A-Za-z0-9_.-]{1,120}")
_CAPITAL = re.compile("[A-Z]")
_ESCAPED = re.compile("!([a-z])")
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_-")
_LONGEST = 150
_DOT = "%2e"


def folder_of_scope(scope: str) -> str:
    """The scope's folder; names that differ by case alone stay apart where case does not count.

    Raises ValueError for what is no scope.
    """
    if not _SCOPE.fullmatch(scope):
        raise ValueError(f"a scope has 1 to 120 letters, digits, '_', '-' and '.': {scope!r}")
    name = _CAPITAL.sub(lambda found: f"!{found[0].lower()}", scope)
    return _DOT + name[1:] if name.startswith(".") else name


def scope_of_folder(name: str) -> str | None:
    """The scope whose folder has this name; None for a name that is not of our making."""
    bare = "." + name[len(_DOT) :] if name.startswith(_DOT) else name
    scope = _ESCAPED.sub(lambda found: found[1].upper(), bare)
    return scope if _SCOPE.fullmatch(scope) and folder_of_scope(scope) == name else None


def folder_of_document(doc_id: str) -> str:
    """The document's folder. Any text is an id; what is plain keeps its name, what is long is told by its checksum."""
    data = doc_id.encode("utf-8", "surrogatepass")
    name = "".join(chr(byte) if byte in _PLAIN else f"%{byte:02x}" for byte in data) or "%"
    return name if len(name) <= _LONGEST else f"{name[:60]}%+{hashlib.sha256(data).hexdigest()}"
