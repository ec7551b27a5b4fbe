"""Damaged records of documents and conversations, as in a storage that people may edit: lists pass them over."""

from __future__ import annotations

from collections.abc import AsyncIterator

from agentic.documents.record import PREFIX, from_stored
from agentic.errors import StorageError
from agentic.ports.paging import every, every_key
from agentic.ports.storage import StorageBackend
from agentic.runtime.conversations import CONVERSATIONS


async def damaged(storage: StorageBackend) -> AsyncIterator[tuple[str, str]]:
    """The keys of one user's damaged records, each with its fault. Raises StorageError where storage is away."""
    for prefix in (PREFIX, CONVERSATIONS):
        try:
            async for stored in every(storage, prefix):
                if prefix == PREFIX:
                    from_stored(stored)
        except StorageError:
            async for key in every_key(storage, prefix):
                if fault := await _fault(storage, key):
                    yield key, fault


async def _fault(storage: StorageBackend, key: str) -> str:
    try:
        stored = await storage.load(key)
        if stored is not None and key.startswith(PREFIX):
            from_stored(stored)
    except StorageError as error:
        return error.message
    return ""
