"""Documents that are asked for again and again, read seldom, and never out of date once a change of them has returned.

As with the leases of Gray and Cheriton (SOSP 1989): who reads may go by what was read for LEASE_S, and who changes
waits that long before saying that it is done. So no process has to hear of another's changes.
"""

from __future__ import annotations

import asyncio
import time

from agentic.ports.storage import StorageBackend, Stored

LEASE_S = 0.25
_MOST = 4096


class Leases:
    """Reads of one storage."""

    def __init__(self, storage: StorageBackend) -> None:
        self._storage = storage
        self._kept: dict[str, tuple[float, Stored]] = {}

    async def load(self, key: str) -> Stored | None:
        """The document, as it was at most LEASE_S ago; one that was not there is looked for anew. Do not change it."""
        # Of the time before the read: a change may come between that and its answer.
        now = time.monotonic()
        until, stored = self._kept.get(key, (0.0, None))
        if now < until:
            return stored
        self._kept.pop(key, None)
        stored = await self._storage.load(key)
        if stored is not None:
            if len(self._kept) >= _MOST:
                self._kept.clear()
            self._kept[key] = now + LEASE_S, stored
        return stored

    async def end(self) -> None:
        """After a change: wait until nobody goes by what was there before."""
        self._kept.clear()
        await asyncio.sleep(LEASE_S)
