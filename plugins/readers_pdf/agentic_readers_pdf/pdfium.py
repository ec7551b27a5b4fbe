"""PDF by pdfium, the engine of Chrome, through pypdfium2: fast, and it finds the spaces between words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from agentic import ToolError
from agentic_readers_pdf.outline import MOST_ENTRIES, Entry
from agentic_readers_pdf.pure import PypdfReader
from agentic_readers_pdf.reader import DAMAGED, PROTECTED, PdfReader, damaged_page

_LOCKED = (4, 5)
"""What pdfium says of a password that is wanted, and of a lock that it does not know, such as a certificate's."""

_SHORT = 200
"""Characters of a page; of one that has more, nothing is taken to be missing."""

_MARKS = {0xFFFE: "-\n", 0x02: "-\n", 0x0D: None}
"""What pdfium writes for a hyphen and the end of its line, and before the ends of other lines."""


class PdfiumReader(PdfReader):
    """PDF, read by pdfium."""

    @contextmanager
    def opened(self, path: Path) -> Iterator[_Document]:
        """The document, open. Raises ToolError for one that is protected or damaged, also while it is used."""
        import pypdfium2

        try:
            with pypdfium2.PdfDocument(path) as document, ExitStack() as stack:
                yield _Document(document, _Beside(path, stack))
        except pypdfium2.PdfiumError as error:
            raise ToolError(PROTECTED if error.err_code in _LOCKED else DAMAGED) from error


class _Beside:
    """What pypdf finds on a page. It opens the file at the first one, and what it cannot read it finds nothing on."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self._path = path
        self._stack = stack
        self._document: Any = None
        self._is_refused = False

    def text(self, number: int) -> str:
        if self._is_refused:
            return ""
        try:
            if self._document is None:
                self._document = self._stack.enter_context(PypdfReader().opened(self._path))
            return str(self._document.text(number))
        except ToolError:
            self._is_refused = self._document is None
            return ""


class _Document:
    def __init__(self, document: Any, beside: _Beside) -> None:
        self._document = document
        self._beside = beside

    def outline(self) -> Sequence[Entry]:
        entries: list[Entry] = []
        for mark in self._document.get_toc():
            place = mark.get_dest()
            index = place.get_index() if place else None
            if index is not None and index >= 0:
                entries.append(Entry(mark.level, mark.get_title(), index + 1))
            if len(entries) == MOST_ENTRIES:
                break
        return entries

    def texts(self) -> Iterator[str]:
        for number in range(len(self._document)):
            yield self._text(number)

    def _text(self, number: int) -> str:
        import pypdfium2

        try:
            with closing(self._document[number]) as page:
                if not _drew(page):
                    shown, is_whole = _shown(page)
                    return shown if is_whole else max(self._beside.text(number), shown, key=len)
            # What was drawn onto a page is on it when it is opened again.
            with closing(self._document[number]) as page:
                return _shown(page)[0]
        except pypdfium2.PdfiumError as error:
            raise damaged_page(number + 1) from error


def _shown(page: Any) -> tuple[str, bool]:
    """The text of a page, and whether nothing of it is known to be missing."""
    with closing(page.get_textpage()) as text:
        shown = str(text.get_text_bounded()).translate(_MARKS)
        return shown, len(shown) > _SHORT or not _has_lost_text(page, text)


def _has_lost_text(page: Any, text: Any) -> bool:
    """Whether pdfium shows nothing of some line: one from top to bottom, in a font that the file does not hold."""
    import pypdfium2.raw as pdfium

    for shape in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_TEXT]):
        font = pdfium.FPDFTextObj_GetFont(shape.raw)
        is_held = pdfium.FPDFFont_GetIsEmbedded(font) == 1
        # The end of the string, of two bytes, alone.
        if not is_held and pdfium.FPDFTextObj_GetText(shape.raw, text.raw, None, 0) <= 2:
            return True
    return False


def _drew(page: Any) -> bool:
    """Draw what fields and notes show onto their page, of which they are no part otherwise; whether there are any."""
    import pypdfium2.raw as pdfium

    for place in range(pdfium.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium.FPDFPage_GetAnnot(page, place)
        if not annotation:
            continue
        kind = pdfium.FPDFAnnot_GetSubtype(annotation)
        pdfium.FPDFPage_CloseAnnot(annotation)
        if kind in (pdfium.FPDF_ANNOT_WIDGET, pdfium.FPDF_ANNOT_FREETEXT, pdfium.FPDF_ANNOT_STAMP):
            return bool(pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY) == pdfium.FLATTEN_SUCCESS)
    return False
