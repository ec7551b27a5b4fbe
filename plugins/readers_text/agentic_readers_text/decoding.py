"""From bytes to text: what is text at all, in which encoding it is, and what of it may be kept."""

from __future__ import annotations

import codecs
import io
import re
from pathlib import Path
from typing import TextIO

from agentic import ToolError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    # Before UTF-16's, with which UTF-32's little-endian mark begins.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NOT_FOR_READERS = (b"%PDF-", b"%!PS", b"{\\rtf", b"PK\x03\x04")
"""Formats that begin with letters, and whose source nobody reads."""

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_UNWANTED = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b\x0e-\x1f\x7f]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")

_LEGACY = ["cp1252", "cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp932", "euc_jp", "gb18030", "big5", "cp949"]
_OTHER_SCRIPTS = [*_LEGACY, "cp1256", "tis_620", "cp866"]
"""These as well where most letters are beyond ASCII: to them, damage in western text would be letters."""

_LATIN = re.compile(rb"[A-Za-z]")
_HALF_WIDTH = re.compile("[\uff61-\uff9f]{2}")
_BEYOND_HALF_WIDTH = re.compile("[^\x00-\x7f\uff61-\uff9f]")
_SHIFTS = (b"\x1b$B", b"\x1b$@")
"""What begins Japanese letters in mails and old pages, which are ASCII from outside."""

_MARK_OF_DAMAGE = "\ufffd".encode()
_BLOCK = 1 << 20
_SAMPLE = 1 << 18
"""How many bytes of an old encoding are judged."""


def text_of_head(head: bytes) -> str | None:
    """What a document's first bytes say, roughly, or None if they are not text. For recognising, not for reading."""
    if head.lstrip().startswith(_NOT_FOR_READERS):
        return None
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), None) or _wide(head)
    if marked:
        text = head.decode(marked, "replace")
        return text if text.count("\ufffd") <= 1 and _is_calm(text, len(text)) else None
    text = head.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    # The last character may be cut in its middle.
    if wrong <= 1 or _is_mostly_utf8(text, wrong):
        return text if _is_calm(text, len(text)) else None
    text = head.decode("latin-1")
    return text if _is_calm(text, 0) else None


def _is_calm(text: str, allowance: int) -> bool:
    """Whether there are no more control characters than a text may have that was damaged here and there."""
    return bool(text) and len(_CONTROLS.findall(text)) <= allowance // 100


def _is_mostly_utf8(text: str, wrong: int) -> bool:
    """Whether there are so many sound characters beyond ASCII that the others must be damage."""
    sound = len(text) - len(text.encode("ascii", "ignore")) - wrong
    return sound >= 20 * wrong


def _wide(head: bytes) -> str | None:
    """UTF-16 without its mark: every second byte of western text is zero."""
    half = len(head) // 2
    if half < 2:
        return None
    even, odd = head[: 2 * half : 2].count(0), head[1 : 2 * half : 2].count(0)
    if odd > half // 2 and even <= half // 100:
        return "utf-16-le"
    if even > half // 2 and odd <= half // 100:
        return "utf-16-be"
    return None


def encoding_of(path: Path) -> str:
    """The encoding of a text file. Reads it once, in blocks."""
    with path.open("rb") as source:
        head = source.read(_BLOCK)
        marked = next((name for mark, name in _MARKS if head.startswith(mark)), None) or _wide(head[:65536])
        if marked:
            return marked
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        wrong = beyond = shifts = 0
        block = head
        while block:
            shifts += sum(map(block.count, _SHIFTS))
            text = decoder.decode(block)
            # The mark for what could not be decoded may stand in the file itself, and is then no damage.
            wrong += text.count("\ufffd") - block.count(_MARK_OF_DAMAGE)
            beyond += len(text) - len(text.encode("ascii", "ignore"))
            block = source.read(_BLOCK)
    if shifts and not beyond:
        return "iso2022_jp_ext"
    if wrong <= 0 or beyond - wrong >= 20 * wrong:
        return "utf-8"
    return _legacy(path)


def _legacy(path: Path) -> str:
    """The likeliest of the encodings from before UTF-8."""
    from charset_normalizer import from_bytes

    telling = _telling(path)
    latin = len(_LATIN.findall(telling))
    matches = list(from_bytes(telling, cp_isolation=_LEGACY if latin > len(telling) // 3 else _OTHER_SCRIPTS))
    for match in matches:
        near = match.chaos <= matches[0].chaos + 0.02 and match.coherence >= matches[0].coherence - 0.1
        # Western letters have the same places in several code pages; this is the one that most files have.
        if near and "cp1252" in match.could_be_from_charset:
            return "cp1252"
    found = matches[0].encoding if matches else "cp1252"
    return "cp1252" if found == "cp932" and _is_western(telling.decode(found, "replace")) else found


def _is_western(japanese: str) -> bool:
    """Whether what reads as Japanese is a sign here and there, such as that of degrees: no word of it is written so."""
    return not _BEYOND_HALF_WIDTH.search(japanese) and not _HALF_WIDTH.search(japanese)


def _telling(path: Path) -> bytes:
    """The lines of a file that tell its encoding: those beyond ASCII, which may come late."""
    told: list[bytes] = []
    size = 0
    with path.open("rb") as source:
        while size < _SAMPLE and (line := source.readline(65536)):
            if not line.isascii():
                told.append(line)
                size += len(line)
    return b"".join(told)


def open_text(path: Path, *, newline: str | None = None) -> TextIO:
    """Open a text file in its encoding; what cannot be decoded becomes U+FFFD. Raises ToolError for an empty one."""
    if not path.stat().st_size:
        raise ToolError("The file is empty.")
    encoding = encoding_of(path)
    # Five bytes of cp1252 mean nothing, which is no reason to refuse a document.
    return io.TextIOWrapper(path.open("rb"), encoding, errors="replace", newline=newline)


def clean(text: str) -> str:
    """The text without control characters, the colours of terminals, and halves of characters."""
    if _UNWANTED.search(text):
        text = _UNWANTED.sub("", text)
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)
