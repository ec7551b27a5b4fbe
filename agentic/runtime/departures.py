"""Deleting users, with everything that is theirs, at all servers.

``departed/{user id}`` is written first and tells every server: each ends its runs of that user as soon as it sees it,
and removes what these have stored in their last moments. It stays for as long as a run may last, so that a deletion
which is cut off, or made by a command beside the servers, is brought to its end by whichever server comes to it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from agentic.errors import StorageError
from agentic.identity.identity import Identity
from agentic.identity.limits import USAGE
from agentic.identity.users import User
from agentic.messages import Json
from agentic.ports.paging import every
from agentic.ports.storage import Stored
from agentic.ports.texts import TextIndex
from agentic.ports.vectors import VectorStore
from agentic.runtime.engine import Engine
from agentic.runtime.journal import OPEN
from agentic.runtime.spaces import Scope

logger = logging.getLogger(__name__)

DEPARTED = "departed/"
LOOK_S = 5.0
_PASSES = 5


EraseDocuments = Callable[[str], Awaitable[Mapping[str, int]]]
"""Removes the documents of the user with this id; what was removed, counted."""


@dataclass(slots=True, eq=False)
class Departures:
    """Deletes users. ``linger_s``: how long after that another server may still store something of a user's."""

    engine: Engine
    everything: Scope
    identity: Identity
    linger_s: float
    erase_documents: EraseDocuments

    async def delete(self, name: str) -> Json:
        """Delete a user; what was removed, counted. Raises NotFound and StorageError; may be called again after that.

        The user is shut out first, then their runs at this server are ended, then everything is removed.
        """
        user = await self.identity.users.set_disabled(name, True)
        await self.everything.storage.save(f"{DEPARTED}{user.id}", {})
        removed = await self._erase(user.id)
        await self.identity.users.remove(user)
        return {"username": name, "deleted": True, **removed}

    async def shut_out(self, name: str) -> User:
        """Disable a user, and end their runs at this server. Raises NotFound and StorageError."""
        user = await self.identity.users.set_disabled(name, True)
        await self.engine.end_all(user.id)
        return user

    async def watch(self) -> None:
        """Look for users that were deleted or disabled elsewhere, again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """End the runs of users that are deleted or disabled, and remove what the deleted left. May fail till later."""
        try:
            for user_id in self.engine.owners():
                user = await self.identity.users.get(user_id)
                if user is not None and user.disabled:
                    await self.engine.end_all(user_id)
            async for stored in every(self.everything.storage, DEPARTED):
                await self._follow(stored)
        except StorageError as error:
            logger.warning("[Departures] Not looked through: %s", error.message)
        except Exception:
            # It must not end the watch: the next look may go well.
            logger.exception("[Departures] Not looked through")

    async def _follow(self, stored: Stored) -> None:
        user_id = stored.key.removeprefix(DEPARTED)
        # Asked before anything is removed: what comes later than that is found at the next look.
        is_over = time.time() - stored.updated > self.linger_s
        removed = await self._erase(user_id)
        if any(removed.values()):
            logger.info("[Departures] Removed more of a deleted user: id=%s things=%d", user_id, sum(removed.values()))
        user = await self.identity.users.get(user_id)
        if user is not None:
            await self.identity.users.remove(user)
        if is_over:
            await self.everything.storage.delete(stored.key)

    async def _erase(self, user_id: str) -> dict[str, int]:
        """Remove everything, and what was being stored meanwhile; what comes even later is left to the next look."""
        removed: Counter[str] = Counter()
        for _ in range(_PASSES):
            await self.engine.end_all(user_id)
            found = {**await self.erase_documents(user_id), **await erase(self.everything, self.identity, user_id)}
            removed.update(found)
            if not any(found.values()):
                break
        return dict(removed)


async def erase(everything: Scope, identity: Identity, user_id: str) -> dict[str, int]:
    """Remove all that is a user's, but the record of the user; how much of each that was.

    Shut the user out and end their runs before. May be called again after a failure in its middle, and then removes
    what is left. Raises StorageError.
    """
    storage = everything.storage
    # What can be found and gone on with goes before what it leads to.
    open_runs = [one.key async for one in every(storage, OPEN) if one.value.get("user", {}).get("id") == user_id]
    for key in open_runs:
        await storage.delete(key)
    removed = {
        "keys": await identity.keys.revoke_all(user_id),
        "links": await identity.outsiders.unlink_all(user_id),
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
