"""Which processes run requests over one storage: each gives signs of life, by which the others know that it is there.

A process is taken for gone when its last sign is older than the lease. The clocks of servers that share a storage must
agree to within a fraction of the lease; a server that was taken for gone by mistake loses the runs that went on
elsewhere, and says so to their clients. A sign that lies further ahead than the lease was given before the clock was
set back: its process is gone when it gives no other within a lease.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time

from agentic.errors import StorageError
from agentic.ports.storage import StorageBackend, Stored

logger = logging.getLogger(__name__)

SERVERS = "servers/"
LEASE_S = 15.0
MOST = 1000


class Presence:
    """This process among those over one storage. It is seen from its first run on, and no more once it is closed."""

    def __init__(self, storage: StorageBackend, *, lease_s: float = LEASE_S) -> None:
        self.id = secrets.token_hex(4)
        self.lease_s = lease_s
        self._storage = storage
        self._beating: asyncio.Task[None] | None = None
        self._is_seen = False
        self._ahead: dict[str, tuple[float, float]] = {}

    def new_run_id(self) -> str:
        """An id that no run has, and that tells in which process the run began."""
        return f"run_{self.id}{secrets.token_hex(6)}"

    def begin(self) -> None:
        """Give signs of life from now on."""
        if self._beating is None:
            self._beating = asyncio.create_task(self._beat())

    async def show(self) -> None:
        """Be seen by the others when this returns. Raises StorageError."""
        self.begin()
        if not self._is_seen:
            await self._sign()

    async def is_alive(self, server: str) -> bool:
        """Whether a process other than this one has given a sign of life within the lease."""
        stored = await self._storage.load(SERVERS + server) if server else None
        return stored is not None and not self._is_over(stored)

    async def gone(self) -> dict[str, float]:
        """The processes that ended without closing: id to wall time of the last sign. Raises StorageError."""
        found = await self._storage.list(SERVERS, limit=MOST)
        return {one.key.removeprefix(SERVERS): one.updated for one in found if self._is_over(one)}

    async def present(self) -> list[str]:
        """The processes other than this one that are at work, and those that were killed within the lease."""
        found = await self._storage.list(SERVERS, limit=MOST)
        others = [one for one in found if one.key != SERVERS + self.id]
        return [one.key.removeprefix(SERVERS) for one in others if not self._is_over(one)]

    async def forget(self, server: str) -> None:
        """Remove what a process that is gone has left here."""
        self._ahead.pop(SERVERS + server, None)
        await self._storage.delete(SERVERS + server)

    async def aclose(self) -> None:
        """Be seen no more."""
        if self._beating is None:
            return
        self._beating.cancel()
        await asyncio.wait([self._beating])
        self._beating = None
        try:
            await self._storage.delete(SERVERS + self.id)
        except StorageError as error:
            logger.warning("[Presence] Not signed off: %s", error.message)

    def _is_over(self, stored: Stored) -> bool:
        if stored.key == SERVERS + self.id:
            return False
        age_s = time.time() - stored.updated
        if age_s >= -self.lease_s:
            return age_s > self.lease_s
        # The clock was set back since: this sign has no age, but a process that lives soon gives another.
        updated, since = self._ahead.get(stored.key, (None, 0.0))
        if updated != stored.updated:
            self._ahead[stored.key] = (stored.updated, time.monotonic())
            return False
        return time.monotonic() - since > self.lease_s

    async def _beat(self) -> None:
        while True:
            try:
                await self._sign()
            except StorageError as error:
                logger.warning("[Presence] No sign of life given: %s", error.message)
            await asyncio.sleep(self.lease_s / 3)

    async def _sign(self) -> None:
        await self._storage.save(SERVERS + self.id, {})
        self._is_seen = True
