"""Encodings that are not UTF-8 with its mark: the one that a web page declares, and the one that a text must be in."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

_DECLARED = re.compile(
    rb"""<(?:meta[^>]{0,200}charset|\?xml[^>]{0,100}encoding)\s*=\s*["']?\s*([a-zA-Z0-9_:.-]{2,40})""", re.I
)
_NONE = {"replacement", "x-user-defined"}
"""What browsers show nothing of, or no letters."""

_CANDIDATES = [
    *("cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874", "tis-620"),
    *("iso8859-1", "iso8859-2", "iso8859-3", "iso8859-4", "iso8859-5", "iso8859-6", "iso8859-7", "iso8859-8"),
    *("iso8859-9", "iso8859-10", "iso8859-13", "iso8859-14", "iso8859-15", "iso8859-16", "koi8-r", "koi8-u"),
    *("cp932", "shift_jis_2004", "euc_jis_2004", "gb18030", "big5hkscs", "cp949", "euc_kr", "johab"),
    *("cp437", "cp850", "cp852", "cp866", "mac-roman", "mac-cyrillic"),
]
"""Of what chardet knows without EBCDIC and the rarest code pages, which a sign in a western text may be taken for."""

_NOT_IN_CP1252 = b"\x81\x8d\x8f\x90\x9d"
_FIRST_OF_LATIN = 0xA0
_FEW = 4
_NEAR, _NEAR_IF_FEW = 0.98, 0.85
"""So much of the best one's likeness is enough for cp1252, which most files have; less, where few letters can tell."""

_SIGNS = frozenset("€‚„…†‡‰‹‘’“”•–—™›¡¢£¥§©«¬®°±²³´µ¶·¹º»¼½¾¿×÷".encode("cp1252"))

_WIDE_HEAD = 8192
_WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
_BEYOND_PLAIN = re.compile(rb"[\x01-\x08\x0e-\x1f\x7f-\xff]")
_NO_TEXT = {"Cc", "Cn", "Co", "Cs"}
_USUAL = frozenset(" \n\r\t.,:;-0123456789")


def declared_encoding(head: bytes) -> str | None:
    """Python's name of the encoding that the first bytes of a page name, as browsers take it; None for no such one."""
    import webencodings

    found = _DECLARED.search(head)
    encoding = webencodings.lookup(found[1].decode("ascii")) if found else None
    # Whoever could read the declaration has not read UTF-16.
    if encoding is None or encoding.name in _NONE or encoding.name.startswith("utf-16"):
        return None
    name: str = encoding.codec_info.name
    return "gb18030" if name == "gbk" else name


def likeliest_encoding(telling: bytes) -> str:
    """The encoding from before UTF-8 that a text is in, judged by its lines beyond ASCII."""
    beyond = set(telling) - set(range(128))
    are_few = len(beyond) <= _FEW
    if are_few and beyond <= _SIGNS:
        return "cp1252"
    sound = beyond.difference(_NOT_IN_CP1252)
    if are_few and sound and min(sound) >= _FIRST_OF_LATIN:
        # A byte of damage must not speak against what most files are in.
        telling = telling.translate(None, _NOT_IN_CP1252)
    import chardet

    found = chardet.detect_all(
        telling, ignore_threshold=True, max_bytes=len(telling), include_encodings=_CANDIDATES, compat_names=False
    )
    likeness = {str(one["encoding"]): one["confidence"] for one in found if one["encoding"]}
    best = max(likeness, key=lambda name: likeness[name], default="cp1252")
    enough = likeness.get(best, 0.0) * (_NEAR_IF_FEW if are_few else _NEAR)
    return "cp1252" if likeness.get("cp1252", 0.0) >= enough else best


def wide_encoding(head: bytes) -> str | None:
    """UTF-16 or UTF-32 without its mark; None for what else has zeros in it, or has none."""
    head = head[:_WIDE_HEAD]
    zeros = head.count(0)
    if not zeros or (zeros < len(head) / 3 and not _BEYOND_PLAIN.search(head)):
        # What is plain otherwise has zeros by mistake, or between its lines.
        return None
    usual = {name: _usual_characters(head, name) for name in _WIDE}
    best = max(_WIDE, key=lambda name: usual[name])
    others = sum(usual.values()) - usual[best]
    return best if usual[best] > max(4 * others, len(head) // 400) else None


def _usual_characters(head: bytes, name: str) -> int:
    """How many spaces, digits and such a text would have in an encoding that it may be in; 0 where it cannot be."""
    size = 4 if name.startswith("utf-32") else 2
    text = head[: len(head) // size * size].decode(name, "replace")
    counts = Counter(text)
    strange = sum(counts[one] for one in counts.keys() - _USUAL if unicodedata.category(one) in _NO_TEXT)
    strange += counts["\ufffd"]
    # The last character may be cut in its middle; others may be damaged.
    is_text = strange <= 1 + len(text) // 100 and strange + 1 < len(text)
    return sum(counts[one] for one in _USUAL) if is_text else 0
