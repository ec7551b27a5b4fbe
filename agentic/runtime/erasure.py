"""Removing everything that is kept for a user, wherever it lies."""

from __future__ import annotations

from agentic.identity.keys import ApiKeys
from agentic.identity.limits import USAGE
from agentic.identity.outsiders import Outsiders
from agentic.identity.users import Users
from agentic.ports.paging import every
from agentic.ports.texts import TextIndex
from agentic.ports.vectors import VectorStore
from agentic.runtime.journal import OPEN
from agentic.runtime.spaces import Scope


async def erase(everything: Scope, user_id: str) -> dict[str, int]:
    """Remove all that is a user's, but the record of the user; how much of each that was.

    Shut the user out and end their runs before. May be called again after a failure in its middle, and then removes
    what is left. Raises StorageError.
    """
    storage = everything.storage
    users = Users(storage)
    # What can be found and gone on with goes before what it leads to.
    open_runs = [one.key async for one in every(storage, OPEN) if one.value.get("user", {}).get("id") == user_id]
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


async def _drop(store: VectorStore | TextIndex | None, user_id: str) -> int:
    if store is None:
        return 0
    # A scope is named for the user and the plugin that filled it.
    scopes = [scope for scope in await store.scopes() if scope.partition(".")[0] == user_id]
    return sum([await store.drop(scope) for scope in scopes])
