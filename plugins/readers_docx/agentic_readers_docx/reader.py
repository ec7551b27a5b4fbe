"""DOCX: what Word writes, in sections under its headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

from agentic import DocumentReader, Page, ToolError
from agentic_readers_docx.body import Body
from agentic_readers_docx.elements import w
from agentic_readers_docx.package import DAMAGED, check, is_compound, mended

_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_PART = re.compile(rb"PK\x03\x04.{26}word/", re.DOTALL)
_NO_TEXT = (
    "This document holds no text, or only pictures of it. "
    "Run it through text recognition (OCR) or save it as PDF, and upload the result."
)
_PARTS = (
    "This document holds parts in another format, such as HTML, which Word takes in when it opens the document. "
    "Open it in Word or LibreOffice, save it anew, and upload that."
)


class DocxReader(DocumentReader):
    """Documents of Word and of programs that write its format since 2007."""

    name = "docx_reader"
    media_types = (_TYPE,)
    rank = 40

    def recognise(self, head: bytes, name: str) -> str | None:
        """The type of DOCX for an archive with a document of Word in it.

        A document with a password does not look like one from outside, so there the name counts: reading it says what
        to do.
        """
        named = PurePath(name).suffix.lower() == ".docx"
        if head.startswith(b"PK\x03\x04"):
            known = _PART.search(head) or (named and b"[Content_Types].xml" in head)
        else:
            known = named and is_compound(head)
        return _TYPE if known else None

    def read(self, path: Path) -> Iterator[Page]:
        """One page a section, under its headings; Word's files do not tell where pages end, so all have number 0.

        Raises ToolError for a document that is protected, damaged, unpacks to too much, or holds no text.
        """
        check(path)
        told = False
        with _opened(path) as document:
            if document.element.body.find(f".//{w('altChunk')}") is not None:
                raise ToolError(_PARTS)
            for page in Body(document).pages():
                told = True
                yield page
        if not told:
            raise ToolError(_NO_TEXT)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The document, open; what python-docx raises is told as what it is, a fault of the file."""
    try:
        yield _document(path)
    except (ToolError, MemoryError):
        raise
    except Exception as error:
        # Out of broken files come errors of every class: of zip, of XML, and of what is missed in it.
        raise ToolError(DAMAGED) from error


def _document(path: Path) -> Any:
    import docx

    try:
        with path.open("rb") as source:
            return docx.Document(source)
    except (KeyError, ValueError):
        # A part is missed, or it has another name in strict documents.
        return docx.Document(mended(path))
