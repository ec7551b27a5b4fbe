"""Leftovers: what is kept of documents, conversations or users that are no more.

There should be none, and this is how one knows.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass, field
from functools import partial

from agentic.documents.jobs import JOBS, Jobs
from agentic.documents.record import FILES, ID, PAGES, PREFIX
from agentic.identity.limits import USAGE
from agentic.ports.paging import every, every_key
from agentic.ports.storage import StorageBackend
from agentic.ports.texts import TextIndex, Texts
from agentic.ports.vectors import Vectors, VectorStore
from agentic.runtime.conversations import CONVERSATIONS, RUNS, SUMMARIES
from agentic.runtime.journal import OPEN
from agentic.runtime.presence import SERVERS
from agentic.runtime.spaces import Scope

_SPACES = "spaces/"
_PARTS = re.compile(rf"{_SPACES}(?P<user>[^/]+)/(?P<rest>.*)", re.DOTALL)
_TALK = re.compile(rf"(?:{CONVERSATIONS}|{SUMMARIES}|sessions/)([^/]+)(?:/.*)?", re.DOTALL)
_RUN = re.compile(rf"{RUNS}(run_(?P<server>[0-9a-f]{{8}})[0-9a-f]{{12}})(?:/.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Orphan:
    """Something left over: ``kind`` is where it lies, ``place`` its key there; ``remove`` may raise StorageError.

    A ``log`` is what storage holds under a key without a ``document``.
    """

    kind: str
    place: str
    remove: Callable[[], Awaitable[object]] = field(compare=False)


class Orphans:
    """Looks through all of storage, files and indexes. ``user_ids``: of the users that there are."""

    def __init__(self, everything: Scope, jobs: Jobs, user_ids: Collection[str]) -> None:
        self._everything = everything
        self._jobs = jobs
        self._user_ids = user_ids
        self._there: set[str] = set()

    async def find(self) -> AsyncIterator[Orphan]:
        """Every leftover. Raises StorageError."""
        storage, blobs = self._everything.storage, self._everything.blobs
        for prefix in (_SPACES, JOBS, OPEN, USAGE):
            async for key in self._left(_names(storage, prefix)):
                kind = "log" if await storage.load(key) is None else "document"
                yield Orphan(kind, key, partial(storage.delete, key))
        async for key in self._left(blob.key async for blob in every(blobs, _SPACES)):
            yield Orphan("file", key, partial(blobs.delete, key))
        indexes = self._everything.indexes
        if indexes.vector_store is not None:
            async for orphan in self._in_store("vectors", indexes.vector_store, indexes.vectors_of_any):
                yield orphan
        if indexes.text_index is not None:
            async for orphan in self._in_store("texts", indexes.text_index, indexes.texts):
                yield orphan

    async def _left(self, keys: AsyncIterator[str]) -> AsyncIterator[str]:
        """The leftovers among these keys, each looked at again: what it belongs to may just have been written."""
        suspects = [key async for key in keys if await self._is_orphan(key)]
        for key in suspects:
            if await self._is_orphan(key):
                yield key

    async def _is_orphan(self, key: str) -> bool:
        if not key.startswith(_SPACES):
            return await self._is_of_nobody(key)
        parts = _PARTS.fullmatch(key)
        if parts is None:
            return False
        user_id, rest = parts["user"], parts["rest"]
        if user_id not in self._user_ids:
            return True
        if rest.startswith(PREFIX):
            return False
        if await self._is_lost(f"{_SPACES}{user_id}/", rest):
            return True
        named = ID.search(rest) if rest.startswith((FILES, PAGES, "plugins/")) else None
        return named is not None and not await self._is_known(user_id, named[0])

    async def _is_of_nobody(self, key: str) -> bool:
        """Whether work that is to be gone on with, or a count of what was used, is of no user that there is."""
        if not key.startswith(OPEN):
            return key.split("/")[1] not in self._user_ids
        stored = await self._everything.storage.load(key)
        return stored is not None and stored.value["user"]["id"] not in self._user_ids

    async def _in_store(
        self, kind: str, store: VectorStore | TextIndex, collection_of: Callable[[str], Vectors | Texts]
    ) -> AsyncIterator[Orphan]:
        for scope in await store.scopes():
            user_id = scope.partition(".")[0]
            if user_id not in self._user_ids:
                yield Orphan(kind, scope, partial(store.drop, scope))
                continue
            collection = collection_of(scope)
            for document_id in await collection.documents():
                if ID.fullmatch(document_id) and not await self._is_known(user_id, document_id):
                    yield Orphan(kind, f"{scope} {document_id}", partial(collection.delete, document_id))

    async def _is_known(self, user_id: str, document_id: str) -> bool:
        """Whether the user has this document, or it is being received or removed now."""
        is_there = await self._is_there(f"{_SPACES}{user_id}/{PREFIX}{document_id}")
        return is_there or await self._jobs.find(user_id, document_id) is not None

    async def _is_lost(self, space: str, rest: str) -> bool:
        """Whether ``rest``, a key within a user's ``space``, is of a conversation that is gone.

        False for what is of no conversation at all.
        """
        if (talk := _TALK.fullmatch(rest)) is not None:
            return not await self._is_there(f"{space}{CONVERSATIONS}{talk[1]}")
        if (run := _RUN.fullmatch(rest)) is None:
            return False
        storage = self._everything.storage
        [began] = await storage.read(f"{space}{RUNS}{run[1]}", limit=1) or [None]
        if began is not None:
            return not await self._is_there(f"{space}{CONVERSATIONS}{began['session_id']}")
        # At work, or cut off by the end of a server that nobody has seen to yet: its log is still to come.
        return await storage.load(OPEN + run[1]) is None and await storage.load(SERVERS + run["server"]) is None

    async def _is_there(self, key: str) -> bool:
        """Whether storage has this document. What was found once is not looked up again."""
        if key not in self._there and await self._everything.storage.load(key) is not None:
            self._there.add(key)
        return key in self._there


async def _names(storage: StorageBackend, prefix: str) -> AsyncIterator[str]:
    """The keys of documents and logs; of documents alone where a storage cannot name the others."""
    if type(storage).keys is not StorageBackend.keys:
        async for key in every_key(storage, prefix):
            yield key
    else:
        async for stored in every(storage, prefix):
            yield stored.key
