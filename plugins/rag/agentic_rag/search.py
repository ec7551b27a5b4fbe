"""Finding passages in one user's documents: both indexes are asked, their hits ranked together and made passages."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentic import Hit, Passage, Space, Texts, ToolError
from agentic_rag import identity, joining, ranking
from agentic_rag.chunks import Chunk
from agentic_rag.records import Record, Records

LONGEST_QUERY = 2000
"""Characters that are looked for; a longer text is no question, and its first words tell what it is about."""
_WORD = re.compile(r"\w{4,}")
_WORDS = 12
"""Words of the query that are looked up one by one, the longest: the shorter ones are of every text."""


@dataclass(frozen=True, slots=True)
class Found:
    """Passages, the best first, and the words of the query (of four letters or more) that no document holds."""

    passages: tuple[Passage, ...] = ()
    unknown: tuple[str, ...] = ()


def indexed_text(chunk: Chunk) -> str:
    """What the full-text index holds of a chunk: a word of a heading is often in no sentence under it."""
    return "\n".join([*chunk.heading, chunk.text])


async def search(query: str, space: Space, *, top_k: int, documents: Sequence[str] | None = None) -> Found:
    """At most ``top_k`` passages; none where nothing is near enough. ``documents``: ids, of these alone.

    Raises ToolError while anything is indexed with another embedder; StorageError, ModelError.
    """
    query = " ".join(query[:LONGEST_QUERY].split())
    records = await _searchable(space)
    wanted = list(records) if documents is None else [one for one in documents if one in records]
    if not wanted or not query or top_k < 1:
        return Found()
    embedder, vectors, texts = await space.embedder(), await space.vectors(), space.texts()
    only = None if len(wanted) == len(records) else wanted

    async def near() -> Sequence[Hit]:
        (vector,) = await embedder.embed([query], "query")
        return await vectors.search(vector, ranking.LOOKED_AT, only)

    by_vector, by_text, unknown = await asyncio.gather(
        near(), texts.search(query, ranking.LOOKED_AT, only), _unknown(query, texts, only)
    )
    if not ranking.is_near(embedder.id, by_vector, unknown):
        return Found(unknown=unknown)
    ranked = [hit for hit in ranking.blend(by_vector, by_text) if _is_there(hit, records)]
    stretches = joining.stretches(ranked, top_k)
    shown = await asyncio.gather(*(_passage(stretch, records, space) for stretch in stretches))
    return Found(tuple(passage for passage in shown if passage is not None), unknown)


async def _searchable(space: Space) -> dict[str, Record]:
    """The indexed documents by id. Raises ToolError unless all can be searched with the embedder in use."""
    records = await Records(space.storage).all()
    if not records:
        return {}
    embedder, vectors, texts = await space.embedder(), await space.vectors(), space.texts()
    try:
        identity.check(records, await vectors.documents(), await texts.documents(), embedder.id)
    except ToolError:
        # One may have been removed or taken in while these lists were read.
        records = await Records(space.storage).all()
        identity.check(records, await vectors.documents(), await texts.documents(), embedder.id)
    return {record.id: record for record in records}


async def _unknown(query: str, texts: Texts, only: Sequence[str] | None) -> tuple[str, ...]:
    """The query's words that are in none of the documents, in the query's order."""
    words = list(dict.fromkeys(word.lower() for word in _WORD.findall(query)))
    asked = sorted(words, key=len, reverse=True)[:_WORDS]
    hits = await asyncio.gather(*(texts.search(word, 1, only) for word in asked))
    missing = {word for word, found in zip(asked, hits, strict=True) if not found}
    return tuple(word for word in words if word in missing)


def _is_there(hit: ranking.Ranked, records: Mapping[str, Record]) -> bool:
    """Whether it is of a document that is indexed whole, and not one that is just being taken in or removed."""
    return hit.doc_id in records and hit.number < records[hit.doc_id].chunks


async def _passage(stretch: joining.Stretch, records: Mapping[str, Record], space: Space) -> Passage | None:
    """The stretch as a passage; None if its document was removed meanwhile."""
    count = stretch.last - stretch.first + 1
    chunks = await Records(space.storage).chunks(stretch.doc_id, stretch.first, count)
    return joining.passage(records[stretch.doc_id], chunks, stretch.score) if len(chunks) == count else None
