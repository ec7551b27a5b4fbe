"""Reads PDF documents, page by page."""

from agentic import DocumentReader, hookimpl
from agentic_readers_pdf.settings import Settings


@hookimpl
def agentic_settings() -> type[Settings]:
    """The engine that reads."""
    return Settings


@hookimpl
def agentic_document_readers(settings: Settings) -> DocumentReader:
    """The reader of PDF with the engine that the settings choose."""
    if settings.readers_pdf_engine == "pypdf":
        from agentic_readers_pdf.pure import PypdfReader

        return PypdfReader()
    from agentic_readers_pdf.pdfium import PdfiumReader

    return PdfiumReader()
