"""Rows as a table in Markdown: any value as text, cut where it is wide, and told where anything is cut."""

from __future__ import annotations

import datetime
import decimal
import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

WIDEST = 300
"""Characters of one value that are shown."""

MOST_COLUMNS = 100
_BYTES_SHOWN = 16


class Table:
    """Takes rows as they come, until it is full. ``most_bytes``: of the table's text, in UTF-8."""

    def __init__(self, columns: Sequence[str], most_rows: int, most_bytes: int) -> None:
        self.columns = [_escaped(name) for name in columns]
        self.full = False
        self._most_rows = most_rows
        self._left = most_bytes
        self._cut_values = 0
        self._lines: list[str] = []
        shown = self.columns[:MOST_COLUMNS]
        for line in (_line(shown), _line(["---"] * len(shown))):
            self._add(line)
        self.rows = 0

    def add(self, row: Iterable[Any]) -> bool:
        """Take a row; False, and it is left out, if the table is full."""
        if self.rows >= self._most_rows:
            self.full = True
            return False
        values = list(row)[:MOST_COLUMNS]
        cells = [as_text(value) for value in values]
        cut = sum(is_cut(value) for value in values)
        if not self._add(_line(cells)):
            self.full = True
            return False
        self.rows += 1
        self._cut_values += cut
        return True

    def _add(self, line: str) -> bool:
        size = len(line.encode("utf-8", "replace")) + 1
        if size > self._left and self._lines[2:]:
            return False
        if size > self._left and len(self._lines) == 2:
            # Not even one row fits: its beginning is better than nothing.
            line = line.encode("utf-8", "replace")[: max(self._left, 200)].decode("utf-8", "ignore") + "…"
        self._left -= size
        self._lines.append(line)
        return True

    def text(self) -> str:
        """The table, and what is not in it."""
        if not self.rows:
            return f"No rows. Columns: {', '.join(self.columns[:MOST_COLUMNS])}"
        return "\n".join([*self._lines, "", " ".join(self._notes())])

    def _notes(self) -> Iterable[str]:
        if self.full:
            yield (
                f"Cut: the first {_counted(self.rows, 'row')}; there are more. "
                "Aggregate, filter, or use LIMIT and OFFSET."
            )
        else:
            yield f"{_counted(self.rows, 'row')}."
        if len(self.columns) > MOST_COLUMNS:
            yield f"The first {MOST_COLUMNS} of {len(self.columns)} columns; name the ones you need."
        if self._cut_values:
            yield f"{_counted(self._cut_values, 'value')} cut to {WIDEST} characters, marked with … and their length."


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def is_cut(value: Any) -> bool:
    """Whether a value's text is too wide to be shown whole."""
    return isinstance(value, str) and len(value) > WIDEST


def as_text(value: Any) -> str:
    """A value as a cell shows it: NULL for none, digits whole, bytes by their number and beginning."""
    text = _plain(value)
    if len(text) > WIDEST:
        text = f"{text[:WIDEST]}… ({len(text):,} characters)"
    return _escaped(text)


def _escaped(text: str) -> str:
    for sign, written in (("\\", "\\\\"), ("|", "\\|"), ("\r", "\\r"), ("\n", "\\n"), ("\t", "\\t")):
        text = text.replace(sign, written)
    return "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in text)


def _plain(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return f'"{value}"' if value in ("NULL", "") else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, decimal.Decimal):
        return format(value, "f") if value.is_finite() and abs(value.adjusted()) < 100 else str(value)
    if isinstance(value, float):
        return (
            repr(value) if not (math.isfinite(value) and value.is_integer() and abs(value) < 1e15) else f"{value:.1f}"
        )
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _binary(bytes(value))
    if isinstance(value, (datetime.datetime, datetime.time)):
        return value.isoformat(" ") if isinstance(value, datetime.datetime) else value.isoformat()
    if isinstance(value, datetime.timedelta):
        return _time(value)
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False, default=_plain)
    return str(value)


def _time(value: datetime.timedelta) -> str:
    """MySQL's TIME, which counts hours beyond a day and below zero."""
    seconds = abs(value) // datetime.timedelta(seconds=1)
    sign = "-" if value < datetime.timedelta() else ""
    fraction = f".{abs(value).microseconds:06}".rstrip("0").rstrip(".")
    return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{fraction}"


def _binary(data: bytes) -> str:
    beginning = data[:_BYTES_SHOWN].hex()
    more = "…" if len(data) > _BYTES_SHOWN else ""
    return f"(binary, {_counted(len(data), 'byte')}: 0x{beginning}{more})"
