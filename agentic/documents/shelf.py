"""One user's documents, as tools and routes see them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from agentic.documents.pages import load_pages
from agentic.documents.record import PREFIX, Record, file_key, find, from_stored, pages_key, record_key
from agentic.errors import Conflict, NotFound
from agentic.ports.blobs import BlobStore
from agentic.ports.documents import Document, Documents, Page
from agentic.ports.paging import every
from agentic.ports.storage import StorageBackend


class Shelf(Documents):
    """The documents in a user's storage and store of files."""

    def __init__(self, storage: StorageBackend, blobs: BlobStore) -> None:
        self._storage = storage
        self._blobs = blobs

    async def list(self, *, after: str | None = None, limit: int = 100) -> Sequence[Document]:
        """See :class:`Documents`."""
        seen = None if after is None else record_key(after)
        found = await self._storage.list(PREFIX, after=seen, limit=limit)
        return [from_stored(stored).document for stored in found]

    async def get(self, document_id: str) -> Document:
        """See :class:`Documents`."""
        return (await self.record(document_id)).document

    async def open(self, document_id: str, start: int = 0) -> AsyncIterator[bytes]:
        """See :class:`Documents`."""
        document = await self.get(document_id)
        async for piece in self._blobs.open(file_key(document_id, document.name), start):
            yield piece

    async def pages(self, document_id: str) -> Sequence[Page]:
        """See :class:`Documents`."""
        document = await self.get(document_id)
        try:
            return await load_pages(self._blobs, pages_key(document_id))
        except NotFound:
            why = document.error or "It is being read; try again in a moment."
            raise Conflict(f"The text of '{document.name}' is not there. {why}") from None

    async def record(self, document_id: str) -> Record:
        """What is kept of a document. Raises NotFound."""
        return await find(self._storage, document_id)

    async def records(self) -> Sequence[Record]:
        """Of all documents, the newest first."""
        return [from_stored(stored) async for stored in every(self._storage, PREFIX)]
