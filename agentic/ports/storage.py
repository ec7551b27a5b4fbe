"""Port: storage of JSON documents and of append-only logs, both under one kind of key."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agentic.errors import StorageError


@dataclass(frozen=True, slots=True)
class Stored:
    """A document: ``version`` counts its saves from 1, ``updated`` is wall time in seconds of the last one."""

    key: str
    value: Any
    version: int
    updated: float


class StorageBackend(Protocol):
    """Documents and logs by key. A key holds a document, a log, or both; parts are joined by ``/``.

    Whatever ``save``, ``append`` or ``delete`` returned for survives a crash of the process. Values are JSON. Every
    method raises StorageError when the medium fails; nothing is half written then. ``leaves`` tells people what stays
    of what was deleted in its files, and until when; empty where nothing does.
    """

    name: str
    rank: int = 0
    leaves: str = ""

    async def load(self, key: str) -> Stored | None:
        """The document under ``key``, or None."""
        ...

    async def save(self, key: str, value: Any, *, if_version: int | None = None) -> int:
        """Write the document and return its new version.

        ``if_version``: only if the stored version is this one (0: must not exist), else raises Conflict.
        """
        ...

    async def delete(self, key: str) -> bool:
        """Remove the document and the log under ``key``; False if there was neither."""
        ...

    async def delete_under(self, prefix: str) -> int:
        """Remove everything whose key starts with ``prefix``, which ends in ``/``; how many keys that were."""
        ...

    async def list(
        self, prefix: str, *, after: str | None = None, limit: int = 100, newest_first: bool = False
    ) -> Sequence[Stored]:
        """Documents whose key starts with ``prefix`` (which ends in ``/``, or is empty for all).

        In key order, or by ``updated`` with the newest first. ``after`` is the key of the last one seen; newest first,
        one that was deleted meanwhile begins anew. A prefix that ends otherwise raises ValueError. Where people may
        damage documents, one that cannot be read raises StorageError in key order, in which is asked for all there
        are; newest first, which shows the healthy ones, it is passed over and named in the log.
        """
        ...

    async def append(self, key: str, items: Sequence[Any], *, if_length: int | None = None) -> int:
        """Append all items to the log, or none, and return the log's new length.

        ``if_length``: only if the log has this length, else raises Conflict.
        """
        ...

    async def read(self, key: str, *, after: int = 0, limit: int = 1000, wait_s: float = 0) -> Sequence[Any]:
        """Items of the log from position ``after`` on; none there: wait up to ``wait_s`` seconds for some."""
        ...

    async def in_order(self, *writes: Coroutine[Any, Any, object]) -> None:
        """Make these writes, calls of ``save`` and ``append``, so that a crash leaves none without those before it.

        Raises what the first of them raises that fails; whether those after it are made is open. One is made after the
        other here. A storage that writes in the order in which it is asked may begin them all at once.
        """
        try:
            for write in writes:
                await write
        finally:
            for write in writes:
                write.close()

    async def keys(self, prefix: str, *, after: str | None = None, limit: int = 1000) -> Sequence[str]:
        """Keys under ``prefix`` that hold a document, a log or both, in key order; arguments as in ``list``.

        This and ``restore`` are what a copy to another storage needs; a backend without them cannot be copied.
        """
        raise StorageError(f"The storage {self.name} cannot name all its keys: nothing can be copied from it.")

    async def restore(self, stored: Stored) -> None:
        """Write the document as it is, its version and its time too, whatever was there before."""
        raise StorageError(f"The storage {self.name} cannot keep versions as they were: nothing can be copied to it.")

    async def health(self) -> str | None:
        """None if storage works, else what is wrong with it."""
        return None

    async def aclose(self) -> None:
        """Write what is pending and let go of the medium."""
        return None
