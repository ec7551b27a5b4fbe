"""What the styles of a document say of its paragraphs: headings, items of lists, lines of the table of contents."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from agentic_readers_docx.elements import w

_HEADING = re.compile(r"heading ([1-9])")
_DEEPEST_CHAIN = 20


class Styles:
    """The paragraph styles of one document."""

    def __init__(self, styles: Any) -> None:
        self._styles = {style.get(w("styleId")): style for style in styles.iter(w("style"))}
        self._told = cache(self._tell)

    def level(self, paragraph: Any) -> int | None:
        """The level of a heading, 0 for the document's title; None for other paragraphs."""
        own = _value(paragraph, "pPr", "outlineLvl")
        if own is not None and own.isdecimal():
            return int(own) + 1 if int(own) < 9 else None
        return self._told(_value(paragraph, "pPr", "pStyle"))[0]

    def is_item(self, paragraph: Any) -> bool:
        """Whether a paragraph is an item of a list."""
        own = _value(paragraph, "pPr", "numPr", "numId")
        return own != "0" if own is not None else self._told(_value(paragraph, "pPr", "pStyle"))[1]

    def is_contents(self, paragraph: Any) -> bool:
        """Whether a paragraph is a line of a table of contents, which repeats the headings."""
        return self._told(_value(paragraph, "pPr", "pStyle"))[2]

    def _tell(self, style_id: str | None) -> tuple[int | None, bool, bool]:
        """Level, whether an item, and whether a line of contents, as a style or those that it is based on say."""
        item = False
        for _ in range(_DEEPEST_CHAIN):
            style = self._styles.get(style_id)
            if style is None:
                break
            name = (_value(style, "name") or "").lower()
            outline = _value(style, "pPr", "outlineLvl")
            item = item or name.startswith("list ") or style.find(f"{w('pPr')}/{w('numPr')}") is not None
            if name == "title":
                return 0, False, False
            if heading := _HEADING.fullmatch(name):
                return int(heading[1]), False, False
            if name.startswith("toc "):
                return None, False, True
            if outline is not None and outline.isdecimal() and int(outline) < 9:
                return int(outline) + 1, False, False
            style_id = _value(style, "basedOn")
        return None, item, False


def _value(element: Any, *path: str) -> str | None:
    """The ``val`` of an element at the end of a path of names."""
    found = element.find("/".join(map(w, path)))
    value = None if found is None else found.get(w("val"))
    return None if value is None else str(value)
