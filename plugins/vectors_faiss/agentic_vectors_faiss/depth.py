"""How many candidates a search begins with: what those before it needed."""

from __future__ import annotations

import math

AT_FIRST = 5
"""Times the square root of how many rows there are: enough nearly always for a few of the hardest rows, as measured."""
LEAST = 64
SPARE = 1.2
FADES = 0.95
"""What is left of an earlier need with each search, so that one odd question is forgotten after some dozens."""
IN_VAIN = 4
"""A part of all rows from which on it is faster to read them all than to name some first."""
TOO_MANY = 2
"""The part that is taken for the need where that was so: after 18 searches that read all, one tries again."""


class Depths:
    """The need of the last searches, which differs: by the rows, and by how many pieces are asked for.

    Too few candidates cost a second look at all rough copies, too many the time to keep them in order.
    """

    def __init__(self) -> None:
        self._needs: dict[int, float] = {}

    def of(self, k: int, rows: int) -> int:
        """For ``k`` pieces among so many rows."""
        need = self._needs.get(k.bit_length())
        if need is None:
            return max(int(AT_FIRST * math.sqrt(rows)), 8 * k)
        return max(int(need * SPARE), 2 * k, LEAST)

    def needed(self, k: int, count: int) -> None:
        """So many were worth a closer look; none where nobody looked, so that it is tried again at some time."""
        self._needs[k.bit_length()] = max(count, self._needs.get(k.bit_length(), 0.0) * FADES)
