"""Chunks that were found, made passages: those that touch are joined, and each says where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentic import Citation, Passage
from agentic_rag.chunks import Chunk
from agentic_rag.ranking import Ranked
from agentic_rag.records import Record

MOST_JOINED = 3
"""Chunks of a passage: a longer one would crowd out the others where the text is read by a small model."""


@dataclass(slots=True)
class Stretch:
    """Neighbouring chunks of a document, ``first`` to ``last``, and the best score among them."""

    doc_id: str
    first: int
    last: int
    score: float

    def takes(self, hit: Ranked) -> bool:
        """Whether the hit touches it, and has room."""
        if hit.doc_id != self.doc_id or not self.first - 1 <= hit.number <= self.last + 1:
            return False
        return max(self.last, hit.number) - min(self.first, hit.number) < MOST_JOINED

    def join(self, hit: Ranked) -> None:
        """Take it in."""
        self.first, self.last = min(self.first, hit.number), max(self.last, hit.number)


def stretches(ranked: Sequence[Ranked], top_k: int) -> list[Stretch]:
    """The first ``top_k`` stretches of hits that are in order of their rank."""
    found: list[Stretch] = []
    for hit in ranked:
        near = next((stretch for stretch in found if stretch.takes(hit)), None)
        if near is not None:
            near.join(hit)
        elif len(found) == top_k:
            break
        else:
            found.append(Stretch(hit.doc_id, hit.number, hit.number, hit.score))
    return found


def passage(record: Record, chunks: Sequence[Chunk], score: float) -> Passage:
    """Neighbouring chunks of a document as one passage."""
    first = chunks[0]
    text = first.text
    end = first.end
    for chunk in chunks[1:]:
        # Between chunks that do not overlap there was nothing but space.
        text += chunk.text[end - chunk.start :] if chunk.start < end else f"\n{chunk.text}"
        end = max(end, chunk.end)
    url = f"/api/files/documents/{record.id}/content"
    return Passage(
        document_id=record.id,
        text=text,
        score=score,
        page=first.page,
        heading=first.heading,
        start=first.start,
        end=end,
        citation=Citation(f"{url}#page={first.page}" if first.page else url, record.name),
    )
