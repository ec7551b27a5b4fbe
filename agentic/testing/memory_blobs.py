"""Files in memory, for tests; it passes the kit for stores of files itself."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence

from agentic.errors import NotFound
from agentic.ports.blobs import Blob, BlobStore


class MemoryBlobs(BlobStore):
    """A store of files that lasts as long as the object."""

    name = "memory"

    def __init__(self) -> None:
        self._files: dict[str, tuple[bytes, float]] = {}

    async def put(self, key: str, stream: AsyncIterator[bytes]) -> int:
        """Write the file when all of it has come; its size in bytes."""
        data = b"".join([piece async for piece in stream])
        self._files[key] = (data, time.time())
        return len(data)

    async def open(self, key: str, start: int = 0) -> AsyncIterator[bytes]:
        """The file's bytes from ``start`` on."""
        if start < 0:
            raise ValueError("start is at least 0")
        if key not in self._files:
            raise NotFound("There is no such file.")
        yield self._files[key][0][start:]

    async def size(self, key: str) -> int | None:
        """The file's size in bytes, or None."""
        return len(self._files[key][0]) if key in self._files else None

    async def delete(self, key: str) -> bool:
        """Remove the file."""
        return self._files.pop(key, None) is not None

    async def delete_under(self, prefix: str) -> int:
        """Remove all files under ``prefix``."""
        if not prefix.endswith("/"):
            raise ValueError(f"a prefix ends in '/': {prefix!r}")
        keys = [key for key in self._files if key.startswith(prefix)]
        for key in keys:
            del self._files[key]
        return len(keys)

    async def list(self, prefix: str, *, after: str | None = None, limit: int = 100) -> Sequence[Blob]:
        """Files under ``prefix`` in key order."""
        if prefix and not prefix.endswith("/"):
            raise ValueError(f"a prefix ends in '/': {prefix!r}")
        keys = sorted(key for key in self._files if key.startswith(prefix) and (after is None or key > after))
        return [Blob(key, len(self._files[key][0]), self._files[key][1]) for key in keys[: max(limit, 0)]]


async def pieces_of(*pieces: bytes) -> AsyncIterator[bytes]:
    """The pieces as a stream, for ``put``."""
    for piece in pieces:
        yield piece


async def whole(store: BlobStore, key: str, start: int = 0) -> bytes:
    """All of a file's bytes from ``start`` on. Raises NotFound."""
    return b"".join([piece async for piece in store.open(key, start)])
