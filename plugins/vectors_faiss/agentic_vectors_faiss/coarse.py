"""A rough but small copy of many rows, which names the few that are worth a closer look.

One search of 100,000 rows of 384 dimensions reads 154 MB, which no memory delivers within the time that a search may
take. Two bits for each dimension are a sixteenth of that, and FAISS's fast scan compares 32 rows at once in the
processor's registers. The rows are turned at random first: whatever they are like, their parts are then spread
normally, so that the points that fit such parts best are known without any training and rows may come and go.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from agentic_vectors_faiss.beside import Beside
from agentic_vectors_faiss.depth import SPARE
from agentic_vectors_faiss.part import Part

POINTS = ((0.960, 0.0), (0.890, 60.0), (2.010, 0.0), (1.866, 39.8), (1.866, -39.8))
"""Radius and degrees of a third of the points that stand for two normally spread parts; the origin is one as well."""
LOST = 0.1075
"""The error of these points, as a part of the square: less than the 0.1175 of four levels for each of both parts."""
KEPT = 1 - LOST
"""What is left, on average, of a row's length along itself; scores are that much too small."""
ERROR = math.sqrt(LOST / KEPT)
"""Length of what the points leave out of a row, over ``KEPT``."""
SURE = 4.0
"""Standard deviations: a row's error is beyond in 3 of 100,000 cases."""
SEED = 384
BATCH = 8192
APART = 30_000
"""Rows from which on their copies are in several parts: a thread that takes one over costs as much as 5,000 rows."""
UNEVEN = 16
"""How many more of the best rows than its share a part is asked for."""
UNKNOWN = -math.inf
"""The score of a row that nobody has looked at."""

Scored = Callable[[Any, Any], Any]
"""The scores of a vector and the rows of these ids."""


class Coarse:
    """Rough copies of rows of length 1, in parts that are searched side by side where it is made for many rows."""

    def __init__(self, dimensions: int, rows: int, beside: Beside) -> None:
        import faiss

        even = dimensions + dimensions % 2
        self._turn: Any = faiss.RandomRotationMatrix(dimensions, even)
        self._turn.init(SEED)
        self._even = even
        points = _points(even)
        self._parts = [Part(even, points) for _ in range(beside.most + 1 if rows >= APART else 1)]
        self._beside = beside
        self.margin = SURE * ERROR / math.sqrt(even)
        """A row's score is above its rough one by less than this, for a vector of length 1."""

    def suits(self, rows: int) -> bool:
        """Whether it has about as many parts as one that were made for so many rows."""
        return rows < APART if len(self._parts) == 1 else rows > APART // 2

    def add(self, rows: Any) -> None:
        """Copy rows that come after those that are here."""
        first = sum(map(len, self._parts))
        for number, places in enumerate(self._shares(len(rows))):
            for start in range(0, len(places), BATCH):
                some = places[start : start + BATCH]
                self._parts[number].add(self._turn.apply(rows[some]), first + some)

    def remove(self, kept: Any, left: Any) -> None:
        """Forget the rows that are not ``kept``; those that follow move up, so that ``left`` are here."""
        import numpy

        moved = numpy.cumsum(kept) - 1
        for part in self._parts:
            again = part.remove(kept, moved)
            part.add(self._turn.apply(left[again]), again)

    def candidates(self, vector: Any, count: int, scored: Scored) -> tuple[Any, Any, Any]:
        """The ids of about ``count`` rows with the best rough scores, in any order, these scores, and their own.

        ``scored`` tells the latter for all but those that are there to spare, whose scores are UNKNOWN.
        """
        import numpy
        from faiss import swig_ptr

        turned = numpy.empty(self._even, dtype=numpy.float32)
        self._turn.apply_noalloc(1, swig_ptr(vector), swig_ptr(turned))
        parts = [part for part in self._parts if len(part)]
        each = count // len(parts) + UNEVEN
        close = int(each / SPARE)

        def look(part: Part) -> tuple[Any, Any, Any]:
            ids, rough = part.best(turned, each)
            scores = numpy.full(len(ids), UNKNOWN, dtype=numpy.float32)
            scores[:close] = scored(vector, ids[:close])
            return ids, rough, scores

        if len(parts) == 1:
            ids, rough, scores = look(parts[0])
        else:
            ids, rough, scores = _merged(parts, self._beside.do([partial(look, part) for part in parts]))
        return ids, rough / KEPT, scores

    def _shares(self, count: int) -> list[Any]:
        """Which of so many new rows each part takes: what it lacks to be as long as the longest, then each in turn."""
        import numpy

        lengths = numpy.array([len(part) for part in self._parts])
        lacking = numpy.repeat(numpy.arange(len(lengths)), lengths.max() - lengths)[:count]
        taken = numpy.concatenate([lacking, numpy.arange(count - len(lacking)) % len(lengths)])
        return [numpy.flatnonzero(taken == number) for number in range(len(lengths))]


def _merged(parts: Sequence[Part], found: Sequence[tuple[Any, Any, Any]]) -> tuple[Any, Any, Any]:
    """What was found in the parts, down to where one of them may have others."""
    import numpy

    ids, rough, scores = (numpy.concatenate(several) for several in zip(*found, strict=True))
    ends = [ends[-1] for part, (_, ends, _) in zip(parts, found, strict=True) if len(ends) < len(part)]
    kept = rough >= max(ends, default=-math.inf)
    return ids[kept], rough[kept], scores[kept]


def _points(dimensions: int) -> Any:
    """For each two dimensions, the 16 points that rows of length 1 are rounded to."""
    import numpy

    turned = [(radius, math.radians(angle + third)) for third in (0, 120, 240) for radius, angle in POINTS]
    pairs = [(0.0, 0.0), *((radius * math.cos(angle), radius * math.sin(angle)) for radius, angle in turned)]
    return numpy.tile(numpy.array(pairs, dtype=numpy.float32) / math.sqrt(dimensions), (dimensions // 2, 1)).ravel()
