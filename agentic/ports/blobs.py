"""Port: storage of files, by key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Blob:
    """A stored file: its size in bytes, and wall time in seconds of the last ``put``."""

    key: str
    size: int
    updated: float


class BlobStore(Protocol):
    """Files by key; parts of a key are joined by ``/``, a part may be any text but empty, ``.`` and ``..``.

    A key of up to 1024 bytes in UTF-8 is taken; for what is no key a method raises ValueError, or takes it as any
    other text. Whatever ``put`` or ``delete`` returned for survives a crash of the process. A ``put`` that fails, or is
    cancelled before its last step, leaves what was there before; who reads meanwhile gets the old file or the new one,
    whole. Every method raises StorageError when the medium fails.
    """

    name: str
    rank: int = 0

    async def put(self, key: str, stream: AsyncIterator[bytes]) -> int:
        """Write the file, replacing one that is there; its size in bytes."""
        ...

    def open(self, key: str, start: int = 0) -> AsyncIterator[bytes]:
        """The file's bytes from ``start`` on, in pieces. Raises NotFound at the first step if there is none."""
        ...

    async def size(self, key: str) -> int | None:
        """The file's size in bytes, or None if there is none."""
        ...

    async def delete(self, key: str) -> bool:
        """Remove the file; False if there was none."""
        ...

    async def delete_under(self, prefix: str) -> int:
        """Remove everything whose key starts with ``prefix``, which ends in ``/``; how many keys that were.

        A prefix that ends otherwise raises ValueError, as it does in ``list``.
        """
        ...

    async def list(self, prefix: str, *, after: str | None = None, limit: int = 100) -> Sequence[Blob]:
        """Files whose key starts with ``prefix`` (which ends in ``/``, or is empty for all), in key order.

        ``after`` is the key of the last one seen, which need not be there any more.
        """
        ...

    async def health(self) -> str | None:
        """None if files can be stored, else what is wrong."""
        return None

    async def aclose(self) -> None:
        """Let go of the medium."""
        return None
