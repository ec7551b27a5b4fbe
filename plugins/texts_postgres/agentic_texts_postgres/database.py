"""The connections to the database: made at the first use, and anew after the server was away."""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from agentic import StorageError
from agentic_texts_postgres.statements import MIGRATIONS, Statements

logger = logging.getLogger(__name__)

CONNECT_S = 10.0
COMMAND_S = 60.0
CLOSE_S = 10.0
_MIGRATING = 0x6167656E74747800
"""The advisory lock of whoever changes the schema; the schema's own number is added to it."""
_SCOPES = 0x616774787473
"""What the locks of scopes are told from others by."""

FAULTS = {
    "53100": "the disk of the database is full. Free some room; it then works again by itself.",
    "53300": "the database takes no more connections. Raise its max_connections, or lower TEXTS_POSTGRES_CONNECTIONS.",
    "57P03": "the database is starting or stopping. It works again by itself once the database is up.",
    "28P01": "the database refuses the password. Correct TEXTS_POSTGRES_URL.",
    "28000": "the database refuses the user. Correct TEXTS_POSTGRES_URL, or the server's pg_hba.conf.",
    "3D000": "there is no such database. Make it, or correct TEXTS_POSTGRES_URL.",
    "42501": "the database user may not do this. Grant CREATE on the database, or the rights on its schema.",
    "25006": "the database is read-only. Point TEXTS_POSTGRES_URL at the primary server.",
    "57014": "the database took too long. Look for locks and load on it.",
    "54000": "a piece of the document has more different words than PostgreSQL indexes (1 MB).",
}


class Database:
    """A pool of connections in the event loop of its first use, and the tables, made or migrated."""

    def __init__(self, url: str, statements: Statements, connections: int) -> None:
        self._url = url
        self._statements = statements
        self._connections = connections
        self._asyncpg: Any = None
        self._pool: Any = None
        self._opening = asyncio.Lock()
        self._closed = False

    async def fetch(self, query: str, *arguments: Any) -> Sequence[Any]:
        """The rows of what only reads; asked once more where the connection was lost. Raises StorageError."""
        try:
            async with self.connection() as connection:
                rows: Sequence[Any] = await connection.fetch(query, *arguments)
                return rows
        except StorageError as error:
            if not _is_lost(error.__cause__):
                raise
        async with self.connection() as connection:
            again: Sequence[Any] = await connection.fetch(query, *arguments)
            return again

    @asynccontextmanager
    async def writing(self, scope: str, *, alone: bool = False) -> AsyncIterator[Any]:
        """A connection in a transaction, of which nothing stays if it raises. Raises StorageError.

        ``alone``: while nobody else writes in the scope, which who locks many rows must be.
        """
        lock = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
        async with self.connection() as connection, connection.transaction():
            await connection.execute(f"SELECT {lock}(hashtextextended($1, $2))", scope, _SCOPES)
            yield connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """A connection for a short while. Raises StorageError for whatever goes wrong with it."""
        asyncpg = await self._library()
        try:
            pool = self._pool or await self._open()
            async with pool.acquire(timeout=CONNECT_S) as connection:
                yield connection
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
            # An internal error is what asyncpg makes of a connection that is cut at an odd moment.
            raise self._fault(error) from error

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
        logger.error("[PostgresTexts] Failed: %s %s", type(error).__name__, state)
        place = urlsplit(self._url)
        where = f"{place.hostname or 'localhost'}:{place.port or 5432}"
        meaning = FAULTS.get(state)
        if meaning is None and isinstance(error, TimeoutError):
            meaning = f"{where} does not answer in time. Look for locks and load on it, or correct TEXTS_POSTGRES_URL."
        if meaning is None and _is_lost(error):
            meaning = f"{where} does not answer. Start the database, or correct TEXTS_POSTGRES_URL."
        meaning = meaning or f"{type(error).__name__} ({state or 'no code'})."
        return StorageError(f"Full text (postgres) failed: {meaning}")

    async def _library(self) -> Any:
        if self._asyncpg is None:
            # Importing it takes long, and reads files.
            self._asyncpg = await asyncio.to_thread(importlib.import_module, "asyncpg")
        return self._asyncpg

    async def _open(self) -> Any:
        asyncpg = await self._library()
        async with self._opening:
            if self._closed:
                raise StorageError("The full-text index is closed: the server is shutting down.")
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
    return lost or (isinstance(error, OSError) and not isinstance(error, TimeoutError))


async def _migrate(connection: Any, statements: Statements) -> None:
    """Bring the tables up to date. Raises StorageError for those that a newer version has made."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1::bigint + hashtext($2))", _MIGRATING, statements.name)
        version = await _version(connection, statements)
        if version == len(MIGRATIONS):
            return
        if (encoding := await connection.fetchval("SHOW server_encoding")) != "UTF8":
            raise StorageError(
                f"Full text (postgres) needs a database whose encoding is UTF8, and this one's is {encoding}. "
                "Make another one (CREATE DATABASE agentic ENCODING 'UTF8' TEMPLATE template0), and correct "
                "TEXTS_POSTGRES_URL."
            )
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {statements.schema}")
        await connection.execute(f"CREATE TABLE IF NOT EXISTS {statements.schema}.text_versions (applied int NOT NULL)")
        for number in range(version, len(MIGRATIONS)):
            await connection.execute(MIGRATIONS[number].format(schema=statements.schema))
            await connection.execute(f"INSERT INTO {statements.schema}.text_versions VALUES ($1)", number + 1)


async def _version(connection: Any, statements: Statements) -> int:
    """How many migrations were applied."""
    table = f"{statements.schema}.text_versions"
    if await connection.fetchval("SELECT to_regclass($1)", table) is None:
        return 0
    version = int(await connection.fetchval(f"SELECT coalesce(max(applied), 0) FROM {table}"))
    if version > len(MIGRATIONS):
        raise StorageError(
            f"The index in the schema {statements.name} was made by a newer agentic-plugin-texts-postgres (version "
            f"{version}, this one knows {len(MIGRATIONS)}). Run: pip install -U agentic-plugin-texts-postgres"
        )
    return version
