"""What reading PDF is, whichever engine does it: numbered pages, and clear words about what cannot be read."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from agentic import DocumentReader, Page, ToolError
from agentic_readers_pdf.outline import Entry, Outline

DAMAGED = "This PDF is damaged and cannot be read. Open it in a viewer, save it anew, and upload that."
PROTECTED = "This PDF is protected with a password. Save a copy without one, and upload that."
_PICTURES = (
    "This PDF holds no text: its pages are pictures, as of a scan, or empty. "
    "Run it through text recognition (OCR, for example ocrmypdf), and upload the result."
)
TOO_MUCH = (
    "This PDF unpacks to far more than a document holds, and is not read. Print it to a new PDF, and upload that."
)
_NO_PAGES = "This PDF has no pages."

_BEGINNING = re.compile(rb"\A\s*%PDF-\d\.\d")
_LATER_BEGINNING = re.compile(rb"[\r\n\x00]%PDF-\d\.\d")
_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}
_UNWANTED = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\xad\u200b\u2060\ufeff]")
"""Marks that no viewer shows; some stand within words, which no search would find then."""

_SURROGATES = re.compile(r"[\ud800-\udfff]")


def damaged_page(number: int) -> ToolError:
    """What is told of a document of which one page cannot be read: the others alone would pass for the whole."""
    return ToolError(f"Page {number} of this PDF is damaged. Print the document to a new PDF, and upload that.")


class Pages(Protocol):
    """An open document."""

    def outline(self) -> Sequence[Entry]:
        """The table of contents that the file carries, in order; empty where it has none that can be used."""
        ...

    def texts(self) -> Iterator[str]:
        """The text of each page, in order."""
        ...


class PdfReader(DocumentReader):
    """Reads PDF; an engine fills in ``opened``."""

    name = "pdf_reader"
    media_types = ("application/pdf",)
    rank = 40

    @abstractmethod
    def opened(self, path: Path) -> AbstractContextManager[Pages]:
        """The document, open. Raises ToolError for one that is protected or damaged, also while it is used."""

    def recognise(self, head: bytes, name: str) -> str | None:
        """application/pdf for what begins as PDF; some programs write lines of their own before that."""
        later = _LATER_BEGINNING.search(head[:1024]) and b" obj" in head
        return self.media_types[0] if _BEGINNING.match(head[:1024]) or later else None

    def read(self, path: Path) -> Iterator[Page]:
        """One page of text for each of the document's, cut where a section of its table of contents begins.

        Raises ToolError for a document that is protected, damaged, or made of pictures.
        """
        if not path.stat().st_size:
            raise ToolError("The file is empty.")
        told, number = False, 0
        with self.opened(path) as document:
            outline = Outline(document.outline())
            for number, text in enumerate(map(_readable, document.texts()), 1):
                told = told or bool(text.strip())
                yield from outline.cut(number, text)
        if not told:
            raise ToolError(_PICTURES if number else _NO_PAGES)


def _readable(text: str) -> str:
    """The text with letters that can be searched for, and its end apart from the next page."""
    text = _UNWANTED.sub("", text).translate(_LIGATURES)
    text = _SURROGATES.sub("\ufffd", text).rstrip()
    return f"{text}\n" if text else ""
