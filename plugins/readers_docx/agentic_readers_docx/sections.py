"""Sections of a document under their headings, as pages."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentic import Page

_LONGEST = 60_000
"""The length, in characters, from which a section is cut into several pages."""

_LONGEST_TITLE = 200
_UNWANTED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\xad\u200b\ufeff]")


class Sections:
    """Gathers lines under headings. A heading that no text follows stays with what comes next."""

    def __init__(self) -> None:
        self._path: list[tuple[int, str]] = []
        self._lines: list[str] = []
        self._bare = True
        self._gap = False

    def enter(self, level: int, title: str) -> Iterator[Page]:
        """Go on under a heading; gives the section that ends here, if there is one."""
        if not self._bare:
            yield from self.leave()
        self._path = [(above, name) for above, name in self._path if above < level]
        self._path.append((level, title if len(title) <= _LONGEST_TITLE else f"{title[:_LONGEST_TITLE]}…"))

    def add(self, line: str, *, heading: bool = False) -> None:
        """Take in a line of the section, or the line of its heading."""
        line = _UNWANTED.sub("", line)
        if self._gap and self._lines:
            self._lines.append("\n")
        self._lines.append(line)
        self._bare = self._bare and heading
        self._gap = heading

    def gap(self) -> None:
        """Leave an empty line before the next one."""
        self._gap = True

    def leave(self) -> Iterator[Page]:
        """The section that has been gathered, as one page or, if it is long, as several."""
        path = tuple(title for _, title in self._path)
        lines, self._lines, self._bare, self._gap = self._lines, [], True, False
        text: list[str] = []
        length = 0
        for line in lines:
            if text and length + len(line) > _LONGEST:
                yield Page("".join(text), heading=path)
                text, length = [], 0
            text.append(line)
            length += len(line)
        if text:
            yield Page("".join(text), heading=path)
