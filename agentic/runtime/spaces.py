"""Storage and files bound to one user, and within it to one plugin. Where these are handed out, no user is named."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agentic.errors import StorageError
from agentic.ports.blobs import Blob, BlobStore
from agentic.ports.documents import Documents
from agentic.ports.embedder import Embedder
from agentic.ports.http import HttpClient
from agentic.ports.space import Principal, Space
from agentic.ports.storage import StorageBackend, Stored
from agentic.ports.texts import Texts
from agentic.ports.vectors import Vectors
from agentic.runtime.indexes import Indexes


class ScopedStorage(StorageBackend):
    """The part of a storage that lies under one prefix, as if there were nothing else."""

    def __init__(self, storage: StorageBackend, prefix: str) -> None:
        self.name = storage.name
        self._storage = storage
        self._prefix = prefix

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

    async def delete_under(self, prefix: str) -> int:
        """See :class:`StorageBackend`."""
        if not prefix.endswith("/"):
            raise ValueError(f"a prefix ends in '/': {prefix!r}")
        return await self._storage.delete_under(self._prefix + prefix)

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

    async def in_order(self, *writes: Coroutine[Any, Any, object]) -> None:
        """See :meth:`StorageBackend.in_order`."""
        await self._storage.in_order(*writes)

    async def keys(self, prefix: str, *, after: str | None = None, limit: int = 1000) -> Sequence[str]:
        """See :class:`StorageBackend`."""
        after = None if after is None else self._prefix + after
        found = await self._storage.keys(self._prefix + prefix, after=after, limit=limit)
        return [key.removeprefix(self._prefix) for key in found]

    async def restore(self, stored: Stored) -> None:
        """See :class:`StorageBackend`."""
        await self._storage.restore(replace(stored, key=self._prefix + stored.key))

    async def health(self) -> str | None:
        """See :class:`StorageBackend`."""
        return await self._storage.health()

    def _seen(self, stored: Stored) -> Stored:
        return replace(stored, key=stored.key.removeprefix(self._prefix))


class ScopedBlobs(BlobStore):
    """The part of a store of files that lies under one prefix, as if there were nothing else.

    What could lead out of it is no key: every method raises ValueError for it, whatever the store would make of it.
    """

    def __init__(self, blobs: BlobStore, prefix: str) -> None:
        self.name = blobs.name
        self._blobs = blobs
        self._prefix = prefix

    async def put(self, key: str, stream: AsyncIterator[bytes]) -> int:
        """See :class:`BlobStore`."""
        return await self._blobs.put(self._within(key), stream)

    def open(self, key: str, start: int = 0) -> AsyncIterator[bytes]:
        """See :class:`BlobStore`."""
        return self._blobs.open(self._within(key), start)

    async def size(self, key: str) -> int | None:
        """See :class:`BlobStore`."""
        return await self._blobs.size(self._within(key))

    async def delete(self, key: str) -> bool:
        """See :class:`BlobStore`."""
        return await self._blobs.delete(self._within(key))

    async def delete_under(self, prefix: str) -> int:
        """See :class:`BlobStore`; an empty prefix is all of this part."""
        return await self._blobs.delete_under(self._under(prefix))

    async def list(self, prefix: str, *, after: str | None = None, limit: int = 100) -> Sequence[Blob]:
        """See :class:`BlobStore`."""
        after = None if after is None else self._prefix + after
        found = await self._blobs.list(self._under(prefix), after=after, limit=limit)
        return [replace(blob, key=blob.key.removeprefix(self._prefix)) for blob in found]

    def _within(self, key: str) -> str:
        if not {"", ".", ".."}.isdisjoint(key.split("/")):
            raise ValueError(f"no key of a file: {key!r}")
        return self._prefix + key

    def _under(self, prefix: str) -> str:
        if not prefix:
            return self._prefix
        if not prefix.endswith("/"):
            raise ValueError(f"a prefix ends in '/': {prefix!r}")
        return f"{self._within(prefix[:-1])}/"


class NoBlobs(BlobStore):
    """Stands where no store of files is installed: there are no files, and none can be stored."""

    name = "none"

    async def put(self, key: str, stream: AsyncIterator[bytes]) -> int:
        """Raises StorageError."""
        raise self._error()

    async def open(self, key: str, start: int = 0) -> AsyncIterator[bytes]:
        """Raises StorageError."""
        raise self._error()
        yield b""

    async def size(self, key: str) -> int | None:
        """None."""
        return None

    async def delete(self, key: str) -> bool:
        """False."""
        return False

    async def delete_under(self, prefix: str) -> int:
        """0."""
        return 0

    async def list(self, prefix: str, *, after: str | None = None, limit: int = 100) -> Sequence[Blob]:
        """Nothing."""
        return []

    def _error(self) -> StorageError:
        return StorageError("No store of files is installed. Install a plugin that brings one.")


@dataclass(frozen=True, slots=True)
class Scope(Space):
    """A part of storage and of files, the client for addresses that strangers name, and what finds things.

    ``name`` is what stores of vectors and texts know this part by; the whole, and parts that index nothing, have none.
    ``shelve`` makes a user's documents of what is kept for the user.
    """

    storage: StorageBackend
    blobs: BlobStore
    http: HttpClient
    documents: Documents
    indexes: Indexes
    shelve: Callable[[StorageBackend, BlobStore], Documents]
    name: str = ""

    async def embedder(self) -> Embedder:
        """See :class:`Space`."""
        return await self.indexes.embedders.chosen()

    async def vectors(self) -> Vectors:
        """See :class:`Space`."""
        return await self.indexes.vectors(self._named())

    def texts(self) -> Texts:
        """See :class:`Space`."""
        return self.indexes.texts(self._named())

    def under(self, path: str, name: str = "", *, documents: Documents | None = None) -> Scope:
        """The part of this one under a path of one or more names, from which these documents can be reached."""
        return type(self)(
            storage=ScopedStorage(self.storage, f"{path}/"),
            blobs=ScopedBlobs(self.blobs, f"{path}/"),
            http=self.http,
            documents=self.documents if documents is None else documents,
            indexes=self.indexes,
            shelve=self.shelve,
            name=name,
        )

    async def clear(self, path: str) -> int:
        """Remove everything under a path; how many keys that were."""
        return await self.storage.delete_under(f"{path}/") + await self.blobs.delete_under(f"{path}/")

    def _named(self) -> str:
        if not self.name:
            raise StorageError("Nothing is indexed here: what is to be found is kept in a user's space of a plugin.")
        return self.name


def of_user(everything: Scope, principal: Principal) -> Scope:
    """What is kept for a principal: their conversations, runs and documents, and what plugins keep for them."""
    return everything.under(f"spaces/{principal.id}", documents=_documents(everything, principal))


def of_plugin(everything: Scope, principal: Principal, plugin: str) -> Scope:
    """What a plugin keeps for a principal."""
    return _within(everything, principal, f"plugins/{plugin}", f"{principal.id}.{plugin}")


def of_conversation(everything: Scope, principal: Principal, session_id: str, plugin: str) -> Scope:
    """What a plugin keeps for one conversation of a principal."""
    return _within(everything, principal, f"sessions/{session_id}/{plugin}")


def _within(everything: Scope, principal: Principal, path: str, name: str = "") -> Scope:
    """A part of what is kept for a principal, from which their documents can be reached, and nothing else."""
    return everything.under(f"spaces/{principal.id}/{path}", name, documents=_documents(everything, principal))


def _documents(everything: Scope, principal: Principal) -> Documents:
    prefix = f"spaces/{principal.id}/"
    return everything.shelve(ScopedStorage(everything.storage, prefix), ScopedBlobs(everything.blobs, prefix))
