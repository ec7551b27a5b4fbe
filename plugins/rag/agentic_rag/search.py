"""Finding passages in one user's documents: both indexes are asked, their hits ranked together and made passages."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass

from agentic import Hit, Passage, Space, Texts, ToolError
from agentic_rag import identity, joining, ranking
from agentic_rag.chunks import Chunk
from agentic_rag.records import Record, Records

LONGEST_QUERY = 2000
"""Characters that are looked for; a longer text is no question, and its first words tell what it is about."""
_WORD = re.compile(r"\w{4,}")
"""Shorter ones are of every text, or too short to tell."""
_WORDS = 12
"""Words of the query that are looked up one by one: the longest."""


@dataclass(frozen=True, slots=True)
class Found:
    """Passages, the best first, and words of the query that no document holds, where there are many documents."""

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

    by_vector, by_text = await asyncio.gather(near(), texts.search(query, ranking.LOOKED_AT, only))
    ranked = [hit for hit in ranking.blend(by_vector, by_text) if hit.doc_id in records]
    found = await _with_chunks(ranked[: joining.LOOKED_AT * top_k], space)
    unknown: tuple[str, ...] = ()
    among = sum(records[one].chunks for one in wanted)
    if among >= ranking.TELLING:
        unknown = await _unknown(query, [chunk for _, chunk in found], texts, only)
    if not ranking.is_near(embedder.id, by_vector, among, unknown):
        return Found(unknown=unknown)
    made = [joining.passage(records[one.doc_id], one) for one in joining.stretches(found, top_k)]
    return Found(tuple(made), unknown)


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


async def _unknown(query: str, found: Sequence[Chunk], texts: Texts, only: Sequence[str] | None) -> tuple[str, ...]:
    """The query's words that are in none of the documents, in the query's order.

    The index is asked for those alone that are not in what was found: they are rare, and a common word costs it most.
    """
    shown = "\n".join(indexed_text(chunk) for chunk in found).lower()
    words = [word for word in dict.fromkeys(_WORD.findall(query.lower())) if word not in shown]
    asked = sorted(words, key=len, reverse=True)[:_WORDS]
    hits = await asyncio.gather(*(texts.search(word, 1, only) for word in asked))
    missing = {word for word, found_of_it in zip(asked, hits, strict=True) if not found_of_it}
    return tuple(word for word in words if word in missing)


async def _with_chunks(ranked: Sequence[ranking.Ranked], space: Space) -> list[tuple[ranking.Ranked, Chunk]]:
    """The hits with their chunks, without those whose document was removed meanwhile."""
    records = Records(space.storage)
    chunks = await asyncio.gather(*(records.chunk(hit.doc_id, hit.number) for hit in ranked))
    return [(hit, chunk) for hit, chunk in zip(ranked, chunks, strict=True) if chunk is not None]
