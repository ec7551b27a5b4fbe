"""A small reader, sound in every way: the kit for readers passes it, and is shown to fail what is done worse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agentic import DocumentReader, Page, ToolError

MARK = b"LINES\n"


class LineReader(DocumentReader):
    """Documents of lines after a mark; a line that begins with ``#`` is a heading."""

    name = "lines"
    media_types = ("application/x-lines",)

    def recognise(self, head: bytes, name: str) -> str | None:
        """Its type for what begins with the mark."""
        return self.media_types[0] if head.startswith(MARK) else None

    def read(self, path: Path) -> Iterator[Page]:
        """A page a line. Raises ToolError for an empty file and for one without the mark."""
        with path.open("rb") as source:
            first = source.readline()
            if not first:
                raise ToolError("The file is empty.")
            if first != MARK:
                raise ToolError("These lines have no mark, so they were made by another program.")
            heading: tuple[str, ...] = ()
            for number, line in enumerate(source, 1):
                text = line.decode("utf-8", "replace").replace("\x00", "")
                heading = (text[1:].strip(),) if text[1:].strip() and text.startswith("#") else heading
                yield Page(text, number, heading)
