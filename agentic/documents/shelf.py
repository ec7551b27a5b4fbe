"""One user's documents, as tools and routes see them."""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator, Sequence

from agentic.documents.pages import load_pages
from agentic.documents.record import FILES, PREFIX, Record, file_key, find, from_stored, pages_key, record_key
from agentic.errors import Conflict, NotFound, StorageError
from agentic.ports.blobs import BlobStore
from agentic.ports.documents import Document, Documents, Page
from agentic.ports.paging import every
from agentic.ports.storage import StorageBackend

logger = logging.getLogger(__name__)


class Shelf(Documents):
    """The documents in a user's storage and store of files. One whose record is damaged is in no list."""

    def __init__(self, storage: StorageBackend, blobs: BlobStore) -> None:
        self._storage = storage
        self._blobs = blobs

    async def list(self, *, after: str | None = None, limit: int = 100) -> Sequence[Document]:
        """See :class:`Documents`."""
        seen = None if after is None else record_key(after)
        try:
            found = await self._storage.list(PREFIX, after=seen, limit=limit)
            return [from_stored(stored).document for stored in found]
        except StorageError:
            return [one.document for one in await self._sound(seen or "")][:limit]

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
        try:
            return [from_stored(stored) async for stored in every(self._storage, PREFIX)]
        except StorageError:
            return await self._sound()

    async def remains(self, document_id: str) -> Record:
        """What can be told, by its file, of a document whose record is damaged."""
        start = file_key(document_id, "")
        files = [(one.key, one.size) async for one in every(self._blobs, FILES) if one.key.startswith(start)]
        key, size = files[0] if files else (start, 0)
        name = key.removeprefix(start)
        return Record(
            document=Document(id=document_id, name=name, size=size, media_type="", status="failed", created_at=0)
        )

    async def _sound(self, after: str = "") -> Sequence[Record]:
        """The records with a later key that are not damaged: the newest first, storage passes over those that are.

        Raises StorageError where it is not a record that is damaged, but the storage that is away.
        """
        stored = await self._storage.list(PREFIX, limit=sys.maxsize, newest_first=True)
        records = []
        for one in sorted(stored, key=lambda one: one.key):
            try:
                records += [from_stored(one)] if one.key > after else []
            except StorageError as error:
                logger.error("[Documents] Passed over in a list: %s", error.message)
        return records
