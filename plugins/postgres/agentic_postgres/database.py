"""The database as one of its uses has it, storage or full text: faults are told, and what was lost is asked again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from agentic import StorageError
from agentic_postgres.faults import Busy, is_lost, meaning, passes, sqlstate
from agentic_postgres.pool import CONNECT_S, Pool

logger = logging.getLogger(__name__)

TOO_LARGE = "54000"
AGAIN_S = 5
"""When to ask again where the fault passes by itself."""


class Database:
    """A pool as one of its uses has it, which may be closed while the others go on.

    ``modest``: it takes half of the connections at most while others use the pool, so that these have some left.
    ``too_large``: what it means where PostgreSQL says that something is too large. ``utf8``: whether it needs a
    database of this encoding.
    """

    def __init__(self, pool: Pool, title: str, *, too_large: str, modest: bool = False, utf8: bool = False) -> None:
        self.pool = pool
        self._title = f"{title} (postgres)"
        self._modest = modest
        self._most = pool.connections
        self._turns = asyncio.Semaphore(self._most)
        self._too_large = too_large
        self._utf8 = utf8
        self._closed = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """A connection for a short while. Raises StorageError for whatever goes wrong with it."""
        async with self.faults_told():
            pool = await self._join()
            async with self._turn(), self.pool.connection(pool) as connection:
                yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """A connection in a transaction, of which nothing stays if it raises. Raises StorageError."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def again(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        """What ``work`` returns for a connection; once more, where the connection was lost. For what only reads."""
        try:
            async with self.connection() as connection:
                return await work(connection)
        except StorageError as error:
            if not is_lost(error.__cause__):
                raise
        async with self.connection() as connection:
            return await work(connection)

    async def fetch(self, query: str, *arguments: Any) -> Sequence[Any]:
        """The rows of what only reads; asked once more where the connection was lost. Raises StorageError."""
        rows: Sequence[Any] = await self.again(lambda connection: connection.fetch(query, *arguments))
        return rows

    async def health(self) -> str | None:
        """None if the database takes writes, else what is wrong with it."""
        question = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool"
        try:
            if (await self.fetch(question))[0][0]:
                return "The database is read-only: point POSTGRES_URL at the primary server."
        except StorageError as error:
            return error.message
        return None

    async def apart(self) -> Any:
        """A connection of its own, for listening; the caller closes it. Raises StorageError."""
        async with self.faults_told():
            await self._join()
            return await self.pool.connect()

    async def aclose(self) -> None:
        """Refuse later calls, and let go of the pool; the last to do so waits for what is being done."""
        self._closed = True
        await self.pool.leave(self)

    @asynccontextmanager
    async def faults_told(self) -> AsyncIterator[None]:
        """Whatever fails in the library or on the way to the database is raised as StorageError."""
        asyncpg = await self.pool.library()
        try:
            yield
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
            # An internal error is what asyncpg makes of a connection that is cut at an odd moment.
            raise self._fault(error) from error

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        most = self.pool.connections // 2 if self._modest and self.pool.is_shared else self.pool.connections
        if most != self._most:
            # Those that have a turn give it back to where they got it, so for a moment there are more.
            self._most, self._turns = most, asyncio.Semaphore(most)
        turns = self._turns
        try:
            async with asyncio.timeout(CONNECT_S):
                await turns.acquire()
        except TimeoutError as error:
            raise Busy(most) from error
        try:
            yield
        finally:
            turns.release()

    async def _join(self) -> Any:
        pool = None if self._closed else await self.pool.join(self)
        if self._closed:
            raise self._closed_fault()
        if self._utf8 and self.pool.encoding != "UTF8":
            raise StorageError(
                f"{self._title} needs a database whose encoding is UTF8, and this one's is {self.pool.encoding}. Make "
                "another one (CREATE DATABASE agentic ENCODING 'UTF8' TEMPLATE template0), and correct POSTGRES_URL."
            )
        return pool

    def _fault(self, error: Exception) -> StorageError:
        """The error that callers see, with what to do; the details, which hold no value, go to the log."""
        if self._closed:
            return self._closed_fault()
        logger.error("[Postgres] %s failed: %s %s", self._title, type(error).__name__, sqlstate(error))
        told = self._too_large if sqlstate(error) == TOO_LARGE else meaning(error, self.pool.url)
        return StorageError(f"{self._title} failed: {told}", retry_after_s=AGAIN_S if passes(error) else None)

    def _closed_fault(self) -> StorageError:
        return StorageError(f"{self._title} is closed: the server is shutting down.")
