"""All rows of one scope and one embedder in memory, and the search among them."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from itertools import accumulate
from typing import Any

from agentic_vectors_faiss.beside import Beside
from agentic_vectors_faiss.coarse import UNKNOWN, Coarse
from agentic_vectors_faiss.depth import IN_VAIN, TOO_MANY, Depths

COARSE_FROM = 5_000
"""Rows from which on rough copies are searched first; below, all rows are read as fast."""
GROWTH = 4
FIRST = 32
"""Rows in order from which the pieces are read first; more are only needed where pieces have very many."""

Found = tuple[int, int, float]
"""Place of the document in ``Rows.documents``, number of the piece, score."""


class Rows:
    """Rows of length 1, those of a document side by side. Exact: what is found is what a plain search would find.

    Past ``COARSE_FROM`` rows that holds as surely as ``coarse.SURE`` says. Not for several threads at once.
    """

    def __init__(self, dimensions: int, beside: Beside | None = None) -> None:
        import numpy

        # Not in an index of FAISS: numpy asks the system for large pages, of which a search needs fewer addresses.
        self._held: Any = numpy.empty((0, dimensions), dtype=numpy.float32)
        self._coarse: Coarse | None = None
        self._beside = beside or Beside(0)
        self._depths = Depths()
        self._dimensions = dimensions
        self._numbers: Any = numpy.empty(0, dtype=numpy.int64)
        self._counts: list[int] = []
        self._ends: Any = numpy.empty(0, dtype=numpy.int64)
        self.documents: list[str] = []

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        return len(self) * (self._dimensions * 4 + 8 + (self._dimensions // 4 + 8 if self._coarse else 0))

    def change(self, gone: Collection[str], come: Mapping[str, tuple[Any, Any]]) -> None:
        """Forget the rows of some documents, then take in others: name → (numbers, rows), each name new."""
        import numpy

        self._remove([place for place, name in enumerate(self.documents) if name in gone])
        end = len(self)
        self.make_room(end + sum(len(numbers) for numbers, _ in come.values()))
        for numbers, rows in come.values():
            self._held[end : end + len(rows)] = rows
            end += len(rows)
            self._counts.append(len(numbers))
        if self._coarse is not None and self._coarse.suits(end):
            self._coarse.add(self._held[len(self) : end])
        else:
            # The next search makes them anew, in as many parts as so many rows are worth.
            self._coarse = None
        self.documents += come
        self._numbers = numpy.concatenate([self._numbers, *(numbers for numbers, _ in come.values())])
        self._ends = numpy.array(list(accumulate(self._counts)), dtype=numpy.int64)

    def make_room(self, count: int) -> None:
        """Take memory for so many rows in all, so that less is moved while they come."""
        import numpy

        if count > len(self._held):
            held = numpy.zeros((max(count, len(self) * 5 // 4), self._dimensions), dtype=numpy.float32)
            held[: len(self)] = self._array
            self._held = held

    def search(self, vector: Any, k: int, places: Sequence[int] | None) -> list[Found]:
        """The ``k`` nearest pieces, the best first; of the documents at these places alone, where they are given."""
        if k <= 0 or not len(self):
            return []
        if places is not None:
            return self._search_within(vector, k, places)
        if len(self) >= COARSE_FROM:
            found = self._search_coarsely(vector, k)
            if found is not None:
                return found
        return self._search_all(vector, k)

    def _search_all(self, vector: Any, k: int) -> list[Found]:
        import faiss

        depth = min(2 * k + 8, len(self))
        while True:
            scores, ids = faiss.knn(vector.reshape(1, -1), self._array, depth, faiss.METRIC_INNER_PRODUCT)
            found = self._pieces(scores[0], ids[0], k)
            if len(found) == k or depth == len(self):
                return found
            # Several rows of the same pieces were in the way.
            depth = min(depth * GROWTH, len(self))

    def _search_coarsely(self, vector: Any, k: int) -> list[Found] | None:
        """As ``_search_all``, or None where too many rows would have to be looked at for that."""
        if self._coarse is None:
            coarse = Coarse(self._dimensions, len(self), self._beside)
            coarse.add(self._array)
            self._coarse = coarse
        margin = self._coarse.margin * math.sqrt(float(vector @ vector))
        if not margin:
            return None
        depth, tried = self._depths.of(k, len(self)), 0
        while depth * IN_VAIN < len(self):
            ids, rough, scores = self._coarse.candidates(vector, depth, self._scored)
            # A row's own score is below its rough one and this: it is no use where that is not above the last found.
            found, bar, count = self._best_of(vector, k, ids, rough + margin, scores)
            if count < len(ids):
                # What was too little, since one part has most of them, would be too little the next time as well.
                self._depths.needed(k, max(count, tried))
                return found
            tried, depth = depth, int(depth * _growth(rough, bar - margin))
        self._depths.needed(k, len(self) // TOO_MANY if tried else 0)
        return None

    def _best_of(self, vector: Any, k: int, ids: Any, most: Any, scores: Any) -> tuple[list[Found], float, int]:
        """The best pieces of these rows, whose scores are below ``most``; UNKNOWN ones are looked at where they matter.

        With the last one's score, and how many of the rows may reach it: where that is all, there may be more.
        """
        import numpy

        while True:
            found = self._first_of(scores, ids, k)
            bar = found[-1][2] if len(found) == k else UNKNOWN
            near = most > bar
            unknown = numpy.flatnonzero(near & (scores == UNKNOWN))
            if not len(unknown):
                return found, bar, int(numpy.count_nonzero(near))
            scores[unknown] = self._scored(vector, ids[unknown])

    def _first_of(self, scores: Any, ids: Any, k: int) -> list[Found]:
        """The best pieces of rows in any order. All are put in order only where a few do not hold enough pieces."""
        import numpy

        few = k + FIRST
        some = numpy.argpartition(scores, -few)[-few:] if few < len(scores) else slice(None)
        for part in (some, slice(None)):
            own, rows = scores[part], ids[part]
            order = numpy.argsort(-own)
            found = self._pieces(own[order], rows[order], k)
            if len(found) == k:
                break
        return found

    def _search_within(self, vector: Any, k: int, places: Sequence[int]) -> list[Found]:
        import numpy

        array = self._array
        spans = [(int(self._ends[place]) - self._counts[place], int(self._ends[place])) for place in places]
        if not spans:
            return []
        scores = numpy.concatenate([array[start:end] @ vector for start, end in spans])
        ids = numpy.concatenate([numpy.arange(start, end) for start, end in spans])
        order = numpy.argsort(-scores, kind="stable")
        return self._pieces(scores[order], ids[order], k)

    def _pieces(self, scores: Any, ids: Any, k: int) -> list[Found]:
        """The first ``k`` different pieces of rows in order."""
        found: dict[tuple[int, int], float] = {}
        for part in (slice(k), slice(k, k + FIRST), slice(k + FIRST, None)):
            places = self._ends.searchsorted(ids[part], side="right").tolist()
            for place, number, score in zip(
                places, self._numbers[ids[part]].tolist(), scores[part].tolist(), strict=True
            ):
                found.setdefault((place, number), score)
                if len(found) == k:
                    break
            if len(found) == k:
                break
        return [(place, number, score) for (place, number), score in found.items()]

    def _scored(self, vector: Any, ids: Any) -> Any:
        """The scores of these rows."""
        import faiss
        import numpy

        scores = numpy.empty(len(ids), dtype=numpy.float32)
        pointers = (faiss.swig_ptr(each) for each in (scores, vector, self._held, ids))
        faiss.fvec_inner_products_by_idx(*pointers, self._dimensions, 1, len(ids))  # type: ignore[attr-defined]
        return scores

    @property
    def _array(self) -> Any:
        """The rows that there are, of all for which there is room."""
        return self._held[: len(self)]

    def _remove(self, places: Sequence[int]) -> None:
        import numpy

        if not places:
            return
        gone = set(places)
        kept = numpy.ones(len(self), dtype=bool)
        to = 0
        for place, (count, end) in enumerate(zip(self._counts, self._ends.tolist(), strict=True)):
            if place in gone:
                kept[end - count : end] = False
            else:
                # Document by document, so that no more than one is in memory twice.
                if to < end - count:
                    self._held[to : to + count] = self._held[end - count : end]
                to += count
        self._held = self._held[:to].copy() if to < len(self._held) // 2 else self._held
        self._held[to:] = 0
        if self._coarse is not None:
            self._coarse.remove(kept, self._held[:to])
        self._numbers = self._numbers[kept]
        self._counts = [count for place, count in enumerate(self._counts) if place not in gone]
        self.documents = [name for place, name in enumerate(self.documents) if place not in gone]


def _growth(rough: Any, wanted: float) -> float:
    """How many times more rows it takes until rough scores fall below ``wanted``, as these fall: 2 at least."""
    falling = sorted(rough.tolist(), reverse=True)
    halving = falling[len(falling) // 2] - falling[-1]
    doublings = (falling[-1] - wanted) / halving if halving > 0 and math.isfinite(wanted) else 1.0
    return float(2 ** min(max(1.0, doublings * 1.1), 16.0))
