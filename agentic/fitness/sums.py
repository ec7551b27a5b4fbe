"""Sums of many rows, most of whose numbers are 0, without a loop over the numbers."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping

BITS = 32
UNIT = 1 << 16
"""Numbers are whole multiples of 1 / UNIT; a sum must stay below 2 ** BITS / UNIT, which is 65,536."""
SPARSE = 64
"""A row is added number by number where it has fewer than a SPARSE-th of them: that takes less time, and memory."""
Row = tuple[int, int, tuple[tuple[int, int], ...]]


class Sums:
    """Rows by key, of ``width`` numbers of 0 and above.

    Numbers are held in one whole number with BITS for each place: Python adds two of them as fast as C does, and in
    the sum each place holds its own. The first ``crowded`` places, which most rows fill, have one of their own, since
    a short one is added in less time. ``seldom`` tells the row of a key that has none here, or nothing: such rows are
    made when they are first asked for, and kept.
    """

    def __init__(
        self,
        rows: Mapping[str, Mapping[int, float]],
        width: int,
        crowded: int = 0,
        seldom: Callable[[str], Mapping[int, float]] = lambda _: {},
    ) -> None:
        self._width = width
        self._crowded = crowded
        self._rows = {key: self._row(row) for key, row in rows.items()}
        self._seldom = seldom

    def of(self, keys: Iterable[str]) -> list[int]:
        """The sum of these keys' rows, UNIT for 1; a key without a row adds nothing."""
        near = far = 0
        loose: list[tuple[int, int]] = []
        rows = self._rows
        for crowded, others, single in filter(None, [rows.get(key) or self._first_row(key) for key in keys]):
            near += crowded
            if others:
                far += others
            else:
                loose += single
        sums = list(struct.unpack(f"<{self._width}I", (near + far).to_bytes(self._width * BITS // 8, "little")))
        for place, number in loose:
            sums[place] += number
        return sums

    def _first_row(self, key: str) -> Row | None:
        row = self._seldom(key)
        if not row:
            return None
        made = self._rows[key] = self._row(row)
        return made

    def _row(self, row: Mapping[int, float]) -> Row:
        """The crowded places, and the others as a whole number or one by one."""
        whole = {place: round(number * UNIT) for place, number in row.items()}
        crowded = sum(number << place * BITS for place, number in whole.items() if place < self._crowded)
        others = tuple((place, number) for place, number in whole.items() if place >= self._crowded)
        if len(others) * SPARSE < self._width:
            return crowded, 0, others
        return crowded, sum(number << place * BITS for place, number in others), ()
