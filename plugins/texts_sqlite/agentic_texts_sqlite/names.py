"""Scopes as names of files. No name begins with a dot, so those that do are never a scope's."""

from __future__ import annotations

import re

END = ".db"
_SCOPE = re.compile(r"[A-Za-z0-9_.-]{1,120}")
_CAPITAL = re.compile("[A-Z]")
_ESCAPED = re.compile("!([a-z])")
_DOT = "%2e"


def file_of_scope(scope: str) -> str:
    """The scope's file; names that differ by case alone stay apart where case does not count.

    Raises ValueError for what is no scope.
    """
    if not _SCOPE.fullmatch(scope):
        raise ValueError(f"a scope has 1 to 120 letters, digits, '_', '-' and '.': {scope!r}")
    name = _CAPITAL.sub(lambda found: f"!{found[0].lower()}", scope)
    return (_DOT + name[1:] if name.startswith(".") else name) + END


def scope_of_file(name: str) -> str | None:
    """The scope whose file has this name; None for a name that is not of our making."""
    if not name.endswith(END):
        return None
    bare = name.removesuffix(END)
    bare = "." + bare[len(_DOT) :] if bare.startswith(_DOT) else bare
    scope = _ESCAPED.sub(lambda found: found[1].upper(), bare)
    return scope if _SCOPE.fullmatch(scope) and file_of_scope(scope) == name else None
