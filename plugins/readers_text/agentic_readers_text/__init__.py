"""Reads plain text, Markdown, HTML, JSON and CSV documents."""

from collections.abc import Sequence

from agentic import DocumentReader, hookimpl


@hookimpl
def agentic_document_readers() -> Sequence[DocumentReader]:
    """The readers of text; where several know a document, the one of the narrowest type reads it."""
    from agentic_readers_text.csv_text import CsvReader
    from agentic_readers_text.html_text import HtmlReader
    from agentic_readers_text.json_text import JsonReader
    from agentic_readers_text.markdown_text import MarkdownReader
    from agentic_readers_text.plain_text import PlainTextReader

    return [HtmlReader(), JsonReader(), CsvReader(), MarkdownReader(), PlainTextReader()]
