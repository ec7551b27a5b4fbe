"""From bytes to text: what is text at all, in which encoding it is, and what of it may be kept."""

from __future__ import annotations

import codecs
import io
import re
from pathlib import Path
from typing import TextIO

from agentic import ToolError
from agentic_readers_text.charsets import likeliest_encoding, wide_encoding

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
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), None) or wide_encoding(head)
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


def encoding_of(path: Path) -> str:
    """The encoding of a text file. Reads it once, in blocks."""
    with path.open("rb") as source:
        head = source.read(_BLOCK)
        marked = next((name for mark, name in _MARKS if head.startswith(mark)), None) or wide_encoding(head)
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
    return likeliest_encoding(_telling(path))


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
