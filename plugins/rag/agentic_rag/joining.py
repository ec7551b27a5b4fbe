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
LOOKED_AT = 6
"""For each passage that is wanted, hits that may become one or be joined to one."""


@dataclass(slots=True)
class Stretch:
    """Neighbouring chunks of one page of a document, in order, and the best score among them."""

    doc_id: str
    score: float
    chunks: list[Chunk]

    def takes(self, hit: Ranked, chunk: Chunk) -> bool:
        """Whether the chunk touches it, is of the same page (which is cited), and there is room."""
        first, last = self.chunks[0], self.chunks[-1]
        touches = hit.doc_id == self.doc_id and hit.number in (first.number - 1, last.number + 1)
        return touches and chunk.page == first.page and len(self.chunks) < MOST_JOINED

    def join(self, chunk: Chunk) -> None:
        """Take it in, at the end where it belongs."""
        self.chunks.insert(0 if chunk.number < self.chunks[0].number else len(self.chunks), chunk)


def stretches(found: Sequence[tuple[Ranked, Chunk]], top_k: int) -> list[Stretch]:
    """The first ``top_k`` stretches of what was found, which is in the order of its rank."""
    made: list[Stretch] = []
    for hit, chunk in found:
        near = next((stretch for stretch in made if stretch.takes(hit, chunk)), None)
        if near is not None:
            near.join(chunk)
        elif len(made) < top_k:
            made.append(Stretch(hit.doc_id, hit.score, [chunk]))
    return made


def passage(record: Record, stretch: Stretch) -> Passage:
    """A stretch of the document as a passage."""
    first = stretch.chunks[0]
    text, end = first.text, first.end
    for chunk in stretch.chunks[1:]:
        # Between chunks that do not overlap there was nothing but space.
        text += chunk.text[end - chunk.start :] if chunk.start < end else f"\n{chunk.text}"
        end = max(end, chunk.end)
    url = f"/api/files/documents/{record.id}/content"
    return Passage(
        document_id=record.id,
        text=text,
        score=stretch.score,
        page=first.page,
        heading=first.heading,
        start=first.start,
        end=end,
        citation=Citation(f"{url}#page={first.page}" if first.page else url, record.name),
    )
