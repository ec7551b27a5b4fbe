"""Reads DOCX documents, with tables in order."""

from agentic import DocumentReader, hookimpl


@hookimpl
def agentic_document_readers() -> DocumentReader:
    """The reader of Word's documents."""
    from agentic_readers_docx.reader import DocxReader

    return DocxReader()
