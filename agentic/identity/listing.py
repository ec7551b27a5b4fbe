"""Everything under a storage prefix, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator

from agentic.ports.storage import StorageBackend, Stored

PAGE = 500


async def every(storage: StorageBackend, prefix: str) -> AsyncIterator[Stored]:
    """All documents under ``prefix`` in key order. Raises StorageError."""
    after: str | None = None
    while True:
        page = await storage.list(prefix, after=after, limit=PAGE)
        for stored in page:
            yield stored
        if len(page) < PAGE:
            return
        after = page[-1].key
