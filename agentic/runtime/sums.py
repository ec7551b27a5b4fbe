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
        self._packed: dict[str, int] = {}
        self._sparse: dict[str, list[tuple[int, int]]] = {}
        for key, row in rows.items():
            whole = [(place, round(number * UNIT)) for place, number in row.items()]
            if len(whole) * SPARSE < width:
                self._sparse[key] = whole
            else:
                self._packed[key] = sum(number << place * BITS for place, number in whole)

    def of(self, keys: Iterable[str]) -> list[int]:
        """The sum of these keys' rows, UNIT for 1; a key without a row adds nothing."""
        total, loose = 0, []
        packed, sparse = self._packed.get, self._sparse.get
        for key in keys:
            if row := packed(key):
                total += row
            elif some := sparse(key):
                loose += some
        sums = list(struct.unpack(f"<{self._width}I", total.to_bytes(self._width * BITS // 8, "little")))
        for place, number in loose:
            sums[place] += number
        return sums
