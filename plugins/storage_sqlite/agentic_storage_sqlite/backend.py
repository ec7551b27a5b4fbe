"""The storage backend: what the port promises, on one SQLite file."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from agentic import AgenticError, StorageBackend, StorageError, Stored, encode_value
from agentic_storage_sqlite import statements
from agentic_storage_sqlite.database import BUSY_S
from agentic_storage_sqlite.readers import Readers
from agentic_storage_sqlite.settings import Flush
from agentic_storage_sqlite.waiting import Waiting
from agentic_storage_sqlite.work import Work
from agentic_storage_sqlite.writer import Writer

T = TypeVar("T")


class SqliteStorage(StorageBackend):
    """Documents and logs in the SQLite file at ``path``, which several processes on one machine may share.

    May be made outside any event loop and used from several; file and threads come with the first use. Every method
    raises StorageError when the file cannot be read or written, and works again when the fault is gone. ``flush``: what
    was written is on disk ``before`` a method returns, or at once ``after`` it. ``busy_s``: seconds to wait for a file
    that another process has locked.
    """

    name = "sqlite"
    rank = 10

    def __init__(self, path: Path, *, flush: Flush = "before", busy_s: float = BUSY_S) -> None:
        self.path = path
        self._flush = flush
        self._busy_s = busy_s
        self._starting = threading.Lock()
        self._waiting = Waiting()
        self._threads: tuple[Writer, Readers] | None = None
        self._closed = False

    async def load(self, key: str) -> Stored | None:
        """The document under ``key``, or None."""
        return await self._read(partial(statements.load, key=key))

    async def save(self, key: str, value: Any, *, if_version: int | None = None) -> int:
        """Write the document; its new version. Raises Conflict, and TypeError or ValueError for what is not JSON."""
        return await self._write(partial(statements.save, key=key, value=encode_value(value), if_version=if_version))

    async def delete(self, key: str) -> bool:
        """Remove document and log; within seconds nothing of them is left in the file either."""
        return await self._write(partial(statements.delete, key=key), erases=True)

    async def delete_under(self, prefix: str) -> int:
        """Remove all documents and logs under ``prefix``; how many keys that were."""
        if not prefix.endswith("/"):
            raise ValueError(f"a prefix ends in '/': {prefix!r}")
        return await self._write(partial(statements.delete_under, prefix=prefix), erases=True)

    async def list(
        self, prefix: str, *, after: str | None = None, limit: int = 100, newest_first: bool = False
    ) -> Sequence[Stored]:
        """Documents under ``prefix``. Newest first, an ``after`` that was deleted meanwhile begins anew."""
        if prefix and not prefix.endswith("/"):
            raise ValueError(f"a prefix ends in '/': {prefix!r}")
        query = statements.list_by_updated if newest_first else statements.list_by_key
        return await self._read(partial(query, prefix=prefix, after=after, limit=limit))

    async def append(self, key: str, items: Sequence[Any], *, if_length: int | None = None) -> int:
        """Append all items or none; the new length. Raises Conflict, TypeError and ValueError as ``save`` does."""
        encoded = [encode_value(item) for item in items]
        return await self._write(
            partial(statements.append, key=key, items=encoded, if_length=if_length), appends=key if encoded else None
        )

    async def read(self, key: str, *, after: int = 0, limit: int = 1000, wait_s: float = 0) -> Sequence[Any]:
        """Items from position ``after`` on; waits up to ``wait_s`` seconds for one where there are none."""
        query = partial(statements.read, key=key, after=after, limit=limit)
        items = await self._read(query)
        if items or wait_s <= 0 or limit <= 0:
            return items
        waiter = self._waiting.add(key, max(after, 0))
        try:
            async with asyncio.timeout(wait_s):
                self._start()[0].wake()
                # Before it first waits it looks again: an append may have slipped in.
                while not (items := await self._read(query)):
                    await waiter.grown.wait()
                    waiter.grown.clear()
                return items
        except TimeoutError:
            return []
        finally:
            self._waiting.remove(waiter)

    async def in_order(self, *writes: Coroutine[Any, Any, object]) -> None:
        """All are begun at once: what comes together is one transaction, and no transaction overtakes another."""
        for end in await asyncio.gather(*writes, return_exceptions=True):
            if isinstance(end, BaseException):
                raise end

    async def keys(self, prefix: str, *, after: str | None = None, limit: int = 1000) -> Sequence[str]:
        """Keys of documents and logs under ``prefix`` in key order."""
        if prefix and not prefix.endswith("/"):
            raise ValueError(f"a prefix ends in '/': {prefix!r}")
        return await self._read(partial(statements.keys, prefix=prefix, after=after, limit=limit))

    async def restore(self, stored: Stored) -> None:
        """Write the document with its version and time."""
        await self._write(partial(statements.restore, stored=stored, value=encode_value(stored.value)))

    async def health(self) -> str | None:
        """None if the file takes a write, else what is wrong with it."""
        try:
            await self._write(statements.touch)
        except AgenticError as error:
            return error.message
        return None

    async def aclose(self) -> None:
        """Finish what is pending, move it into the main file and let go of it. Later calls raise StorageError."""
        with self._starting:
            self._closed = True
            threads, self._threads = self._threads, None
        self._waiting.wake_all()
        if threads is not None:
            writer, readers = threads
            await asyncio.to_thread(readers.close)
            await asyncio.to_thread(writer.close)

    async def _write(
        self, run: Callable[[sqlite3.Connection], T], *, appends: str | None = None, erases: bool = False
    ) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._start()[0].intake.add(Work(run, future, loop, appends, erases))
        return await future

    async def _read(self, run: Callable[[sqlite3.Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._start()[1].intake.add(Work(run, future, loop))
        return await future

    def _start(self) -> tuple[Writer, Readers]:
        threads = self._threads
        if threads is not None:
            return threads
        with self._starting:
            if self._closed:
                raise StorageError("Storage is closed: the server is shutting down.")
            if self._threads is None:
                writer = Writer(self.path, self._waiting, self._busy_s, self._flush)
                self._threads = writer, Readers(self.path, self._busy_s)
            return self._threads
