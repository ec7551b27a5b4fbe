"""One document taken in: read in a process of its own, and told to every indexer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from agentic.documents.pages import load_pages
from agentic.documents.patience import Patience, Stuck, ended
from agentic.documents.readers import Readers
from agentic.documents.record import Record, find, pages_key
from agentic.documents.standing import READING_SHARE, Gone, Standing
from agentic.errors import AgenticError, ModelError, NotFound, RateLimited, StorageError
from agentic.ports.documents import Indexer, Page
from agentic.ports.space import Principal
from agentic.runtime.spaces import Scope, of_plugin, of_user

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class InstalledIndexer:
    """An indexer with the name of the plugin that ships it."""

    indexer: Indexer
    plugin: str


class Away(Exception):
    """Something that is needed does not answer now, and may later. The message is for the user."""


class Failed(Exception):
    """It will not work another time either. The message is for the user."""


class Broken(Exception):
    """An indexer has a bug, or was caught by one. The message is for the user."""


class Intake:
    """Takes documents in, over readers and indexers, which are in the order of their ranks.

    ``patience_s``: so long may an indexer make no progress with a document, and longer with a long one.
    """

    def __init__(
        self, everything: Scope, readers: Readers, indexers: Sequence[InstalledIndexer], patience_s: float = 600
    ) -> None:
        self._everything = everything
        self._readers = readers
        self._indexers = indexers
        self._patience_s = patience_s
        self._late: set[asyncio.Task[None]] = set()

    async def take(self, principal: Principal, record: Record) -> Record:
        """Read a document and tell every indexer; the record as it was stored at the end.

        Raises Gone, Away, Failed, Broken.
        """
        standing = Standing(of_user(self._everything, principal).storage, record)
        working = asyncio.create_task(self._work(principal, standing))
        watching = asyncio.create_task(standing.watch())
        try:
            await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            standing.end()
            working.cancel()
            # Nothing of it may go on once this has returned: what it would write then, nobody would remove.
            try:
                await ended(working)
            finally:
                await ended(watching)
        if not watching.cancelled() and (error := watching.exception()) is not None:
            raise error
        done = working.result()
        await standing.put(_finished(standing.record, *done))
        return standing.record

    async def _work(self, principal: Principal, standing: Standing) -> tuple[int, Mapping[str, int]]:
        try:
            pages = await self._pages(principal, standing)
            pieces = {}
            share = (1 - READING_SHARE) / max(len(self._indexers), 1)
            for n, installed in enumerate(self._indexers):
                told = partial(standing.told, begin=READING_SHARE + n * share, share=share)
                pieces[installed.indexer.name] = await self._index(principal, standing.record, pages, installed, told)
            return len(pages), pieces
        except (Gone, Broken):
            raise
        except (StorageError, RateLimited, ModelError) as error:
            raise Away(error.message) from error
        except AgenticError as error:
            raise Failed(error.message) from error

    async def _pages(self, principal: Principal, standing: Standing) -> Sequence[Page]:
        """The pages, kept from an earlier try or read now."""
        blobs, key = of_user(self._everything, principal).blobs, pages_key(standing.record.document.id)
        if await blobs.size(key) is None:
            await self._readers.read(standing.record, blobs)
        standing.told(1, share=READING_SHARE)
        return await load_pages(blobs, key)

    async def _index(
        self,
        principal: Principal,
        record: Record,
        pages: Sequence[Page],
        installed: InstalledIndexer,
        told: partial[None],
    ) -> int:
        indexer = installed.indexer
        space = of_plugin(self._everything, principal, installed.plugin)
        patience = Patience(self._patience_s, pages)

        def progress(part: float) -> None:
            patience.told(part)
            told(part)

        try:
            work = indexer.index(record.document, pages, space, progress)
            return await patience.see(work, partial(self._ended_late, principal, record.document.id, installed))
        except AgenticError:
            raise
        except Stuck as error:
            logger.warning("[Documents] No progress: indexer=%s document=%s", indexer.name, record.document.id)
            raise Failed(
                f"The indexer '{indexer.name}' made no progress for {patience.seconds:.0f} seconds and was stopped. "
                "Upload it again; if it is only slow, let the limit be raised (INDEX_TIMEOUT)."
            ) from error
        except Exception as error:
            logger.exception("[Documents] Not indexed: indexer=%s document=%s", indexer.name, record.document.id)
            kind = type(error).__name__
            raise Broken(f"The indexer '{indexer.name}' failed ({kind}). The server's log says more.") from error

    def _ended_late(self, principal: Principal, document_id: str, installed: InstalledIndexer) -> None:
        tidying = asyncio.create_task(self._tidy(principal, document_id, installed))
        self._late.add(tidying)
        tidying.add_done_callback(self._late.discard)

    async def _tidy(self, principal: Principal, document_id: str, installed: InstalledIndexer) -> None:
        """Remove what an indexer that was left to itself has stored at last of a document that is gone by then."""
        try:
            await find(of_user(self._everything, principal).storage, document_id)
        except NotFound:
            space = of_plugin(self._everything, principal, installed.plugin)
            pieces = await installed.indexer.forget(document_id, space)
            logger.warning("[Documents] Removed what came late: document=%s pieces=%d", document_id, pieces)


def _finished(record: Record, pages: int, pieces: Mapping[str, int]) -> Record:
    ready = record.changed(status="ready", error="", progress=1.0, chunks=sum(pieces.values()))
    return replace(ready, pages=pages, pieces=pieces, indexed_at=time.time())
