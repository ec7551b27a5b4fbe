"""What an answer is: a page, a PDF, plain text, or nothing that has text."""

from __future__ import annotations

import re
from typing import Literal

from agentic import Fetched

Kind = Literal["html", "pdf", "text"]

_HTML = ("text/html", "application/xhtml+xml")
_PDF = ("application/pdf", "application/x-pdf")
_TEXT = re.compile(r"text/.+|application/(?:.+\+)?(?:json|xml|yaml|x-yaml|toml|javascript|ld\+json|rtf)|image/svg\+xml")
_UNKNOWN = ("", "application/octet-stream", "binary/octet-stream", "application/unknown", "text/plain")
_MARKUP = re.compile(
    rb"\s*(?:\xef\xbb\xbf)?\s*(?:<!--.{0,2000}?-->\s*)*<(?:!doctype html|html|head|body)\b", re.I | re.S
)
_LOOKED_AT = 4096


def kind_of(fetched: Fetched) -> Kind | None:
    """What the header says; where it says nothing of use, what the first bytes say. None: it has no text."""
    head = fetched.data[:_LOOKED_AT]
    if fetched.media_type in _PDF or head.startswith(b"%PDF-"):
        return "pdf"
    if fetched.media_type in _HTML:
        return "html"
    if fetched.media_type in _UNKNOWN and _MARKUP.match(head):
        return "html"
    if fetched.media_type not in _UNKNOWN:
        return "text" if _TEXT.fullmatch(fetched.media_type) else None
    return "text" if _is_text(head) else None


def _is_text(head: bytes) -> bool:
    """No text but UTF-16 and UTF-32, which begin with their marks, has zero bytes."""
    return b"\0" not in head or head.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff"))
