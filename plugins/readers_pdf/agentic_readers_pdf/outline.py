"""The table of contents that a PDF carries, as headings over its pages."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agentic import Page

MOST_ENTRIES = 10_000
_MOST_CUTS = 100
_LONGEST_TITLE = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the table of contents: its level, from 0, its title, and its page, from 1."""

    level: int
    title: str
    page: int


class Outline:
    """Gives the pages their headings, one page after another."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries: dict[int, list[Entry]] = defaultdict(list)
        for entry in entries:
            self._entries[entry.page].append(entry)
        self._path: list[Entry] = []

    def cut(self, number: int, text: str) -> Iterator[Page]:
        """The page as a whole, or in parts, where sections begin in its middle at a line that is their title.

        A section whose title is not on the page counts from the page's beginning if it is the first there, else from
        the next page.
        """
        start, unseen = 0, list[Entry]()
        for place, entry in enumerate(self._entries.get(number, ())[:_MOST_CUTS]):
            begin = _line_of(entry.title, text, start)
            if begin is None and place:
                unseen.append(entry)
                continue
            if begin is not None and text[start:begin].strip():
                yield Page(text[start:begin], number, self._headings())
                start = begin
            self._enter(*unseen, entry)
            unseen = []
        yield Page(text[start:], number, self._headings())
        self._enter(*unseen)

    def _enter(self, *entries: Entry) -> None:
        for entry in entries:
            self._path = [above for above in self._path if above.level < entry.level] + [entry]

    def _headings(self) -> tuple[str, ...]:
        titles = (" ".join(entry.title.split())[:_LONGEST_TITLE] for entry in self._path)
        return tuple(title for title in titles if title)


def _line_of(title: str, text: str, start: int) -> int | None:
    """Where the line begins that is this title, with or without a number before it; None where there is none."""
    words = title[:_LONGEST_TITLE].split()
    if not words:
        return None
    numbered = r"^[ \t]*(?:(?:[\d.]+|[A-Z]\.|Chapter \d+[.:]?)[ \t]+)?"
    pattern = numbered + r"\s+".join(map(re.escape, words)) + r"[ \t]*$"
    found = re.compile(pattern, re.MULTILINE | re.IGNORECASE).search(text, start)
    return found.start() if found else None
