"""HTML: all that a reader of the page would read, in sections under its headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from agentic import DocumentReader, Page, ToolError
from agentic_readers_text.charsets import declared_encoding
from agentic_readers_text.decoding import clean, encoding_of, open_text, text_of_head
from agentic_readers_text.html_layout import HEADINGS, Layout, is_left_out

if TYPE_CHECKING:
    from lxml import etree

_LEADING = r"\A\s*(?:<\?xml[^>]*>\s*|<!--(?:(?!-->).)*-->\s*)*"
_WHOLE = re.compile(_LEADING + r"<(?:!doctype\s+html|html|head|body|title|meta)\b", re.I | re.S)
_TAG = re.compile(r"<(?:[a-z][a-z0-9]*(?:\s[^<>]*)?/?|/[a-z][a-z0-9]*\s*|!--)>?", re.I)
_FRAGMENT = re.compile(
    _LEADING + r"<(?:p|div|h[1-6]|table|ul|ol|dl|section|article|main|pre|span|a|br|font)\b", re.I | re.S
)
_ENDINGS = (".html", ".htm", ".xhtml", ".xht", ".shtml")


class HtmlReader(DocumentReader):
    """Web pages as files. All text is kept but scripts, styles, and what is marked as navigation or as hidden."""

    name = "html_reader"
    media_types = ("text/html",)
    rank = 30

    def recognise(self, head: bytes, name: str) -> str | None:
        """text/html for whole pages, whatever their name, and for parts of one with the name of a page, or without."""
        text = text_of_head(head)
        if text is None:
            return None
        text = text.lstrip("\ufeff")
        ending = PurePath(name).suffix.lower()
        whole = _WHOLE.match(text)
        named = ending in _ENDINGS and _TAG.search(text)
        return "text/html" if whole or named or (not ending and _FRAGMENT.match(text)) else None

    def read(self, path: Path) -> Iterator[Page]:
        """One page a section, under its headings. Raises ToolError for a file without text."""
        root = _tree(_source(path))
        layout = Layout(_tables_that_place(root))
        told = False
        for event, what in _steps(root):
            for page in layout.take(event, what):
                told = True
                yield page
        for page in layout.finish():
            told = True
            yield page
        if not told:
            raise ToolError("This web page holds no text; it may be one that scripts fill in. Save it as PDF instead.")


def _source(path: Path) -> str:
    """The text of the file, in the encoding that its mark or its head names, if that fits."""
    with path.open("rb") as source:
        declared = declared_encoding(source.read(4096))
    # What calls itself UTF-8 has been tried as that already.
    if declared not in (None, "utf-8", "utf-8-sig") and not encoding_of(path).startswith(("utf", "iso2022")):
        return clean(path.read_text(declared, errors="replace"))
    with open_text(path) as opened:
        return clean(opened.read())


def _tree(text: str) -> etree._Element | None:
    """The page as a tree. Entities of its own are not resolved, and nothing is fetched."""
    from lxml import etree

    if not text.strip():
        raise ToolError("The file is empty." if not text else "The file holds no text.")
    # Without huge_tree a page with more than 256 open elements would be cut off in silence.
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, huge_tree=True, remove_comments=True, remove_pis=True)
    root = etree.fromstring(text.encode(), parser)
    if any(fault.level == etree.ErrorLevels.FATAL for fault in parser.error_log):
        raise ToolError("This web page is nested more than 2,000 elements deep, which cannot be read. Save it as PDF.")
    return root


def _steps(root: etree._Element | None) -> Iterator[tuple[str, Any]]:
    """``start`` and ``end`` of each element that is not left out, and ``text`` between them, in order."""
    from lxml import etree

    if root is None:
        return
    left_out = None
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if event == "start" and left_out is None:
            if is_left_out(element):
                left_out = element
                continue
            yield "start", element
            if element.text:
                yield "text", element.text
        elif event == "end":
            if left_out is None:
                yield "end", element
            elif left_out is element:
                left_out = None
            if left_out is None and element.tail and element is not root:
                yield "text", element.tail


def _tables_that_place(root: etree._Element | None) -> list[bool]:
    """For each table in order, whether it is there to place things: it holds tables, headings or programs."""
    found: list[bool] = []
    open_ones: list[int] = []
    if root is None or root.find(".//table") is None:
        return found
    for event, element in _steps(root):
        if event == "start" and open_ones and element.tag in ("table", "pre", *HEADINGS):
            found[open_ones[-1]] = True
        if event == "start" and element.tag == "table":
            open_ones.append(len(found))
            found.append(element.get("role") == "presentation")
        elif event == "end" and element.tag == "table":
            open_ones.pop()
    return found
