"""A user's documents told to every indexer anew. Cut short and begun again, it goes on with those that are left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from agentic.documents.library import Library
from agentic.errors import ModelNotFound, NotFound
from agentic.ports.documents import Document
from agentic.ports.space import Principal
from agentic.runtime.spaces import of_user

KEY = "reindexing"
"""Where a user's round is kept that has not come to its end: when it began, and with which embedder."""
LOOK_S = 0.5
AT_ONCE = 16
"""Documents whose turn may come; how many are worked on is up to DOCUMENTS_AT_ONCE."""


class Reindexing:
    """One round over a user's documents, failed ones included."""

    def __init__(self, library: Library, principal: Principal) -> None:
        self._library = library
        self._principal = principal
        self._storage = of_user(library.everything, principal).storage

    async def left(self, *, anew: bool = False) -> Sequence[str]:
        """The documents still to be indexed: in the round that was cut short, or of a new one, as ``anew`` demands.

        Raises ModelUnavailable while it cannot be told which embedder is chosen.
        """
        embedder = await self._embedder()
        stored = await self._storage.load(KEY)
        if anew or stored is None or stored.value["embedder"] != embedder:
            began = time.time()
            await self._storage.save(KEY, {"began": began, "embedder": embedder})
        else:
            began = stored.value["began"]
        records = await self._library.shelf(self._principal).records()
        return [one.document.id for one in records if one.indexed_at < began or one.document.status != "ready"]

    async def run(self, document_ids: Sequence[str], told: Callable[[Document | None], None]) -> None:
        """Index these documents, and end the round; somebody must watch the library meanwhile.

        ``told`` is given each document at its end, None for one that is gone, and one that has to wait before.
        """
        room = asyncio.Semaphore(AT_ONCE)

        async def one(document_id: str) -> None:
            async with room:
                told(await self._index(document_id, told))

        await asyncio.gather(*map(one, document_ids))
        await self._storage.delete(KEY)

    async def _index(self, document_id: str, told: Callable[[Document | None], None]) -> Document | None:
        shelf = self._library.shelf(self._principal)
        try:
            document = await self._library.index_anew(self._principal, document_id)
            if document.status == "indexing":
                told(document)
            while document.status == "indexing":
                await asyncio.sleep(LOOK_S)
                document = await shelf.get(document_id)
        except NotFound:
            return None
        return document

    async def _embedder(self) -> str:
        try:
            return (await self._library.everything.indexes.embedders.chosen()).id
        except ModelNotFound:
            # Not every indexer needs one, and one that does will say what is wrong.
            return ""
