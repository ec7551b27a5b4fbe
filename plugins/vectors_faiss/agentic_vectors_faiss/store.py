"""The store: what the port promises, in threads of its own."""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from agentic import Hit, StorageError, Vectors, VectorStore
from agentic.workers import Threads
from agentic_vectors_faiss.beside import Beside, one_core, other_cores
from agentic_vectors_faiss.disk import About, Disk
from agentic_vectors_faiss.names import folder_of_scope
from agentic_vectors_faiss.scope import Scope

T = TypeVar("T")
logger = logging.getLogger(__name__)
THREADS = 4
IDLE_S = 1800.0
"""Seconds without a search after which a user's index is let go, whatever room there is."""


class FaissStore(VectorStore):
    """Vectors in folders below ``root``, which several processes on one machine may share.

    May be made outside any event loop and used from several; folder and threads come with the first use. Indexes that
    take more than ``memory_mb`` together are let go, the one longest idle first, and read again when they are needed.
    """

    name = "faiss"
    rank = 10

    def __init__(
        self,
        root: Path,
        *,
        memory_mb: float = 1024,
        idle_s: float = IDLE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.root = root
        self._disk = Disk(root)
        self._room = memory_mb * 1e6
        self._idle_s = idle_s
        self._clock = clock
        self._held: OrderedDict[str, tuple[Scope, float]] = OrderedDict()
        self._guard = threading.Lock()
        self._beside = Beside(other_cores())
        self._threads = Threads(
            THREADS,
            "vectors",
            closed="The store of vectors is closed: the server is shutting down.",
            first=self._clear,
            initializer=one_core,
        )

    def collection(self, scope: str, *, embedder: str, dimensions: int) -> Vectors:
        """The vectors of a scope, bound to one embedder. Raises ValueError for what is no scope."""
        folder_of_scope(scope)
        return FaissVectors(self, scope, embedder, dimensions)

    async def scopes(self) -> Sequence[str]:
        """Every scope that holds a document."""
        return await self.work(self._disk.scopes)

    async def drop(self, scope: str) -> int:
        """Remove a scope's folder with all that is in it."""
        folder_of_scope(scope)
        count = await self.work(partial(self._disk.drop, scope))
        with self._guard:
            self._held.pop(scope, None)
        return count

    async def health(self) -> str | None:
        """None if a file can be written, else what is wrong and where."""
        try:
            await self.work(self._disk.check)
        except StorageError as error:
            return f"{self.root}: {error.message}"
        return None

    async def aclose(self) -> None:
        """Wait for what is being done, end the threads and let go of the indexes."""
        await self._threads.aclose()
        await asyncio.to_thread(self._beside.close)
        with self._guard:
            self._held.clear()

    def held(self, scope: str) -> Scope:
        """What is in memory of a scope; it has been used now."""
        with self._guard:
            found = self._held.pop(scope, None)
            held = found[0] if found else Scope(self._disk, scope, self._beside)
            self._held[scope] = (held, self._clock())
            return held

    def let_go(self) -> None:
        """Forget indexes that have been idle for long, or for which there is no room; the last used one stays."""
        with self._guard:
            now = self._clock()
            total = sum(scope.size for scope, _ in self._held.values())
            while len(self._held) > 1:
                name, (scope, used) = next(iter(self._held.items()))
                if total <= self._room and now - used <= self._idle_s:
                    return
                total -= scope.size
                del self._held[name]

    async def work(self, work: Callable[[], T]) -> T:
        """Do it in a thread. Raises StorageError for what the disk refuses."""
        try:
            return await self._threads.do(work)
        except OSError as error:
            raise StorageError(_told(error)) from error

    def _clear(self) -> None:
        try:
            cleared = self._disk.clear()
        except OSError as error:
            logger.warning("[Vectors] Not cleared: %s", error.strerror)
            return
        if cleared:
            logger.info("[Vectors] Cleared: %d left by a crash", cleared)


class FaissVectors(Vectors):
    """The vectors of one scope, bound to one embedder."""

    def __init__(self, store: FaissStore, scope: str, embedder: str, dimensions: int) -> None:
        self._store = store
        self._scope = scope
        self._embedder = embedder
        self._dimensions = dimensions

    async def add(self, doc_id: str, numbers: Sequence[int], vectors: Any) -> None:
        """Write the document's file anew; without rows, remove it."""
        await self._store.work(partial(self._add, doc_id, numbers, vectors))

    async def search(self, vector: Any, k: int, doc_ids: Sequence[str] | None = None) -> Sequence[Hit]:
        """The ``k`` nearest pieces. Raises ValueError for a vector of another length."""
        return await self._store.work(partial(self._search, vector, k, doc_ids))

    async def delete(self, doc_id: str) -> int:
        """Remove the document's folder."""
        return await self._store.work(partial(self._store._disk.remove, self._scope, doc_id))

    async def documents(self) -> Mapping[str, str]:
        """The id of each document, with that of its embedder."""
        return await self._store.work(lambda: self._store.held(self._scope).documents())

    def _add(self, doc_id: str, numbers: Sequence[int], vectors: Any) -> None:
        import numpy

        rows = numpy.ascontiguousarray(vectors, dtype=numpy.float32)
        told = numpy.array(list(numbers), dtype=numpy.int64)
        if rows.shape != (len(told), self._dimensions):
            raise ValueError(f"{len(told)} rows of {self._dimensions} numbers, not of shape {rows.shape}")
        if not numpy.isfinite(rows).all():
            raise ValueError("rows of finite numbers: the embedder made one that is none")
        if len(told):
            about = About(doc_id, self._embedder, self._dimensions, len(told))
            self._store._disk.save(self._scope, about, told, rows)
        else:
            self._store._disk.remove(self._scope, doc_id)

    def _search(self, vector: Any, k: int, doc_ids: Sequence[str] | None) -> Sequence[Hit]:
        import numpy

        one = numpy.ascontiguousarray(vector, dtype=numpy.float32)
        if one.shape != (self._dimensions,):
            raise ValueError(f"a vector of {self._dimensions} numbers, not of shape {one.shape}")
        held = self._store.held(self._scope)
        hits = held.search(one, k, doc_ids, embedder=self._embedder, dimensions=self._dimensions)
        self._store.let_go()
        return hits


def _told(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk for vectors is full. Make room on it, and try again."
    return f"The store of vectors failed: {error.strerror or type(error).__name__}."
