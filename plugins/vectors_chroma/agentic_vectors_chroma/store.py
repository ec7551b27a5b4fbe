"""The store: what the port promises, in threads, since Chroma's client blocks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from agentic import Hit, StorageError, Vectors, VectorStore
from agentic.workers import Threads
from agentic_vectors_chroma.connection import Connection
from agentic_vectors_chroma.scope import Scope, checked, scopes

T = TypeVar("T")
THREADS = 4


class ChromaStore(VectorStore):
    """Vectors in the Chroma that a connection leads to. May be made outside any event loop and used from several."""

    name = "chroma"
    leaves = "Chroma keeps the numbers of deleted vectors, which are no text, until all of the user's are removed."

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._threads = Threads(
            THREADS, "chroma", closed="The store of vectors is closed: the server is shutting down."
        )
        self._writing = threading.Lock()
        self._searched: set[tuple[str, str]] = set()

    def collection(self, scope: str, *, embedder: str, dimensions: int) -> Vectors:
        """The vectors of a scope, bound to one embedder. Raises ValueError for what is no scope."""
        return ChromaVectors(self, checked(scope), embedder, dimensions)

    @property
    def is_alone(self) -> bool:
        """Whether no other process writes: Chroma is within this one."""
        return self._connection.folder is not None

    async def scopes(self) -> Sequence[str]:
        """Every scope that holds a document."""
        return await self._threads.do(lambda: self._connection.use(scopes))

    async def drop(self, scope: str) -> int:
        """Remove the scope's collections and, within this process, their files."""
        return await self.write(checked(scope), Scope.drop)

    async def health(self) -> str | None:
        """None if Chroma answers, else what is wrong."""
        try:
            await self._threads.do(lambda: self._connection.use(lambda client: client.heartbeat()))
        except StorageError as error:
            return error.message
        return None

    async def aclose(self) -> None:
        """Wait for what is being done, end the threads, and let other processes at the folder."""
        await self._threads.aclose()
        await asyncio.to_thread(self._connection.close)

    async def read(self, scope: str, work: Callable[[Scope], T]) -> T:
        """Do something with a scope in a thread."""
        return await self._threads.do(lambda: self._connection.use(lambda client: work(Scope(client, scope))))

    async def search(self, scope: str, embedder: str, work: Callable[[Scope], T]) -> T:
        """Search in a thread. The first time Chroma may make the index anew, which is then a change like any other."""
        if not self.is_alone or (scope, embedder) in self._searched:
            return await self.read(scope, work)
        found = await self.write(scope, work)
        self._searched.add((scope, embedder))
        return found

    async def write(self, scope: str, work: Callable[[Scope], T]) -> T:
        """Change a scope in a thread, one change after another, and erase what it left in files if it was dropped."""

        def within(client: Any) -> tuple[T, bool]:
            here = Scope(client, scope)
            return work(here), here.is_dropped

        def change() -> T:
            with self._writing:
                try:
                    result, is_dropped = self._connection.use(within)
                finally:
                    self._connection.scrub()
                if is_dropped:
                    self._connection.erase()
                return result

        return await self._threads.do(change)


class ChromaVectors(Vectors):
    """The vectors of one scope, bound to one embedder."""

    def __init__(self, store: ChromaStore, scope: str, embedder: str, dimensions: int) -> None:
        self._store = store
        self._scope = scope
        self._embedder = embedder
        self._dimensions = dimensions

    async def add(self, doc_id: str, numbers: Sequence[int], vectors: Any) -> None:
        """Store the document's rows in place of those it had; without rows, remove it."""
        await self._store.write(self._scope, partial(self._add, doc_id, numbers, vectors))

    async def search(self, vector: Any, k: int, doc_ids: Sequence[str] | None = None) -> Sequence[Hit]:
        """The ``k`` nearest pieces. Raises ValueError for a vector of another length."""
        if tuple(vector.shape) != (self._dimensions,):
            raise ValueError(f"a vector of {self._dimensions} numbers, not of shape {vector.shape}")
        wanted = None if doc_ids is None else list(doc_ids)
        return await self._store.search(
            self._scope, self._embedder, lambda scope: scope.search(self._embedder, vector, k, wanted)
        )

    async def delete(self, doc_id: str) -> int:
        """Remove the document's rows."""
        return await self._store.write(self._scope, partial(self._delete, doc_id))

    async def documents(self) -> Mapping[str, str]:
        """The id of each document, with that of its embedder."""
        return await self._store.read(self._scope, Scope.documents)

    def _add(self, doc_id: str, numbers: Sequence[int], vectors: Any, scope: Scope) -> None:
        import numpy

        rows = numpy.array(vectors, dtype=numpy.float32)
        if rows.shape != (len(numbers), self._dimensions):
            raise ValueError(f"{len(numbers)} rows of {self._dimensions} numbers, not of shape {rows.shape}")
        if len(numbers):
            scope.add(doc_id, self._embedder, [int(number) for number in numbers], rows)
        else:
            self._delete(doc_id, scope)

    def _delete(self, doc_id: str, scope: Scope) -> int:
        # Writes within this process wait for one another; a server has others that write.
        return scope.delete(doc_id, alone=self._store.is_alone)
