"""A rough but small copy of many rows, which names the few that are worth a closer look.

One search of 100,000 rows of 384 dimensions reads 154 MB, which no memory delivers within the time that a search may
take. Two bits for each dimension are a sixteenth of that, and FAISS's fast scan compares 32 rows at once in the
processor's registers. The rows are turned at random first: whatever they are like, their parts are then spread
normally, so that the points that fit such parts best are known without any training and rows may come and go.
"""

from __future__ import annotations

import math
from typing import Any

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


class Coarse:
    """Rough copies of rows of length 1, in the order of the rows themselves."""

    def __init__(self, dimensions: int) -> None:
        import faiss

        even = dimensions + dimensions % 2
        self._turn: Any = faiss.RandomRotationMatrix(dimensions, even)
        self._turn.init(SEED)
        self._index: Any = faiss.IndexPQFastScan(even, even // 2, 4, faiss.METRIC_INNER_PRODUCT)
        faiss.copy_array_to_vector(_points(even), self._index.pq.centroids)
        self._index.is_trained = True
        self.margin = SURE * ERROR / math.sqrt(even)
        """A row's score is above its rough one by less than this, for a vector of length 1."""

    def add(self, rows: Any) -> None:
        """Copy rows that come after those that are here."""
        for start in range(0, len(rows), BATCH):
            self._index.add(self._turn.apply(rows[start : start + BATCH]))

    def remove(self, gone: Any, left: Any) -> None:
        """Forget the rows with these ids; those that follow move up, so that ``left`` are here."""
        import faiss

        self._index.remove_ids(faiss.IDSelectorBatch(gone))
        # FAISS leaves what was at the end of the last block, and would mix it into the rows that are added next.
        whole = len(left) // self._index.bbs * self._index.bbs
        self._index.remove_ids(faiss.IDSelectorRange(whole, len(left)))
        self.add(left[whole:])

    def candidates(self, vector: Any, count: int) -> tuple[Any, Any]:
        """The ids of the ``count`` rows with the best rough scores, the best first, and these scores."""
        import numpy
        from faiss import swig_ptr

        turned = numpy.empty(self._index.d, dtype=numpy.float32)
        scores, ids = numpy.empty(count, dtype=numpy.float32), numpy.empty(count, dtype=numpy.int64)
        # Straight to the library: what its Python methods check and copy takes as long as to look at 100 rows.
        self._turn.apply_noalloc(1, swig_ptr(vector), swig_ptr(turned))
        self._index.search_c(1, swig_ptr(turned), count, swig_ptr(scores), swig_ptr(ids))
        scores /= KEPT
        return ids, scores


def _points(dimensions: int) -> Any:
    """For each two dimensions, the 16 points that rows of length 1 are rounded to."""
    import numpy

    turned = [(radius, math.radians(angle + third)) for third in (0, 120, 240) for radius, angle in POINTS]
    pairs = [(0.0, 0.0), *((radius * math.cos(angle), radius * math.sin(angle)) for radius, angle in turned)]
    return numpy.tile(numpy.array(pairs, dtype=numpy.float32) / math.sqrt(dimensions), (dimensions // 2, 1)).ravel()
