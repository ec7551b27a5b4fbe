"""Keys as names of files and folders, readable and safe on every file system, and back.

Each part of a key is one name: ``spaces/u-1/Plan B.pdf`` lies in ``spaces/u-1/!plan !b.pdf``. What a file system may
refuse, fold or take for something else is escaped:

* A capital letter is ``!`` and the small one: names that differ by case alone stay apart where case does not count.
* Other characters are ``%`` and the hexadecimal bytes of their UTF-8, but for letters of any script that no file
  system takes for others; so are dots and blanks at either end, and the first letter of ``con``, ``nul`` and the like.
* A folder has no dot in its name, and a file has one or ends in ``%``: a key may be another's beginning.
* A part too long for one name goes on within a folder whose name ends in ``%+``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from urllib.parse import unquote

LONGEST_KEY = 1024
"""In bytes of UTF-8: what S3 takes too, and escaped still a path for Linux."""
GOES_ON = "%+"
_NO_DOT = "%"
_LONGEST_NAME = 200
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.,()+=@ ")
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9]) *(\.|$)")
_AS_IT_IS = re.compile(r"[a-z0-9_,()+=@-]([a-z0-9_,()+=@. -]*[a-z0-9_,()+=@-])?")
_CAPITAL = re.compile(r"!([a-z])")


def file_names(key: str) -> Sequence[str]:
    """The names from the root down to the key's file. Raises ValueError for what is no key."""
    *folders, last = _parts(key)
    return [*(name for part in folders for name in _names(part, is_file=False)), *_names(last, is_file=True)]


def folder_names(prefix: str) -> Sequence[str]:
    """The names down to the folder that holds all keys under a prefix. Raises ValueError for what is no prefix."""
    if not prefix.endswith("/"):
        raise ValueError(f"a prefix ends in '/': {prefix!r}")
    return [name for part in _parts(prefix[:-1]) for name in _names(part, is_file=False)]


def is_file(name: str) -> bool:
    """Whether the name is one that a file has."""
    return "." in name or name.endswith(_NO_DOT)


def text_of(name: str) -> str | None:
    """The part of a key, or the piece of one, that has this name; None for a name that is not of our making."""
    name = unicodedata.normalize("NFC", name)
    bare = name.removesuffix(GOES_ON) if name.endswith(GOES_ON) else name.removesuffix(_NO_DOT)
    if _AS_IT_IS.fullmatch(bare) and not _DEVICES.match(bare):
        return bare
    try:
        text = unquote(_CAPITAL.sub(lambda found: found[1].upper(), bare), errors="strict")
        spellings = ["".join(tokens) for tokens in (_tokens(text), _ascii_tokens(text))] if text else []
    except ValueError:
        return None
    return text if any(_safe(one, dots=dots) == bare for one in spellings for dots in (True, False)) else None


def _parts(key: str) -> Sequence[str]:
    if len(key.encode()) > LONGEST_KEY:
        raise ValueError(f"a key has at most {LONGEST_KEY} bytes")
    parts = key.split("/")
    if not {"", ".", ".."}.isdisjoint(parts):
        raise ValueError(f"a part of a key is neither empty nor '.' nor '..': {key!r}")
    return parts


def _names(part: str, *, is_file: bool) -> Iterator[str]:
    """The names of one part: a single one, or before it those of the folders in which a long part goes on."""
    *heads, last = _pieces(_tokens(part))
    for head in heads:
        yield _safe(head, dots=False) + GOES_ON
    name = _safe(last, dots=is_file)
    yield name + _NO_DOT if is_file and "." not in name else name


def _pieces(tokens: Sequence[str]) -> Iterator[str]:
    piece, room = "", _LONGEST_NAME
    for token in tokens:
        size = 3 if token == "." else len(token.encode())
        if size > room:
            yield piece
            piece, room = "", _LONGEST_NAME
        piece, room = piece + token, room - size
    yield piece


def _tokens(text: str) -> Sequence[str]:
    """The text's characters, each as it is or escaped."""
    tokens = [_token(character) for character in text]
    if unicodedata.is_normalized("NFC", "".join(tokens)):
        return tokens
    # Some letters become others beside their neighbours.
    return _ascii_tokens(text)


def _ascii_tokens(text: str) -> Sequence[str]:
    return [_token(character) if character.isascii() else _escaped(character) for character in text]


@lru_cache(4096)
def _token(character: str) -> str:
    if character in _PLAIN:
        return character
    if "A" <= character <= "Z":
        return f"!{character.lower()}"
    return character if _is_settled(character) else _escaped(character)


def _is_settled(character: str) -> bool:
    """Whether no file system takes this letter for another: it has no capital that is another's, and no other form."""
    return (
        not character.isascii()
        and unicodedata.category(character) in ("Ll", "Lo", "Nd")
        and unicodedata.is_normalized("NFC", character)
        and character.casefold() == character == character.upper().lower()
    )


def _safe(name: str, *, dots: bool) -> str:
    """The name without what has a meaning at its ends, or as a whole."""
    if not dots:
        name = name.replace(".", _escaped("."))
    if name[0] in ". " or _DEVICES.match(name):
        name = _escaped(name[0]) + name[1:]
    return name[:-1] + _escaped(name[-1]) if name[-1] in ". " else name


def _escaped(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())
