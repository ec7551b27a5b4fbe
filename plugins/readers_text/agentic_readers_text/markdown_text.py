"""Markdown: its source, in sections under their headings."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path, PurePath

from agentic import DocumentReader, Page, ToolError
from agentic_readers_text.decoding import clean, open_text, text_of_head
from agentic_readers_text.pieces import LONGEST_TITLE, Sections

_ENDINGS = (".md", ".markdown", ".mdown", ".mkd", ".mdx", ".rmd", ".qmd")
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(?:.*\n)*?(?:---|\.\.\.)[ \t]*(?:\n|\Z)")


class MarkdownReader(DocumentReader):
    """Markdown, which its name tells from plain text. The text stays as it was written."""

    name = "markdown_reader"
    media_types = ("text/markdown",)
    rank = 0

    def recognise(self, head: bytes, name: str) -> str | None:
        """text/markdown for text with the name of such a file."""
        if PurePath(name).suffix.lower() not in _ENDINGS or text_of_head(head) is None:
            return None
        return self.media_types[0]

    def read(self, path: Path) -> Iterator[Page]:
        """One page a section, under its headings. Raises ToolError for a file without text."""
        with open_text(path) as source:
            text = clean(source.read())
        if not text.strip():
            raise ToolError("The file holds no text.")
        lines = io.StringIO(text, newline="\n").readlines()
        sections, last = Sections(), 0
        for first, end, level, title in _headings(text):
            sections.add("".join(lines[last:first]))
            yield from sections.enter(level, title)
            sections.add("".join(lines[first:end]), heading=True)
            last = end
        sections.add("".join(lines[last:]))
        yield from sections.leave()


def _headings(text: str) -> Iterator[tuple[int, int, int, str]]:
    """Each heading as its first line, the line after it, its level and its title. Lines count from 0."""
    from markdown_it import MarkdownIt

    blocks = MarkdownIt("zero", {"html": True}).enable(["code", "fence", "heading", "lheading", "html_block"])
    # What stands within the lines is of no use here, and takes most of the time.
    blocks.core.ruler.enableOnly(["normalize", "block"])
    inline = MarkdownIt("commonmark")
    # The fields at the head of a file end in what looks like the line under a heading.
    front = _FRONT_MATTER.match(text)
    skipped = front.end() if front else 0
    above = text.count("\n", 0, skipped)
    tokens = blocks.parse(text[skipped:])
    for opening, content in pairwise(tokens):
        if opening.type == "heading_open" and opening.map:
            first, end = opening.map
            words = inline.parseInline(content.content[: 2 * LONGEST_TITLE])[0].children or []
            title = "".join(word.content or " " for word in words if word.nesting == 0)
            yield first + above, end + above, int(opening.tag[1:]), title
