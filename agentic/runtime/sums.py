"""Sums of many rows, most of whose numbers are 0, without a loop over the numbers."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

BITS = 32
UNIT = 1 << 16
"""Numbers are whole multiples of 1 / UNIT; a sum must stay below 2 ** BITS / UNIT, which is 65,536."""
SPARSE = 64
"""A row is added number by number where it has fewer than a SPARSE-th of them: that takes less time, and memory."""


class Sums:
    """Rows by key, of ``width`` numbers of 0 and above.

    A row is one whole number with BITS for each place: Python adds two of them as fast as C does, and in the sum each
    place holds its own.
    """

    def __init__(self, rows: Mapping[str, Mapping[int, float]], width: int) -> None:
        self._width = width
        self._rows: dict[str, int | list[tuple[int, int]]] = {}
        for key, row in rows.items():
            whole = [(place, round(number * UNIT)) for place, number in row.items()]
            is_sparse = len(whole) * SPARSE < width
            self._rows[key] = whole if is_sparse else sum(number << place * BITS for place, number in whole)

    def of(self, keys: Iterable[str]) -> list[int]:
        """The sum of these keys' rows, UNIT for 1; a key without a row adds nothing."""
        total = 0
        loose: list[tuple[int, int]] = []
        for row in map(self._rows.get, keys):
            if isinstance(row, int):
                total += row
            elif row is not None:
                loose += row
        sums = list(struct.unpack(f"<{self._width}I", total.to_bytes(self._width * BITS // 8, "little")))
        for place, number in loose:
            sums[place] += number
        return sums
