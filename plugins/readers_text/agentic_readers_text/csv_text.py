"""CSV and its kin: every row with the names of its columns."""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path, PurePath
from typing import TextIO

from agentic import DocumentReader, Page
from agentic_readers_text.decoding import clean, open_text, text_of_head
from agentic_readers_text.pieces import pieces

_DELIMITERS = ("\t", ";", "|", ",")
_NAMED = (".csv", ".tsv", ".tab", ".psv")
_OPEN = ("", ".txt", ".dat", ".data", ".text")
"""Endings of names that leave open whether a text is a table."""

_JUDGED = 100
_LONGEST_NAME = 60
_NUMBER = re.compile(r"[\s\d.,:%€$£+/-]*")


class CsvReader(DocumentReader):
    """Tables as text, with commas, semicolons, tabs or bars between the cells."""

    name = "csv_reader"
    media_types = ("text/csv", "text/tab-separated-values")
    rank = 10

    def recognise(self, head: bytes, name: str) -> str | None:
        """text/csv for text of that name, and for text whose rows all have as many cells."""
        text = text_of_head(head)
        ending = PurePath(name).suffix.lower()
        if text is None or ending not in (*_NAMED, *_OPEN):
            return None
        lines = text.splitlines()
        # The last line may be cut in its middle.
        found = _delimiter(lines[:-1] if len(head) >= 4096 else lines, sure=ending in _OPEN)
        if found is None:
            return "text/csv" if ending in _NAMED else None
        return "text/tab-separated-values" if found == "\t" else "text/csv"

    def read(self, path: Path) -> Iterator[Page]:
        """One line a row, such as ``name: Bolt; price: 1.20``. Raises ToolError for a file without text."""
        # One quotation mark that is never closed makes a cell of all that follows; that is no reason to give up.
        csv.field_size_limit(sys.maxsize)
        with open_text(path, newline="") as source:
            yield from pieces(_rows(source))


def _rows(source: TextIO) -> Iterator[str]:
    lines = (clean(line) for line in source)
    first = list(islice(lines, _JUDGED))
    told = re.fullmatch(r'"?sep=(.)"?\s*', first[0]) if first else None
    head = first[1:] if told else first
    delimiter = told[1] if told else _delimiter(first, sure=False)
    rows = csv.reader(chain(head, lines), delimiter=delimiter or ",")
    if delimiter is None:
        yield from (f"{', '.join(row)}\n" for row in rows)
        return
    width, columns, is_begun = _width(head, delimiter), list[str](), False
    for row in rows:
        cells = [" ".join(cell.split()) for cell in row]
        if not any(cells):
            continue
        is_first = not is_begun and not _stands_above(cells, width)
        if is_first and _are_names(cells):
            columns = [name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…" for name in cells]
            yield f"{' | '.join(cells)}\n"
        else:
            yield f"{_named(cells, columns) if columns else ' | '.join(cells)}\n"
        is_begun = is_begun or is_first


def _stands_above(cells: Sequence[str], width: int) -> bool:
    """Whether a row before all others is a title or a remark, of which many tables have some: it fills half at most."""
    return 2 * sum(map(bool, cells)) <= width


def _width(lines: Sequence[str], delimiter: str) -> int:
    """How many cells most rows have; 0 without rows."""
    widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter) if row)
    return widths.most_common(1)[0][0] if widths else 0


def _named(cells: Sequence[str], columns: Sequence[str]) -> str:
    """A row in which each cell that is not empty follows the name of its column."""
    return "; ".join(
        f"{columns[place]}: {cell}" if place < len(columns) and columns[place] else cell
        for place, cell in enumerate(cells)
        if cell
    )


def _are_names(cells: Sequence[str]) -> bool:
    """Whether a first row names the columns: no numbers or dates, nothing twice."""
    named = [cell for cell in cells if cell]
    return (
        bool(named)
        and len(named) >= len(cells) - 1
        and len(set(named)) == len(named)
        and not any(_NUMBER.fullmatch(cell) for cell in named)
    )


def _delimiter(lines: Sequence[str], *, sure: bool) -> str | None:
    """What stands between the cells, or None for a single column.

    ``sure``: nothing else tells that this is a table, so all rows must have as many cells, and three be there.
    """
    best: tuple[float, int] = (0.0, 0)
    chosen = None
    for delimiter in _DELIMITERS:
        rows = [len(row) for row in csv.reader(lines[:_JUDGED], delimiter=delimiter) if row]
        if not rows:
            continue
        width, times = Counter(rows).most_common(1)[0]
        share = times / len(rows)
        if width < 2 or (sure and not _is_table(lines, delimiter, rows, width)):
            continue
        if (round(share, 1), width) > best:
            best, chosen = (round(share, 1), width), delimiter
    return chosen


def _is_table(lines: Sequence[str], delimiter: str, rows: Sequence[int], width: int) -> bool:
    if len(rows) < 3 or set(rows) != {width} or lines[0].startswith("|"):
        return False
    if delimiter != ",":
        return True
    # In prose a space follows most commas.
    text = "\n".join(lines[:_JUDGED])
    return width >= 3 and text.count(", ") * 10 <= text.count(",")
