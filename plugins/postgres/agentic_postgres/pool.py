"""The connections of one process: made at the first use, shared by all that use them, and closed with the last."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from agentic_postgres.faults import Busy
from agentic_postgres.migrations import migrate

CONNECT_S = 10.0
COMMAND_S = 10.0
"""Within which a statement is answered that waits for nobody and takes few rows; BEGIN is one."""
LONG_S = 60.0
"""Within which one is answered that waits for locks or takes many rows, in a transaction that has begun."""
CANCEL_S = 2.0
"""For calling off a statement that is late; then its connection is cut."""
CLOSE_S = 10.0


class Pool:
    """Connections to one schema, which is made or migrated before anybody gets one.

    Storage and full text join at their first use and leave when they are closed. From the first use on it belongs to
    that event loop, until all have left.
    """

    def __init__(self, url: str, *, schema: str = "agentic", connections: int = 10) -> None:
        self.url = url
        self.schema = schema
        self.connections = connections
        self.encoding = ""
        """That of the database, known once it is open."""
        self._asyncpg: Any = None
        self._users: set[object] = set()
        self._opening: asyncio.Task[Any] | None = None

    @property
    def is_shared(self) -> bool:
        """Whether there is more than one user."""
        return len(self._users) > 1

    async def library(self) -> Any:
        """asyncpg, imported at the first use, and in a thread: that reads files."""
        if self._asyncpg is None:
            self._asyncpg = await asyncio.to_thread(importlib.import_module, "asyncpg")
        return self._asyncpg

    async def join(self, user: object) -> Any:
        """The open pool of asyncpg, of which ``user`` is one from now on.

        Those who come while it is being opened wait for that, and are told the same if it fails.
        """
        self._users.add(user)
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
            self._opening.add_done_callback(self._forget_failed)
        return await asyncio.shield(self._opening)

    @asynccontextmanager
    async def connection(self, pool: Any) -> AsyncIterator[Any]:
        """One of what ``join`` gave, for a short while. Raises Busy, and what asyncpg and the network raise."""
        try:
            connection = await pool.acquire(timeout=CONNECT_S)
        except TimeoutError as error:
            if pool.get_size() < self.connections or pool.get_idle_size():
                raise
            raise Busy(self.connections) from error
        patience = CONNECT_S
        try:
            yield connection
        except TimeoutError:
            patience = CANCEL_S
            raise
        finally:
            await pool.release(connection, timeout=patience)

    async def leave(self, user: object) -> None:
        """Be a user no longer. The last one waits for what is being done, and closes all connections."""
        self._users.discard(user)
        if self._users or self._opening is None:
            return
        opening, self._opening = self._opening, None
        await asyncio.wait([opening])
        if opening.cancelled() or opening.exception() is not None:
            return
        pool = opening.result()
        try:
            await asyncio.wait_for(pool.close(), CLOSE_S)
        except (TimeoutError, OSError):
            pool.terminate()

    async def connect(self) -> Any:
        """A connection of its own, besides those that are shared."""
        asyncpg = await self.library()
        return await asyncpg.connect(self.url, timeout=CONNECT_S, command_timeout=COMMAND_S)

    async def _open(self) -> Any:
        asyncpg = await self.library()
        pool = asyncpg.create_pool(
            self.url,
            min_size=1,
            max_size=self.connections,
            timeout=CONNECT_S,
            command_timeout=COMMAND_S,
            server_settings={"application_name": "agentic"},
        )
        try:
            await pool
            async with pool.acquire() as connection:
                await migrate(connection, self.schema)
                self.encoding = connection.get_settings().server_encoding
        except BaseException:
            pool.terminate()
            raise
        return pool

    def _forget_failed(self, opening: asyncio.Task[Any]) -> None:
        """The next one tries again."""
        failed = opening.cancelled() or opening.exception() is not None
        if failed and self._opening is opening:
            self._opening = None
