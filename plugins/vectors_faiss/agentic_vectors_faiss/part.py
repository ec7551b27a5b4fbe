"""Rough copies of some rows in FAISS's fast scan."""

from __future__ import annotations

from typing import Any


class Part:
    """Copies of some of all rows, in their order."""

    def __init__(self, dimensions: int, points: Any) -> None:
        import faiss
        import numpy

        self._index: Any = faiss.IndexPQFastScan(dimensions, dimensions // 2, 4, faiss.METRIC_INNER_PRODUCT)
        faiss.copy_array_to_vector(points, self._index.pq.centroids)
        self._index.is_trained = True
        self.places: Any = numpy.empty(0, dtype=numpy.int64)
        """Of each row that is here, its place among all rows; these rise."""

    def __len__(self) -> int:
        return len(self.places)

    def add(self, rows: Any, places: Any) -> None:
        """Copy rows, whose places come after those of all that are here."""
        import numpy

        # FAISS ends the process where none are added to none.
        if not len(places):
            return
        self._index.add(rows)
        self.places = numpy.concatenate([self.places, places])

    def remove(self, kept: Any, moved: Any) -> Any:
        """Forget the rows at places that are not ``kept``; the others have ``moved``, each from its place to another.

        Gives the new places of some of them, the last, which are forgotten too and must be added anew.
        """
        import faiss
        import numpy

        stay = kept[self.places]
        self._index.remove_ids(faiss.IDSelectorBatch(numpy.flatnonzero(~stay)))
        places = moved[self.places[stay]]
        # FAISS leaves what was at the end of the last block, and would mix it into the rows that are added next.
        whole = len(places) // self._index.bbs * self._index.bbs
        self._index.remove_ids(faiss.IDSelectorRange(whole, len(places)))
        self.places = places[:whole].copy()
        return places[whole:]

    def best(self, vector: Any, count: int) -> tuple[Any, Any]:
        """The places of the ``count`` rows here with the best scores, the best first, and these; or of all it has."""
        import numpy
        from faiss import swig_ptr

        count = min(count, len(self))
        scores, ids = numpy.empty(count, dtype=numpy.float32), numpy.empty(count, dtype=numpy.int64)
        # Straight to the library: what its Python methods check and copy takes as long as to look at 100 rows.
        self._index.search_c(1, swig_ptr(vector), count, swig_ptr(scores), swig_ptr(ids))
        return self.places[ids], scores
