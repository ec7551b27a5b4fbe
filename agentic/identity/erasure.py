"""Removing everything that is kept for a user, wherever it lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from agentic.identity.keys import ApiKeys
from agentic.identity.limits import USAGE
from agentic.identity.listing import every
from agentic.identity.outsiders import Outsiders
from agentic.identity.users import Users
from agentic.ports.blobs import BlobStore
from agentic.ports.storage import StorageBackend


class Scoped(Protocol):
    """What a store of vectors and a full-text index have in common."""

    async def scopes(self) -> Sequence[str]:
        """Every scope that holds anything."""
        ...

    async def drop(self, scope: str) -> int:
        """Remove all of a scope."""
        ...


class Stores(Protocol):
    """What finds things in documents, as far as it is installed."""

    @property
    def vector_store(self) -> Scoped | None:
        """The store of vectors."""

    @property
    def text_index(self) -> Scoped | None:
        """The full-text index."""


class Everything(Protocol):
    """All that is kept by the server."""

    @property
    def storage(self) -> StorageBackend:
        """Documents and logs."""

    @property
    def blobs(self) -> BlobStore:
        """Files."""

    @property
    def indexes(self) -> Stores:
        """What finds things."""


async def erase(everything: Everything, user_id: str) -> dict[str, int]:
    """Remove all that is a user's, but the record of the user; how much of each that was.

    Shut the user out and end their runs before. May be called again after a failure in its middle, and then removes
    what is left. Raises StorageError.
    """
    storage = everything.storage
    users = Users(storage)
    # What can be found and gone on with goes before what it leads to.
    open_runs = [
        one.key async for one in every(storage, "open_runs/") if one.value.get("user", {}).get("id") == user_id
    ]
    for key in open_runs:
        await storage.delete(key)
    removed = {
        "keys": await ApiKeys(storage).revoke_all(user_id),
        "links": await Outsiders(storage, users).unlink_all(user_id),
        "vectors": await _drop(everything.indexes.vector_store, user_id),
        "texts": await _drop(everything.indexes.text_index, user_id),
        "files": await everything.blobs.delete_under(f"spaces/{user_id}/"),
        "records": await storage.delete_under(f"spaces/{user_id}/"),
    }
    await storage.delete(USAGE + user_id)
    return removed


async def _drop(store: Scoped | None, user_id: str) -> int:
    if store is None:
        return 0
    # A scope is named for the user and the plugin that filled it.
    scopes = [scope for scope in await store.scopes() if scope.partition(".")[0] == user_id]
    return sum([await store.drop(scope) for scope in scopes])
