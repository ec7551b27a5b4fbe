"""Vectors know their embedder. What was indexed with another one is refused: never mixed, never silently left out."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from agentic import ToolError
from agentic_rag.records import Record

COMMAND = "agentic documents reindex"


def check(records: Collection[Record], vectors: Mapping[str, str], texts: Collection[str], embedder: str) -> None:
    """Raise ToolError unless every document is indexed with ``embedder``, in the stores that are now in use.

    ``vectors``: the embedder of each document in the store of vectors; ``texts``: the documents in the text index.
    """
    made_by = {record.id: {record.embedder, vectors.get(record.id, record.embedder)} for record in records}
    others = sorted({one for both in made_by.values() for one in both if one != embedder})
    if others:
        count = sum(both != {embedder} for both in made_by.values())
        raise ToolError(
            f"{count} of {len(records)} documents are indexed with the embedder {', '.join(others)}, but "
            f"EMBEDDING_MODEL now stands for {embedder}. Nothing is searched until all are indexed anew. "
            f"Run: {COMMAND}"
        )
    missing = sum(record.id not in vectors or record.id not in texts for record in records)
    if missing:
        raise ToolError(
            f"{missing} of {len(records)} documents are not in the indexes that are now in use: VECTOR_DB_TYPE or "
            f"TEXT_INDEX was changed, files are gone, or another server has indexed them in a folder of its own. "
            f"Nothing is searched until all are there. Run: {COMMAND}. Several servers need one folder for indexes "
            f"(DATA_DIR), or indexes on servers: VECTOR_DB_TYPE=chroma with CHROMA_HOST, and TEXT_INDEX=postgres."
        )
