"""The file around a document: what it unpacks to is known before anything is unpacked."""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from pathlib import Path
from urllib.parse import unquote

from agentic import ToolError

DAMAGED = "This document is damaged and cannot be read. Open it in Word or LibreOffice, save it anew, and upload that."
_PROTECTED = "This document is protected with a password. Save a copy without one, and upload that."
_OLD = "This document has Word's format of before 2007. Save it as DOCX, and upload that."
_OTHER_KIND = "This is a template or a document with macros, or no document of Word. Save it as DOCX, and upload that."

_MAIN = b"wordprocessingml.document.main+xml"
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_MOST_PARTS = 5_000
_STRICT = (
    (
        b"http://purl.oclc.org/ooxml/wordprocessingml/main",
        b"http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    ),
    (
        b"http://purl.oclc.org/ooxml/officeDocument/relationships",
        b"http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    ),
)
"""The names of strict documents, and those of all others for the same."""

_MOST_XML_MB, _MOST_MB = 64, 500


def is_compound(head: bytes) -> bool:
    """Whether a file begins as those of Word before 2007 do, and those with a password."""
    return head.startswith(_COMPOUND)


def check(path: Path) -> None:
    """Raises ToolError for a file that cannot be, or should not be, opened as a document."""
    with path.open("rb") as source:
        head = source.read(len(_COMPOUND))
        if not head:
            raise ToolError("The file is empty.")
        if is_compound(head):
            raise ToolError(_PROTECTED if _ENCRYPTED in source.read() else _OLD)
    try:
        with zipfile.ZipFile(path) as package:
            _check_parts(package.infolist())
            kinds = package.read("[Content_Types].xml")
    except (zipfile.BadZipFile, KeyError, OSError, EOFError, ValueError, NotImplementedError, zlib.error) as error:
        raise ToolError(DAMAGED) from error
    if _MAIN not in kinds:
        raise ToolError(_OTHER_KIND)


def mended(path: Path) -> io.BytesIO:
    """The document's text without what programs get wrong most often: references to parts that are not there.

    Of pictures and the like nothing is kept. A strict document is written as a transitional one, which is what
    python-docx reads.
    """
    whole = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(whole, "w") as new:
        kept = {name for name in old.namelist() if name.lower().endswith((".xml", ".rels"))}
        for name in sorted(kept):
            data = old.read(name)
            for strict, usual in _STRICT:
                data = data.replace(strict, usual)
            new.writestr(name, _without_lost(name, data, kept) if name.lower().endswith(".rels") else data)
    return whole


def _without_lost(name: str, relations: bytes, kept: set[str]) -> bytes:
    """A part of relationships without those that lead to no part of the package."""
    from docx.opc.oxml import serialize_part_xml
    from docx.oxml import parse_xml

    root = parse_xml(relations)
    base = posixpath.dirname(posixpath.dirname(name))
    for one in list(root):
        target = posixpath.normpath(posixpath.join("/", base, unquote(one.get("Target", ""))))
        if one.get("TargetMode") != "External" and target.lstrip("/") not in kept:
            root.remove(one)
    return bytes(serialize_part_xml(root))


def _check_parts(parts: list[zipfile.ZipInfo]) -> None:
    """Sizes are those that the archive states: reading a part ends there, whatever it unpacks to."""
    if any(part.flag_bits & 1 for part in parts):
        raise ToolError(_PROTECTED)
    if len(parts) > _MOST_PARTS:
        raise ToolError(f"This file holds {len(parts):,} parts, more than a document has, and is not opened.")
    xml = sum(part.file_size for part in parts if part.filename.lower().endswith((".xml", ".rels")))
    for size, most, what in ((xml, _MOST_XML_MB, "text"), (sum(part.file_size for part in parts), _MOST_MB, "data")):
        if size > most << 20:
            raise ToolError(
                f"This file unpacks to {size / (1 << 20):,.0f} MB of {what}; at most {most} MB are read. "
                "Split the document, or leave out its pictures."
            )
