"""From the elements of a page to lines of text: which begin a line, which stand side by side, which are headings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from agentic import Page
from agentic_readers_text.pieces import Sections

if TYPE_CHECKING:
    from lxml import etree

_LEFT_OUT = frozenset(
    "script style template noscript nav svg iframe object embed applet canvas audio video datalist".split()
)
_LINES = frozenset(
    "html body div p section article main aside header footer address blockquote figure figcaption details summary "
    "form fieldset legend ul ol li dl dt dd table caption thead tbody tfoot tr pre hr title center dialog "
    "search option h1 h2 h3 h4 h5 h6".split()
)
"""Elements that begin and end a line."""

_APART = frozenset("p ul ol dl table pre blockquote figure section article h1 h2 h3 h4 h5 h6 title".split())
"""Elements with an empty line before and after them."""

HEADINGS = {f"h{level}": level for level in range(1, 7)}

_SPACE = re.compile(r"[ \t\n\r\f\xa0]+")
_UNSEEN = re.compile("[\xad\u200b\u2060\ufeff]")
"""Where a word may be broken, and the like: no browser shows them, and no search finds a word that holds them."""


def is_left_out(element: etree._Element) -> bool:
    """Whether nobody would read an element: scripts, styles, what is hidden, and navigation that is marked so."""
    if element.tag in _LEFT_OUT:
        return True
    attributes = element.attrib
    # Some pages hide themselves as a whole until their scripts have run.
    if not attributes or element.tag in ("html", "body"):
        return False
    return (
        attributes.get("role") == "navigation"
        or "hidden" in attributes
        or "display:none" in str(attributes.get("style", "")).replace(" ", "").lower()
    )


class Layout:
    """Writes one document, given its elements and texts in order.

    A table of data has a line a row, with bars between its cells. ``placing`` tells for each table, in order, whether
    it is there to place things: the cells of those are written one below another.
    """

    def __init__(self, placing: Iterable[bool]) -> None:
        self._sections = Sections()
        self._placing = iter(placing)
        self._tables: list[bool] = []
        self._lists: list[int | None] = []
        self._line: list[str] = []
        self._prefix = self._title = ""
        self._apart = self._written = False
        self._heading: Any = None
        self._cells = self._in_cell = self._in_pre = 0

    def take(self, event: str, what: Any) -> Iterator[Page]:
        """Take in ``start`` or ``end`` of an element, or a ``text``; gives the sections that end thereby."""
        if event == "text":
            self._say(what)
        elif event == "start":
            self._start(what, what.tag)
        elif what is self._heading:
            yield from self._end_heading(HEADINGS[what.tag])
        else:
            self._end(what.tag)

    def finish(self) -> Iterator[Page]:
        """The last section."""
        self._break()
        yield from self._sections.leave()

    def _say(self, text: str) -> None:
        if self._in_pre:
            self._line.append(text)
            return
        text = _SPACE.sub(" ", _UNSEEN.sub("", text))
        if not self._line or self._line[-1].endswith(" "):
            text = text.lstrip(" ")
        if text:
            if not self._line and self._prefix:
                self._line.append(self._prefix)
                self._prefix = ""
            self._line.append(text)

    def _start(self, element: etree._Element, tag: Any) -> None:
        if tag in _LINES:
            self._break(apart=tag in _APART)
        if tag == "table":
            self._tables.append(next(self._placing))
        elif tag in ("td", "th"):
            self._start_cell()
        elif tag in ("ul", "ol"):
            self._lists.append(0 if tag == "ol" else None)
        elif tag == "li":
            self._start_item()
        elif tag == "pre":
            self._in_pre += 1
        elif tag == "br":
            self._break()
        elif tag == "img":
            self._say(element.get("alt") or "")
        elif tag in HEADINGS and self._heading is None:
            self._heading = element

    def _start_cell(self) -> None:
        if not self._tables or self._tables[-1]:
            self._break()
            return
        self._in_cell += 1
        while self._line and self._line[-1] == " ":
            self._line.pop()
        if self._cells:
            self._line.append(" | ")
        self._cells += 1

    def _start_item(self) -> None:
        count = self._lists[-1] if self._lists else None
        if self._lists and count is not None:
            self._lists[-1] = count = count + 1
        indent = "  " * min(len(self._lists) - 1, 8)
        self._prefix = "" if self._in_cell else f"{indent}{'-' if count is None else f'{count}.'} "

    def _end(self, tag: Any) -> None:
        if tag == "pre":
            self._end_pre()
        elif tag == "title" and not self._title:
            self._title, self._line = "".join(self._line).strip(), []
        elif tag in ("td", "th"):
            self._in_cell = max(0, self._in_cell - 1)
        elif tag == "tr":
            self._cells = self._in_cell = 0
        if tag in _LINES:
            self._break(apart=tag in _APART)
        if tag == "table":
            self._tables.pop()
        elif tag in ("ul", "ol"):
            self._lists.pop()

    def _end_pre(self) -> None:
        self._in_pre -= 1
        text, self._line = "".join(self._line).strip("\n"), []
        if text.strip():
            self._write(f"{self._prefix}{text}")
        self._prefix = ""

    def _end_heading(self, level: int) -> Iterator[Page]:
        title, self._line, self._heading = "".join(self._line).strip(" ¶"), [], None
        if not title:
            return
        yield from self._sections.enter(level, title)
        if title == self._title:
            self._title = ""
        self._apart = True
        self._write(title, heading=True)
        self._apart = True

    def _break(self, *, apart: bool = False) -> None:
        """End the line; ``apart``: with an empty line before the next. Within headings and cells it is a space."""
        if self._in_pre:
            if self._line and not self._line[-1].endswith("\n"):
                self._line.append("\n")
            return
        if self._heading is not None or self._in_cell:
            self._say(" ")
            return
        text, self._line = "".join(self._line).rstrip(), []
        if text.strip(" |"):
            self._write(text)
        self._apart = self._apart or apart

    def _write(self, text: str, *, heading: bool = False) -> None:
        if self._title:
            # A page's title says what it is about; where its first heading says the same, once is enough.
            title, self._title = self._title, ""
            self._write(title, heading=True)
            self._apart = True
        if self._apart and self._written:
            self._sections.add("\n", heading=True)
        self._sections.add(f"{text}\n", heading=heading)
        self._apart, self._written = False, True
