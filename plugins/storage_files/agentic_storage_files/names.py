"""Parts of keys as names of files and folders, readable and safe on every file system, and back.

Small letters, digits and ``_ - + = @ , ( )`` stay. A capital letter is ``!`` and the small one, so that names which
differ by case alone stay apart everywhere; anything else is ``%`` and the hexadecimal bytes of its UTF-8; nothing at
all is ``%``. No name holds a dot: it begins the ending of a file. A part too long for one name goes on within a folder
whose name ends in ``%+``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import unquote_to_bytes

EMPTY = "%"
GOES_ON = "%+"
LONGEST = 200
_AS_IT_IS = re.compile(r"[a-z0-9_+=@,()-]+")
_OTHER = re.compile(r"[^a-z0-9_+=@,()-]")
_CAPITAL = re.compile(r"!([a-z])")


@lru_cache(8192)
def names_of(part: str) -> Sequence[str]:
    """The names of one part: mostly a single one, before it those of the folders in which a long part goes on."""
    if not part:
        return (EMPTY,)
    if len(part) <= LONGEST and _AS_IT_IS.fullmatch(part):
        return (part,)
    names, piece = [], ""
    for character in part:
        token = _OTHER.sub(_escaped, character)
        if len(piece) + len(token) > LONGEST:
            names.append(piece + GOES_ON)
            piece = ""
        piece += token
    return (*names, piece)


@lru_cache(8192)
def text_of(name: str) -> str | None:
    """The part of a key, or the piece of one, that has this name; None for a name that is not of our making."""
    bare = name.removesuffix(GOES_ON)
    if bare == EMPTY:
        return ""
    if _AS_IT_IS.fullmatch(bare):
        return bare
    try:
        text = unquote_to_bytes(_CAPITAL.sub(lambda found: found[1].upper(), bare)).decode()
    except ValueError:
        return None
    return text if text and _OTHER.sub(_escaped, text) == bare else None


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    if "A" <= character <= "Z":
        return f"!{character.lower()}"
    return "".join(f"%{byte:02x}" for byte in character.encode())
