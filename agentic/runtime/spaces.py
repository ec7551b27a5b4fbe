"""Storage bound to one user, and within it to one plugin. Where these are handed out, no user is named any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from agentic.ports.space import Principal, Space
from agentic.ports.storage import StorageBackend, Stored


class ScopedStorage(StorageBackend):
    """The part of a storage that lies under one prefix, as if there were nothing else."""

    def __init__(self, storage: StorageBackend, prefix: str) -> None:
        self.name = storage.name
        self._storage = storage
        self._prefix = f"{prefix.rstrip('/')}/"

    async def load(self, key: str) -> Stored | None:
        """See :class:`StorageBackend`."""
        stored = await self._storage.load(self._prefix + key)
        return self._seen(stored) if stored else None

    async def save(self, key: str, value: Any, *, if_version: int | None = None) -> int:
        """See :class:`StorageBackend`."""
        return await self._storage.save(self._prefix + key, value, if_version=if_version)

    async def delete(self, key: str) -> bool:
        """See :class:`StorageBackend`."""
        return await self._storage.delete(self._prefix + key)

    async def list(
        self, prefix: str, *, after: str | None = None, limit: int = 100, newest_first: bool = False
    ) -> Sequence[Stored]:
        """See :class:`StorageBackend`."""
        after = None if after is None else self._prefix + after
        found = await self._storage.list(self._prefix + prefix, after=after, limit=limit, newest_first=newest_first)
        return [self._seen(stored) for stored in found]

    async def append(self, key: str, items: Sequence[Any], *, if_length: int | None = None) -> int:
        """See :class:`StorageBackend`."""
        return await self._storage.append(self._prefix + key, items, if_length=if_length)

    async def read(self, key: str, *, after: int = 0, limit: int = 1000, wait_s: float = 0) -> Sequence[Any]:
        """See :class:`StorageBackend`."""
        return await self._storage.read(self._prefix + key, after=after, limit=limit, wait_s=wait_s)

    async def health(self) -> str | None:
        """See :class:`StorageBackend`."""
        return await self._storage.health()

    def _seen(self, stored: Stored) -> Stored:
        return replace(stored, key=stored.key.removeprefix(self._prefix))


class PluginSpace(Space):
    """One principal's belongings under one plugin."""

    def __init__(self, storage: StorageBackend) -> None:
        self.storage = storage


def of_user(storage: StorageBackend, principal: Principal) -> StorageBackend:
    """What the kernel keeps for a principal: conversations and runs."""
    return ScopedStorage(storage, f"spaces/{principal.id}")


def of_plugin(storage: StorageBackend, principal: Principal, plugin: str) -> Space:
    """What a plugin keeps for a principal."""
    return PluginSpace(ScopedStorage(storage, f"spaces/{principal.id}/plugins/{plugin}"))
