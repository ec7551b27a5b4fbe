"""PDF by pypdf, which is Python alone: no file can make it overwrite memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentic import ToolError
from agentic_readers_pdf.outline import MOST_ENTRIES, Entry
from agentic_readers_pdf.reader import DAMAGED, PROTECTED, TOO_MUCH, PdfReader, damaged_page

if TYPE_CHECKING:
    import pypdf

_UNSEEN = 2 | 32
"""The flags of what is hidden, on paper or on the screen too."""


class PypdfReader(PdfReader):
    """PDF, read by pypdf."""

    @contextmanager
    def opened(self, path: Path) -> Iterator[_Document]:
        """The document, open. Raises ToolError for one that is protected or damaged, also while it is used."""
        import pypdf

        with path.open("rb") as source, _told_apart(ToolError(DAMAGED)):
            document = pypdf.PdfReader(source)
            # Many files are locked against changes only, and open with an empty password.
            if document.is_encrypted and not document.decrypt(""):
                raise ToolError(PROTECTED)
            yield _Document(document)


class _Document:
    def __init__(self, document: pypdf.PdfReader) -> None:
        self._document = document

    def outline(self) -> Sequence[Entry]:
        from pypdf.errors import PyPdfError

        try:
            return list(islice(self._entries(self._document.outline, 0), MOST_ENTRIES))
        except (PyPdfError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            # Pages can be read without their table of contents, which is what programs get wrong most often.
            return []

    def _entries(self, items: Any, level: int) -> Iterator[Entry]:
        for item in items:
            if isinstance(item, list):
                yield from self._entries(item, level + 1)
                continue
            page = self._document.get_destination_page_number(item)
            if page is not None and page >= 0:
                yield Entry(level, str(item.title), page + 1)

    def texts(self) -> Iterator[str]:
        for number in range(len(self._document.pages)):
            yield self.text(number)

    def text(self, number: int) -> str:
        """The text of one page, counted from 0. Raises ToolError."""
        with _told_apart(damaged_page(number + 1)):
            page = self._document.pages[number]
            return "\n".join((page.extract_text().rstrip(), *_filled_in(page)))


def _filled_in(page: pypdf.PageObject) -> Iterator[str]:
    """What is written into the fields of a form, and in notes that lie open on the page."""
    for held in page.annotations or ():
        annotation = held.get_object()
        if int(annotation.get("/F", 0)) & _UNSEEN:
            continue
        kind = annotation.get("/Subtype")
        field = annotation if "/V" in annotation else annotation.get("/Parent", annotation).get_object()
        told = annotation.get("/Contents") if kind == "/FreeText" else field.get("/V") if kind == "/Widget" else None
        if isinstance(told, str) and not told.startswith("/"):
            yield told


@contextmanager
def _told_apart(fault: ToolError) -> Iterator[None]:
    """Whatever pypdf raises, told as what it is: a fault of the file."""
    from pypdf.errors import LimitReachedError

    try:
        yield
    except (ToolError, MemoryError):
        raise
    except LimitReachedError as error:
        raise ToolError(TOO_MUCH) from error
    except Exception as error:
        # Out of broken files come errors of every class, from all depths of the library.
        raise fault from error
