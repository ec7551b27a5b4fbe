"""Plain text: read as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agentic import DocumentReader, Page
from agentic_readers_text.decoding import clean, open_text, text_of_head
from agentic_readers_text.pieces import PIECE, pieces


class PlainTextReader(DocumentReader):
    """Whatever is text and no other reader knows better: prose, logs, source code, XML."""

    name = "text_reader"
    media_types = ("text/plain",)
    rank = -10

    def recognise(self, head: bytes, name: str) -> str | None:
        """text/plain for all text, whatever its name."""
        return None if text_of_head(head) is None else self.media_types[0]

    def read(self, path: Path) -> Iterator[Page]:
        """The text in pages of at most 60,000 characters. Raises ToolError for a file without text."""
        with open_text(path) as source:
            yield from pieces(clean(block) for block in iter(lambda: source.read(PIECE), ""))
