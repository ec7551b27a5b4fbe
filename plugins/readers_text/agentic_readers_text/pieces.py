"""Long texts as pages: pieces of even size, and sections under their headings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agentic import Page, ToolError

PIECE = 60_000
"""The length, in characters, from which a page without an end of its own is cut."""

LONGEST_TITLE = 200


def pieces(blocks: Iterable[str]) -> Iterator[Page]:
    """Pages whose texts, joined, are the blocks, joined; cut at the end of a line or a word where there is one.

    Raises ToolError if there is nothing but white space.
    """
    waiting: list[str] = []
    length, told = 0, False
    for block in blocks:
        waiting.append(block)
        length += len(block)
        if length <= PIECE:
            continue
        text, start = "".join(waiting), 0
        while length - start > PIECE:
            end = _end_of_piece(text, start)
            piece, start = text[start:end], end
            told = told or not piece.isspace()
            yield Page(piece)
        waiting, length = [text[start:]], length - start
    text = "".join(waiting)
    if not told and not text.strip():
        raise ToolError("The file holds no text.")
    if text:
        yield Page(text)


def _end_of_piece(text: str, start: int) -> int:
    middle, end = start + PIECE // 2, start + PIECE
    for mark in ("\n\n", "\n", " "):
        found = text.rfind(mark, middle, end)
        if found >= 0:
            return found + len(mark)
    return end


class Sections:
    """Gathers text under headings. A heading that no text follows stays with what comes next.

    The text holds the headings too, as ``add`` is given them.
    """

    def __init__(self) -> None:
        self._path: list[tuple[int, str]] = []
        self._parts: list[str] = []
        self._bare = True

    def enter(self, level: int, title: str) -> Iterator[Page]:
        """Go on under a heading; gives the section that ends here, if there is one."""
        if not self._bare:
            yield from self.leave()
        self._path = [(above, name) for above, name in self._path if above < level]
        title = " ".join(title.split())
        if title:
            self._path.append((level, title if len(title) <= LONGEST_TITLE else f"{title[:LONGEST_TITLE]}…"))

    def add(self, text: str, *, heading: bool = False) -> None:
        """Take in a part of the section, or the line of its heading."""
        self._parts.append(text)
        self._bare = self._bare and (heading or not text.strip())

    def leave(self) -> Iterator[Page]:
        """The section that has been gathered, as one page or, if it is long, as several."""
        text, self._parts, self._bare = "".join(self._parts), [], True
        path = tuple(title for _, title in self._path)
        if text.strip():
            yield from (Page(page.text, heading=path) for page in pieces([text]))
        elif text:
            self._parts = [text]
