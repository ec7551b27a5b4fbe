"""The full-text index: what the port promises, in threads of its own."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from agentic import AgenticError, Hit, StorageError, TextIndex, Texts
from agentic.workers import to_the_end
from agentic_texts_sqlite.database import BUSY_S, storage_error
from agentic_texts_sqlite.folder import Folder
from agentic_texts_sqlite.names import file_of_scope, scope_of_file
from agentic_texts_sqlite.scope import Scope

T = TypeVar("T")
logger = logging.getLogger(__name__)
WRITERS = 2
READERS = 4
OPEN = 128
"""Files that are held open; beyond, the one longest unused is closed."""
PROBE = ".health.db"
"""A file that health writes; no scope's has such a name."""


class SqliteTextIndex(TextIndex):
    """A file for each scope below ``root``, which several processes on one machine may share.

    May be made outside any event loop and used from several; folder and threads come with the first use. ``busy_s``:
    seconds to wait for a file that another process has locked.
    """

    name = "sqlite"
    rank = 10

    def __init__(self, root: Path, *, busy_s: float = BUSY_S, open_files: int = OPEN) -> None:
        self.root = root
        self._folder = Folder(root)
        self._busy_s = busy_s
        self._most = open_files
        self._scopes: OrderedDict[str, Scope] = OrderedDict()
        self._guard = threading.Lock()
        self._threads: tuple[ThreadPoolExecutor, ThreadPoolExecutor] | None = None
        self._closed = False

    def collection(self, scope: str) -> Texts:
        """The index of a scope. Raises ValueError for what is no scope."""
        file_of_scope(scope)
        return SqliteTexts(self, scope)

    async def scopes(self) -> Sequence[str]:
        """Every scope that has a file; one whose last document was deleted has none."""
        return await self._work(self._started()[1], self._folder.scopes)

    async def drop(self, scope: str) -> int:
        """Remove the scope's file."""
        file_of_scope(scope)
        return await self.write(scope, Scope.drop)

    async def health(self) -> str | None:
        """None if a text can be written and removed, else what is wrong."""
        try:
            await self._work(self._started()[0], self._probe)
        except AgenticError as error:
            return error.message
        return None

    async def aclose(self) -> None:
        """Finish what is being done, let go of all files and end the threads."""
        with self._guard:
            self._closed = True
            threads = self._threads
        if threads is not None:
            await asyncio.to_thread(self._close, threads)

    @contextmanager
    def scope(self, scope: str) -> Iterator[Scope]:
        """The scope's file, to be used in one of the threads; another that was not used for long is closed."""
        with self._guard:
            found = self._scopes.pop(scope, None) or Scope(self._folder, file_of_scope(scope), self._busy_s)
            self._scopes[scope] = found
            found.users += 1
        try:
            yield found
        finally:
            with self._guard:
                found.users -= 1
                idle = [name for name, one in self._scopes.items() if not one.users]
                old = [self._scopes.pop(name) for name in idle[: max(len(self._scopes) - self._most, 0)]]
            for one in old:
                one.close()

    async def write(self, scope: str, work: Callable[[Scope], T]) -> T:
        """Do it in a thread of those that write. A caller that is cancelled goes on only when it is done."""
        return await self._work(self._started()[0], partial(self._within, scope, work))

    async def read(self, scope: str, work: Callable[[Scope], T]) -> T:
        """Do it in a thread of those that read, which need not wait for those that write."""
        return await self._work(self._started()[1], partial(self._within, scope, work))

    async def _work(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        try:
            return await to_the_end(threads, work)
        except OSError as error:
            raise storage_error(self.root, error) from error

    def _started(self) -> tuple[ThreadPoolExecutor, ThreadPoolExecutor]:
        with self._guard:
            if self._closed:
                raise StorageError("The full-text index is closed: the server is shutting down.")
            if self._threads is None:
                self._threads = ThreadPoolExecutor(WRITERS, "texts-write"), ThreadPoolExecutor(READERS, "texts-read")
                self._threads[0].submit(self._scrub)
            return self._threads

    def _scrub(self) -> None:
        """Empty the logs that a crash has left, in which deleted text may live on."""
        try:
            for scope in filter(None, map(scope_of_file, self._folder.logs())):
                with self.scope(scope) as opened:
                    opened.scrub()
        except (AgenticError, OSError) as error:
            logger.warning("[SqliteTexts] Scrub: %s", error)

    def _within(self, scope: str, work: Callable[[Scope], T]) -> T:
        with self.scope(scope) as opened:
            return work(opened)

    def _probe(self) -> None:
        probe = Scope(self._folder, PROBE, self._busy_s)
        try:
            probe.add("probe", ["probe"])
            probe.drop()
        finally:
            probe.close()

    def _close(self, threads: Sequence[ThreadPoolExecutor]) -> None:
        for one in threads:
            one.shutdown()
        for scope in self._scopes.values():
            scope.close()
        self._scopes.clear()


class SqliteTexts(Texts):
    """The index of one scope."""

    def __init__(self, index: SqliteTextIndex, scope: str) -> None:
        self._index = index
        self._scope = scope

    async def add(self, doc_id: str, texts: Sequence[str]) -> None:
        """Index a document's pieces in place of those it had."""
        kept = list(texts)
        await self._index.write(self._scope, lambda scope: scope.add(doc_id, kept))

    async def search(self, query: str, k: int, doc_ids: Sequence[str] | None = None) -> Sequence[Hit]:
        """The pieces that hold the query's words best, by BM25."""
        wanted = None if doc_ids is None else list(doc_ids)
        return await self._index.read(self._scope, lambda scope: scope.search(query, k, wanted))

    async def delete(self, doc_id: str) -> int:
        """Remove a document's pieces from the file and from its log."""
        return await self._index.write(self._scope, lambda scope: scope.delete(doc_id))

    async def documents(self) -> Sequence[str]:
        """The id of each document."""
        return await self._index.read(self._scope, Scope.documents)
