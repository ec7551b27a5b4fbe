"""The storage backend: what the port promises, in a PostgreSQL database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from agentic import Conflict, StorageBackend, StorageError, Stored, decode_value, encode_value
from agentic_postgres.database import Database
from agentic_postgres.faults import sqlstate
from agentic_postgres.pool import LONG_S, Pool
from agentic_postgres.storage.statements import Statements, bounds, parent_of
from agentic_postgres.storage.waiting import Waiting, tag_of

TRIES = 5
DEADLOCK = "40P01"


class PostgresStorage(StorageBackend):
    """Documents and logs in one schema of a database, which any number of servers may share.

    Every method raises StorageError when the database is away, and works again once it is back.
    """

    name = "postgres"
    rank = 0
    leaves = (
        "PostgreSQL keeps bytes of deleted rows in its files until it uses their space again, or until VACUUM FULL."
    )

    def __init__(self, pool: Pool) -> None:
        too_large = "the value is too large for PostgreSQL (1 GB)."
        self.statements = Statements(pool.schema)
        self.database = Database(pool, "Storage", too_large=too_large)
        self._waiting = Waiting(self.database, self.statements.channel)
        self._closed = False

    async def load(self, key: str) -> Stored | None:
        """The document under ``key``, or None."""
        row = await self._fetchrow(self.statements.load, key.encode())
        return _stored(row) if row else None

    async def save(self, key: str, value: Any, *, if_version: int | None = None) -> int:
        """Write the document; its new version. Raises Conflict, and TypeError or ValueError for what is not JSON."""
        expected = [if_version] if if_version else []
        arguments = key.encode(), parent_of(key), time.time(), encode_value(value), *expected
        async with self.database.connection() as connection:
            version = await connection.fetchval(self.statements.save(if_version), *arguments)
        if version is None:
            raise Conflict("The document was changed in between." if if_version else "The document exists already.")
        return int(version)

    async def delete(self, key: str) -> bool:
        """Remove document and log."""
        return bool(await self._delete("key = $1", key.encode()))

    async def delete_under(self, prefix: str) -> int:
        """Remove all documents and logs under ``prefix``; how many keys that were."""
        if not prefix:
            raise ValueError("a prefix ends in '/'")
        start, end, _ = bounds(prefix, None)
        return await self._delete("key >= $1 AND key < $2", start, end)

    async def list(
        self, prefix: str, *, after: str | None = None, limit: int = 100, newest_first: bool = False
    ) -> Sequence[Stored]:
        """Documents under ``prefix``. Newest first, an ``after`` that was deleted meanwhile begins anew."""
        limits = bounds(prefix, after)
        if newest_first:
            return await self._newest(prefix, after, max(limit, 0))
        rows = await self.database.fetch(self.statements.list_by_key, *limits, max(limit, 0))
        return [_stored(row) for row in rows]

    async def append(self, key: str, items: Sequence[Any], *, if_length: int | None = None) -> int:
        """Append all items or none; the new length. Raises Conflict, TypeError and ValueError as ``save`` does."""
        values = [encode_value(item) for item in items]
        if not values:
            return await self._length(key, if_length)
        expected = [if_length] if if_length else []
        async with self.database.connection() as connection:
            row = await connection.fetchrow(
                self.statements.append(if_length), key.encode(), values, tag_of(key), *expected
            )
        if row is None:
            raise Conflict("The log was changed in between.")
        return int(row[0])

    async def read(self, key: str, *, after: int = 0, limit: int = 1000, wait_s: float = 0) -> Sequence[Any]:
        """Items from position ``after`` on; waits up to ``wait_s`` seconds for one where there are none."""
        items = await self._items(key, after, limit)
        if items or wait_s <= 0 or limit <= 0:
            return items
        try:
            async with asyncio.timeout(wait_s):
                return await self._awaited(key, after, limit)
        except TimeoutError:
            return []

    async def keys(self, prefix: str, *, after: str | None = None, limit: int = 1000) -> Sequence[str]:
        """Keys of documents and logs under ``prefix`` in key order."""
        rows = await self.database.fetch(self.statements.keys, *bounds(prefix, after), max(limit, 0))
        return [row[0].decode() for row in rows]

    async def restore(self, stored: Stored) -> None:
        """Write the document with its version and time."""
        arguments = stored.key.encode(), parent_of(stored.key), stored.updated, encode_value(stored.value)
        async with self.database.connection() as connection:
            await connection.execute(self.statements.restore, *arguments, stored.version)

    async def health(self) -> str | None:
        """None if the database takes writes, else what is wrong with it."""
        return await self.database.health()

    async def aclose(self) -> None:
        """Wait for what is being done, and let go of the database. Later calls raise StorageError."""
        self._closed = True
        await self._waiting.aclose()
        await self.database.aclose()

    async def _newest(self, prefix: str, after: str | None, limit: int) -> Sequence[Stored]:
        start, end, last = bounds(prefix, after)

        async def work(connection: Any) -> Any:
            deep = not prefix or await connection.fetchval(self.statements.deeper, start, end) is not None
            seen = None if last is None else await connection.fetchval(self.statements.updated, last)
            query = self.statements.list_by_updated(deep=deep)
            return await connection.fetch(query, start, end if deep else None, seen, last, limit)

        return [_stored(row) for row in await self.database.again(work)]

    async def _awaited(self, key: str, after: int, limit: int) -> Sequence[Any]:
        grown = await self._waiting.add(key)
        try:
            while not (items := await self._items(key, after, limit)):
                await grown.wait()
                grown.clear()
                if self._closed:
                    raise StorageError("Storage is closed: the server is shutting down.")
            return items
        finally:
            self._waiting.remove(key, grown)

    async def _items(self, key: str, after: int, limit: int) -> Sequence[Any]:
        rows = await self.database.fetch(self.statements.read, key.encode(), max(after, 0), max(limit, 0))
        return [decode_value(row[0]) for row in rows]

    async def _length(self, key: str, if_length: int | None) -> int:
        row = await self._fetchrow(self.statements.length, key.encode())
        length = int(row[0]) if row else 0
        if if_length not in (None, length):
            raise Conflict("The log was changed in between.")
        return length

    async def _delete(self, where: str, *arguments: bytes) -> int:
        for tries_left in reversed(range(TRIES)):
            try:
                return await self._delete_once(where, *arguments)
            except StorageError as error:
                # Two that delete the same have waited for each other: one was undone, and begins again.
                if sqlstate(error.__cause__) != DEADLOCK or not tries_left:
                    raise
        raise AssertionError("unreachable")

    async def _delete_once(self, where: str, *arguments: bytes) -> int:
        documents, logs, items = self.statements.deletes(where)
        async with self.database.transaction() as connection:
            removed = {row[0] for row in await connection.fetch(documents, *arguments, timeout=LONG_S)}
            rows = await connection.fetch(logs, *arguments, timeout=LONG_S)
            if rows:
                await connection.execute(items, [row[1] for row in rows], timeout=LONG_S)
        return len(removed | {row[0] for row in rows})

    async def _fetchrow(self, query: str, *arguments: Any) -> Any:
        rows = await self.database.fetch(query, *arguments)
        return rows[0] if rows else None


def _stored(row: Any) -> Stored:
    key, value, version, updated = row
    return Stored(key.decode(), decode_value(value), int(version), float(updated))
