"""What is kept of each indexed document in the user's storage: a record, and a log of its chunks under the same key.

The record is written last and removed first: a document without one is not found, whatever else is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from agentic import StorageBackend
from agentic_rag.chunks import Chunk

_PREFIX = "documents/"
_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An indexed document: its file's name, how many chunks it has, and the id of the embedder of its vectors."""

    id: str
    name: str
    chunks: int
    embedder: str


class Records:
    """The indexed documents of one user. Every method raises StorageError when storage fails."""

    def __init__(self, storage: StorageBackend) -> None:
        self._storage = storage

    async def all(self) -> list[Record]:
        """Every indexed document."""
        found: list[Record] = []
        after = None
        while True:
            page = await self._storage.list(_PREFIX, after=after, limit=_PAGE)
            found += [Record(**stored.value) for stored in page]
            if len(page) < _PAGE:
                return found
            after = page[-1].key

    async def get(self, document_id: str) -> Record | None:
        """One document, or None."""
        stored = await self._storage.load(_PREFIX + document_id)
        return None if stored is None else Record(**stored.value)

    async def begin(self, document_id: str, chunks: Sequence[Chunk]) -> None:
        """Put these chunks in place of those there were; the document is not found until ``finish``."""
        await self.forget(document_id)
        for start in range(0, len(chunks), _PAGE):
            rows = [chunk.as_json() for chunk in chunks[start : start + _PAGE]]
            await self._storage.append(_PREFIX + document_id, rows, if_length=start)

    async def finish(self, record: Record) -> None:
        """From now on the document is found."""
        await self._storage.save(_PREFIX + record.id, asdict(record))

    async def chunk(self, document_id: str, number: int) -> Chunk | None:
        """One chunk of a document; None if there is none of this number."""
        rows = await self._storage.read(_PREFIX + document_id, after=number, limit=1)
        return Chunk.from_json(number, rows[0]) if rows else None

    async def forget(self, document_id: str) -> bool:
        """Remove record and chunks; False if there were neither."""
        return await self._storage.delete(_PREFIX + document_id)
