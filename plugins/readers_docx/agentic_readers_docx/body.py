"""The text of a document in the order in which it is read: paragraphs, tables, text boxes, notes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agentic import Page
from agentic_readers_docx.elements import blocks, cells, holds_table, notes, rows, text_of
from agentic_readers_docx.sections import Sections
from agentic_readers_docx.styles import Styles


class Body:
    """Writes the pages of one document."""

    def __init__(self, document: Any) -> None:
        self._body = document.element.body
        self._styles = Styles(document.styles.element)
        self._notes = notes(document.part)
        self._sections = Sections()

    def pages(self) -> Iterator[Page]:
        """Each section under its headings; headers and footers are left out, as are comments and deleted text."""
        yield from self._blocks(self._body)
        yield from self._sections.leave()

    def _blocks(self, parent: Any) -> Iterator[Page]:
        for kind, block in blocks(parent):
            if kind == "p":
                yield from self._paragraph(block)
            elif self._places(block):
                for row in rows(block):
                    for cell in cells(row):
                        yield from self._blocks(cell)
            else:
                self._table(block)

    def _paragraph(self, paragraph: Any) -> Iterator[Page]:
        found = text_of(paragraph)
        text = found.text.strip()
        level = self._styles.level(paragraph)
        item = level is None and self._styles.is_item(paragraph)
        if not item:
            self._sections.gap()
        if text and level is not None:
            title = " ".join(text.split())
            yield from self._sections.enter(level, title)
            self._sections.add(f"{title}\n", heading=True)
        elif text and not self._styles.is_contents(paragraph):
            self._sections.add(f"- {text}\n" if item else f"{text}\n")
        for box in found.boxes:
            yield from self._blocks(box)
        for note in found.notes:
            if words := self._notes.get(note):
                self._sections.add(f"Note: {words}\n")

    def _table(self, table: Any) -> None:
        self._sections.gap()
        for row in rows(table):
            line = " | ".join(self._cell(cell) for cell in cells(row))
            if line.strip(" |"):
                self._sections.add(f"{line}\n")

    def _cell(self, cell: Any) -> str:
        """The text of a cell as one line, with its notes."""
        found = [text_of(block) for kind, block in blocks(cell) if kind == "p"]
        told = [part.text for part in found]
        told += [f"({self._notes[note]})" for part in found for note in part.notes if self._notes.get(note)]
        told += [
            text_of(block).text for part in found for box in part.boxes for kind, block in blocks(box) if kind == "p"
        ]
        return " ".join(" ".join(told).split())

    def _places(self, table: Any) -> bool:
        """Whether a table is there to place things: a frame of one cell, or one that holds headings or tables."""
        if len([cell for row in rows(table) for cell in cells(row)]) == 1:
            return True
        return holds_table(table) or any(
            self._styles.level(block) is not None
            for row in rows(table)
            for cell in cells(row)
            for kind, block in blocks(cell)
            if kind == "p"
        )
