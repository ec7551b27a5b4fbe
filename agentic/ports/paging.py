"""All that storage holds under a prefix or in a log, asked for a page at a time: nobody else has to think of pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, overload

from agentic.ports.blobs import Blob, BlobStore
from agentic.ports.storage import StorageBackend, Stored

PAGE = 1000


@overload
def every(medium: StorageBackend, prefix: str) -> AsyncIterator[Stored]: ...


@overload
def every(medium: BlobStore, prefix: str) -> AsyncIterator[Blob]: ...


async def every(medium: StorageBackend | BlobStore, prefix: str) -> AsyncIterator[Stored | Blob]:
    """All documents, or files, under ``prefix`` in key order. Raises StorageError."""
    after: str | None = None
    while True:
        page = await medium.list(prefix, after=after, limit=PAGE)
        for one in page:
            yield one
        if len(page) < PAGE:
            return
        after = page[-1].key


async def every_key(storage: StorageBackend, prefix: str) -> AsyncIterator[str]:
    """All keys under ``prefix`` that hold a document, a log or both, in their order. Raises StorageError."""
    after: str | None = None
    while page := await storage.keys(prefix, after=after, limit=PAGE):
        for key in page:
            yield key
        after = page[-1]


async def whole_log(storage: StorageBackend, key: str) -> list[Any]:
    """All items of a log, however many. Raises StorageError."""
    items: list[Any] = []
    while True:
        found = await storage.read(key, after=len(items), limit=PAGE)
        items += found
        if len(found) < PAGE:
            return items
