"""The storage backend: what the port promises, in JSON files that people can read."""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from agentic import StorageBackend, StorageError, Stored, encode_value
from agentic_storage_files.locks import BUSY_S, Locks
from agentic_storage_files.settings import NAME
from agentic_storage_files.tree import Tree
from agentic_storage_files.waiting import Waiting
from agentic_storage_files.work import Work

T = TypeVar("T")
logger = logging.getLogger(__name__)
THREADS = 16


class FileStorage(StorageBackend):
    """Documents and logs as files below ``data_dir``, which several processes on one machine may share.

    May be made outside any event loop and used from several; folders and threads come with the first use. Every method
    raises StorageError when the disk fails, and works again when the fault is gone. ``users``, ``sessions`` and
    ``conversations``: folders of these parts. ``busy_s``: seconds to wait for what another process has locked.
    """

    name = NAME
    rank = 0

    def __init__(
        self,
        data_dir: Path,
        *,
        users: Path | None = None,
        sessions: Path | None = None,
        conversations: Path | None = None,
        busy_s: float = BUSY_S,
    ) -> None:
        places = {
            "conversations": conversations or data_dir / "conversations",
            "sessions": sessions or data_dir / "sessions",
        }
        self.tree = Tree(data_dir / "storage", users or data_dir / "users", places)
        self._work = Work(self.tree, Locks(self.tree.root / ".locks", busy_s))
        self._waiting = Waiting()
        self._starting = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None
        self._closed = False

    async def load(self, key: str) -> Stored | None:
        """The document under ``key``, or None."""
        return await self._do(partial(self._work.load, key))

    async def save(self, key: str, value: Any, *, if_version: int | None = None) -> int:
        """Write the document; its new version. Raises Conflict, and TypeError or ValueError for what is not JSON."""
        return await self._do(partial(self._work.save, key, encode_value(value), if_version))

    async def delete(self, key: str) -> bool:
        """Remove the files of document and log."""
        return await self._do(partial(self._work.delete, key))

    async def delete_under(self, prefix: str) -> int:
        """Remove all documents and logs under ``prefix``; how many keys that were."""
        if not prefix.endswith("/"):
            raise ValueError(f"a prefix ends in '/': {prefix!r}")
        return await self._do(partial(self._work.delete_under, prefix))

    async def list(
        self, prefix: str, *, after: str | None = None, limit: int = 100, newest_first: bool = False
    ) -> Sequence[Stored]:
        """Documents under ``prefix``. Newest first, an ``after`` that was deleted meanwhile begins anew."""
        self.tree.folder(prefix)
        query = self._work.list_by_updated if newest_first else self._work.list_by_key
        return await self._do(partial(query, prefix, after, limit))

    async def append(self, key: str, items: Sequence[Any], *, if_length: int | None = None) -> int:
        """Append all items or none; the new length. Raises Conflict, TypeError and ValueError as ``save`` does."""
        encoded = [encode_value(item) for item in items]
        length = await self._do(partial(self._work.append, key, encoded, if_length))
        if encoded:
            self._waiting.wake(self.tree.place(key).log)
        return length

    async def read(self, key: str, *, after: int = 0, limit: int = 1000, wait_s: float = 0) -> Sequence[Any]:
        """Items from position ``after`` on; waits up to ``wait_s`` seconds for one where there are none."""
        query = partial(self._work.read, key, after, limit)
        items = await self._do(query)
        if items or wait_s <= 0 or limit <= 0:
            return items
        waiter = self._waiting.add(self.tree.place(key).log)
        try:
            async with asyncio.timeout(wait_s):
                # Before it first waits it looks again: an append may have slipped in.
                while not (items := await self._do(query)):
                    await waiter.grown.wait()
                    waiter.grown.clear()
                return items
        except TimeoutError:
            return []
        finally:
            self._waiting.remove(waiter)

    async def keys(self, prefix: str, *, after: str | None = None, limit: int = 1000) -> Sequence[str]:
        """Keys of documents and logs under ``prefix`` in key order."""
        self.tree.folder(prefix)
        return await self._do(partial(self._work.keys, prefix, after, limit))

    async def restore(self, stored: Stored) -> None:
        """Write the document with its version and time."""
        await self._do(partial(self._work.restore, stored, encode_value(stored.value)))

    async def health(self) -> str | None:
        """None if every folder takes a file, else what is wrong."""
        try:
            await self._do(self._work.check)
        except StorageError as error:
            return error.message
        return None

    async def aclose(self) -> None:
        """Wait for what is being done, and end the threads. Later calls raise StorageError."""
        with self._starting:
            self._closed = True
            threads = self._threads
        self._waiting.wake_all()
        if threads is not None:
            await asyncio.to_thread(threads.shutdown)

    async def _do(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._started(), work)
        except OSError as error:
            logger.error("[FileStorage] Failed: %s", error.strerror or type(error).__name__)
            raise StorageError(_told(error)) from error

    def _started(self) -> ThreadPoolExecutor:
        with self._starting:
            if self._closed:
                raise StorageError("Storage is closed: the server is shutting down.")
            if self._threads is None:
                self._threads = ThreadPoolExecutor(THREADS, "files-storage")
            return self._threads


def _told(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "Storage (files) failed: the disk is full. Free some room; storage then works again by itself."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "Storage (files) failed: a folder is not writable. Make DATA_DIR writable for the server's user."
    return f"Storage (files) failed: {error.strerror or type(error).__name__}. Check DATA_DIR and its disk."
