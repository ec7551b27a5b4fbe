"""A rough but small copy of many rows, which names the few that are worth a closer look.

One search of 100,000 rows of 384 dimensions reads 154 MB, which no memory delivers within the time that a search may
take. Two bits for each dimension are a sixteenth of that, and FAISS's fast scan compares 32 rows at once in the
processor's registers. The rows are turned at random first: whatever they are like, their parts are then spread
normally, so that the levels that fit such parts best are known without any training and rows may come and go.
"""

from __future__ import annotations

import math
from typing import Any

LEVELS = (-1.5104, -0.4528, 0.4528, 1.5104)
"""The four values that stand for normally spread ones with the least error (Lloyd and Max), which is 0.1175 of them."""
KEPT = 1 - 0.1175
"""What is left, on average, of a row's length along itself; scores are that much too small."""
ERROR = 0.366
"""Length of what the levels leave out of a row, over ``KEPT``, which is the square root of 1 / ``KEPT`` - 1."""
SURE = 4.0
"""Standard deviations: a row's error is beyond in 3 of 100,000 cases."""
SEED = 384
BATCH = 8192


class Coarse:
    """Rough copies of rows of length 1, in the order of the rows themselves."""

    def __init__(self, dimensions: int) -> None:
        import faiss
        import numpy

        even = dimensions + dimensions % 2
        self._turn = faiss.RandomRotationMatrix(dimensions, even)
        self._turn.init(SEED)
        self._index = faiss.IndexPQFastScan(even, even // 2, 4, faiss.METRIC_INNER_PRODUCT)
        pairs = [(one, two) for one in LEVELS for two in LEVELS]
        levels = numpy.tile(numpy.array(pairs, dtype=numpy.float32) / math.sqrt(even), (even // 2, 1))
        faiss.copy_array_to_vector(levels.ravel(), self._index.pq.centroids)
        self._index.is_trained = True
        self.margin = SURE * ERROR / math.sqrt(even)
        """A row's score is above its rough one by less than this, for a vector of length 1."""

    def add(self, rows: Any) -> None:
        """Copy rows that come after those that are here."""
        for start in range(0, len(rows), BATCH):
            self._index.add(self._turn.apply(rows[start : start + BATCH]))

    def remove(self, selector: Any) -> None:
        """Forget rows; those that follow move up."""
        self._index.remove_ids(selector)

    def candidates(self, vector: Any, count: int) -> tuple[Any, float]:
        """The ids of the ``count`` rows with the best rough scores, and the last of these scores."""
        scores, ids = self._index.search(self._turn.apply(vector.reshape(1, -1)), count)
        return ids[0], float(scores[0, -1]) / KEPT
