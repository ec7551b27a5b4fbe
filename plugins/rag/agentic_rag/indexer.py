"""The indexer: cuts a document into chunks, embeds them, and puts them where they are found."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from agentic import Document, Indexer, Page, Passage, Space, ToolError
from agentic_rag.batching import EmbeddingQueue
from agentic_rag.chunks import Chunk, Piece, pieces, split
from agentic_rag.records import Record, Records
from agentic_rag.search import indexed_text, search
from agentic_rag.settings import Settings

_READ = 0.02
"""Part of the work that is done when a text is cut; nearly all of the rest is embedding."""
_EMBEDDED = 0.97


class RagIndexer(Indexer):
    """Hybrid retrieval: vectors of small pieces and full text of chunks, under one record a document."""

    name = "rag"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._queue = EmbeddingQueue()

    async def index(
        self, document: Document, pages: Sequence[Page], space: Space, progress: Callable[[float], None]
    ) -> int:
        """Take in a document in place of what was indexed of it; in how many chunks.

        What there was stays as it is until all is embedded. Raises ToolError for a document without any text.
        """
        embedder = await space.embedder()
        chunks, parts = await asyncio.to_thread(self._cut, pages)
        if not chunks:
            raise ToolError("There is no text in it to be found.")
        progress(_READ)
        rows = await self._queue.embed(
            embedder,
            [part.text for part in parts],
            lambda done: progress(_READ + (_EMBEDDED - _READ) * done),
        )
        numbers, rows = await asyncio.to_thread(_repeated, parts, rows)
        vectors, records = await space.vectors(), Records(space.storage)
        await records.begin(document.id, chunks)
        await space.texts().add(document.id, [indexed_text(chunk) for chunk in chunks])
        await vectors.add(document.id, numbers, rows)
        await records.finish(Record(id=document.id, name=document.name, chunks=len(chunks), embedder=embedder.id))
        progress(1)
        return len(chunks)

    async def forget(self, document_id: str, space: Space) -> int:
        """Remove every trace of a document; how many chunks that were."""
        records = Records(space.storage)
        record = await records.get(document_id)
        known = 0 if record is None else record.chunks
        await records.forget(document_id)
        count = max(known, await space.texts().delete(document_id))
        # Last, for it needs the embedder, whose server may be away: then this raises, and is done when called again.
        await (await space.vectors()).delete(document_id)
        return count

    async def search(
        self, query: str, space: Space, *, top_k: int = 5, documents: Sequence[str] | None = None
    ) -> Sequence[Passage]:
        """See :class:`Indexer`. Raises ToolError too while documents are indexed with another embedder."""
        return (await search(query, space, top_k=top_k, documents=documents)).passages

    def _cut(self, pages: Sequence[Page]) -> tuple[list[Chunk], list[Piece]]:
        chunks = split(pages, self._settings.rag_chunk_size, self._settings.rag_chunk_overlap)
        return chunks, pieces(pages, chunks)


def _repeated(parts: Sequence[Piece], rows: object) -> tuple[list[int], object]:
    """Chunk numbers and rows, a row once for each chunk that its piece belongs to."""
    import numpy

    places = [place for place, part in enumerate(parts) for _ in part.numbers]
    numbers = [number for part in parts for number in part.numbers]
    return numbers, numpy.asarray(rows)[places]
