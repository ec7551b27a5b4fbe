"""The connections to the database: made at the first use, and anew after the server was away."""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from agentic import StorageError
from agentic_storage_postgres.statements import MIGRATIONS, Statements

logger = logging.getLogger(__name__)

CONNECT_S = 10.0
COMMAND_S = 60.0
CLOSE_S = 10.0
_MIGRATING = 0x6167656E74696300
"""The advisory lock of whoever changes the schema; the schema's own number is added to it."""

FAULTS = {
    "53100": "the disk of the database is full. Free some room; storage then works again by itself.",
    "53300": "the database takes no more connections. Raise its max_connections, or lower POSTGRES_CONNECTIONS.",
    "57P03": "the database is starting or stopping. Storage works again by itself once it is up.",
    "28P01": "the database refuses the password. Correct POSTGRES_URL.",
    "28000": "the database refuses the user. Correct POSTGRES_URL, or the server's pg_hba.conf.",
    "3D000": "there is no such database. Make it, or correct POSTGRES_URL.",
    "42501": "the database user may not do this. Grant CREATE on the database, or the rights on its schema.",
    "25006": "the database is read-only. Point POSTGRES_URL at the primary server.",
    "57014": "the database took too long. Look for locks and load on it.",
    "54000": "the value is too large for PostgreSQL (1 GB).",
}


class Database:
    """A pool of connections in the event loop of its first use, and the schema, made or migrated."""

    def __init__(self, url: str, statements: Statements, connections: int) -> None:
        self._url = url
        self._statements = statements
        self._connections = connections
        self._asyncpg: Any = None
        self._pool: Any = None
        self._opening = asyncio.Lock()
        self._closed = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """A connection for a short while. Raises StorageError for whatever goes wrong with it."""
        async with self.faults_told(), asyncio.timeout(CONNECT_S + COMMAND_S):
            pool = self._pool or await self._open()
            async with pool.acquire(timeout=CONNECT_S) as connection:
                yield connection

    @asynccontextmanager
    async def faults_told(self) -> AsyncIterator[Any]:
        """The library; whatever fails in it or on the way to the database is raised as StorageError."""
        asyncpg = await self._library()
        try:
            yield asyncpg
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
            # An internal error is what asyncpg makes of a connection that is cut at an odd moment.
            raise self._fault(error) from error

    async def again(self, work: Callable[[Any], Any]) -> Any:
        """What ``work`` returns for a connection; once more, where the connection was lost. For what only reads."""
        try:
            async with self.connection() as connection:
                return await work(connection)
        except StorageError as error:
            if not _is_lost(error.__cause__):
                raise
        async with self.connection() as connection:
            return await work(connection)

    async def apart(self) -> Any:
        """A connection of its own, for listening; the caller closes it. Raises StorageError."""
        async with self.faults_told() as asyncpg:
            await self._ready()
            return await asyncpg.connect(self._url, timeout=CONNECT_S, command_timeout=COMMAND_S)

    async def aclose(self) -> None:
        """Wait for what is being done, and close all connections."""
        async with self._opening:
            self._closed = True
            pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            await asyncio.wait_for(pool.close(), CLOSE_S)
        except (TimeoutError, OSError):
            pool.terminate()

    def _fault(self, error: Exception) -> StorageError:
        """The error that callers see, with what to do; the details, which hold no value, go to the log."""
        state = getattr(error, "sqlstate", None) or ""
        logger.error("[PostgresStorage] Failed: %s %s", type(error).__name__, state)
        if meaning := FAULTS.get(state):
            return StorageError(f"Storage (postgres) failed: {meaning}")
        if _is_lost(error):
            place = urlsplit(self._url)
            where = f"{place.hostname or 'localhost'}:{place.port or 5432}"
            return StorageError(
                f"Storage (postgres) failed: {where} does not answer. Start the database, or correct POSTGRES_URL."
            )
        return StorageError(f"Storage (postgres) failed: {type(error).__name__} ({state or 'no code'}).")

    async def _library(self) -> Any:
        """asyncpg, imported at the first use, and in a thread: that reads files."""
        if self._asyncpg is None:
            self._asyncpg = await asyncio.to_thread(importlib.import_module, "asyncpg")
        return self._asyncpg

    async def _ready(self) -> None:
        if self._pool is None:
            await self._open()

    async def _open(self) -> Any:
        asyncpg = await self._library()
        async with self._opening:
            if self._closed:
                raise StorageError("Storage is closed: the server is shutting down.")
            if self._pool is None:
                pool = asyncpg.create_pool(
                    self._url,
                    min_size=1,
                    max_size=self._connections,
                    timeout=CONNECT_S,
                    command_timeout=COMMAND_S,
                    server_settings={"application_name": "agentic"},
                )
                try:
                    await pool
                    async with pool.acquire() as connection:
                        await _migrate(connection, self._statements)
                except BaseException:
                    pool.terminate()
                    raise
                self._pool = pool
            return self._pool


def _is_lost(error: BaseException | None) -> bool:
    """Whether the connection broke, so that another one may do."""
    name = type(error).__name__
    state = getattr(error, "sqlstate", None) or ""
    lost = name in ("InterfaceError", "InternalClientError") or state.startswith(("08", "57P"))
    return lost or isinstance(error, OSError)


async def _migrate(connection: Any, statements: Statements) -> None:
    """Bring the schema up to date. Raises StorageError for one that a newer version has made."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1::bigint + hashtext($2))", _MIGRATING, statements.name)
        if await _version(connection, statements) == len(MIGRATIONS):
            return
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {statements.schema}")
        await connection.execute(f"CREATE TABLE IF NOT EXISTS {statements.schema}.versions (applied int NOT NULL)")
        for version in range(await _version(connection, statements), len(MIGRATIONS)):
            await connection.execute(MIGRATIONS[version].format(schema=statements.schema))
            await connection.execute(f"INSERT INTO {statements.schema}.versions VALUES ($1)", version + 1)


async def _version(connection: Any, statements: Statements) -> int:
    """How many migrations were applied."""
    found = await connection.fetchval("SELECT to_regclass($1)", f"{statements.schema}.versions")
    if found is None:
        return 0
    version = int(await connection.fetchval(f"SELECT coalesce(max(applied), 0) FROM {statements.schema}.versions"))
    if version > len(MIGRATIONS):
        raise StorageError(
            f"The schema {statements.name} was made by a newer agentic-plugin-storage-postgres (version {version}, "
            f"this one knows {len(MIGRATIONS)}). Run: pip install -U agentic-plugin-storage-postgres"
        )
    return version
