"""Two lists of hits made one, and whether the best of them is near enough to be an answer at all.

Nearness of meaning and words in common are on scales of their own, and those of words change from search to search. So
each list is measured by its own spread: how far a hit lies above the last one looked at, in standard deviations. On the
questions of ``bench/retrieval`` this finds more than ranks alone do, and no other scale that was tried finds more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10
from statistics import pstdev

from agentic import Hit

LOOKED_AT = 200
"""Hits that each index is asked for: with 50, what one index alone finds gets too little from the other."""
_NEAR, _WORDS = 0.55, 0.45
_LEAST_SPREAD, _LEAST_OF_FEW = 0.2, 0.4
"""Of the distance from first to last: equal hits must not look far apart, least of all in a small collection, where
words that say nothing weigh much."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A chunk that was found; ``score`` compares it with the others of its search."""

    doc_id: str
    number: int
    score: float


@dataclass(frozen=True, slots=True)
class Floor:
    """The least cosine of the nearest chunk. Cosines of one embedder compare over searches; those of two do not.

    Among more chunks the nearest is nearer by chance: ``tenfold`` is added to ``single`` for each tenfold of them, and
    ``unknown_word`` where the query has words that are in none of many documents.
    """

    single: float
    tenfold: float
    unknown_word: float

    def of(self, chunks: int, unknown: Sequence[str]) -> float:
        """The floor for a query, of which the words ``unknown`` are in no document, among so many chunks."""
        return self.single + self.tenfold * log10(max(1, chunks)) + (self.unknown_word if unknown else 0)


FLOORS = {"all-MiniLM-L6-v2-int8": Floor(0.22, 0.05, 0.1)}
"""By the embedder's id, measured with ``bench/retrieval`` over one document, a few, and all; one not measured has no
floor. It leans to passages that do not answer: where there are few documents, a reader sees that at once, but does not
see that an answer was kept back."""
TELLING = 1000
"""Chunks of a collection in which a missing word tells something. In a smaller one most questions use words that it
does not hold, and are answered all the same."""


def blend(by_vector: Sequence[Hit], by_text: Sequence[Hit]) -> list[Ranked]:
    """All hits of both lists, the best first."""
    # A chunk that is not among few hits by words holds none of them: it has nothing, and is not just behind the last.
    near = _above(by_vector, by_vector[-1].score if by_vector else 0.0)
    low = by_text[-1].score if len(by_text) >= LOOKED_AT else 0.0
    words = _above(by_text, low, _LEAST_SPREAD if len(by_vector) >= LOOKED_AT else _LEAST_OF_FEW)
    scores = {key: _NEAR * near.get(key, 0.0) + _WORDS * words.get(key, 0.0) for key in {**near, **words}}
    return [Ranked(*key, score) for key, score in sorted(scores.items(), key=lambda item: -item[1])]


def is_near(embedder: str, by_vector: Sequence[Hit], chunks: int, unknown: Sequence[str]) -> bool:
    """Whether the nearest of so many chunks may hold an answer; true where no floor was measured for the embedder."""
    floor = FLOORS.get(embedder)
    return floor is None or (bool(by_vector) and by_vector[0].score >= floor.of(chunks, unknown))


def _above(hits: Sequence[Hit], low: float, least: float = _LEAST_SPREAD) -> dict[tuple[str, int], float]:
    if not hits:
        return {}
    scores = [hit.score for hit in hits]
    spread = max(pstdev(scores), least * (max(scores) - low)) or 1.0
    return {(hit.doc_id, hit.number): max(0.0, hit.score - low) / spread for hit in hits}
