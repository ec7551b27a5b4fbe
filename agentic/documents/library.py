"""Everything that can be done with users' documents: the routes and the command line stand on it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace

from agentic.documents.ingestion import Ingestion
from agentic.documents.intake import InstalledIndexer, Intake
from agentic.documents.jobs import Job, Jobs, job_key
from agentic.documents.readers import HEAD, Readers
from agentic.documents.record import Record, file_key, new_id, record_key, save, unknown
from agentic.documents.removal import Receipt, Removal
from agentic.documents.search import search
from agentic.documents.shelf import Shelf
from agentic.errors import AgenticError, BadRequest, Conflict, NotFound, PayloadTooLarge, StorageError
from agentic.identity.limits import Meter
from agentic.ports.documents import Document, Passage
from agentic.ports.space import Principal
from agentic.runtime.files import file_name
from agentic.runtime.presence import Presence
from agentic.runtime.spaces import Scope, of_user

logger = logging.getLogger(__name__)

ERASED = "erased/"
"""Where it is noted, by the user's id, that a user was erased: what is still on its way then is kept no more."""
ELSEWHERE_S, LOOK_S = 10.0, 0.1
"""How long a deletion waits for another server to let go of the document, and how often it looks."""


class Library:
    """The documents of all users. Every method that serves one takes the principal, and reaches nobody else's."""

    def __init__(
        self,
        everything: Scope,
        presence: Presence,
        readers: Readers,
        indexers: Sequence[InstalledIndexer],
        meter: Meter,
        *,
        at_once: int = 4,
        max_upload_mb: float = 100,
        patience_s: float = 600,
    ) -> None:
        self.everything = everything
        self.readers = readers
        self.indexers = indexers
        self.jobs = Jobs(everything.storage, presence)
        self.max_upload_mb = max_upload_mb
        self._presence = presence
        self._meter = meter
        self._removal = Removal(everything, indexers)
        intake = Intake(everything, readers, indexers, patience_s)
        self.ingestion = Ingestion(everything, self.jobs, intake, self._removal, at_once)
        self._first_tries: dict[str, asyncio.Task[None]] = {}

    def shelf(self, principal: Principal) -> Shelf:
        """The documents of one user."""
        user = of_user(self.everything, principal)
        return Shelf(user.storage, user.blobs)

    async def add(self, principal: Principal, name: str, stream: AsyncIterator[bytes]) -> Document:
        """Keep a file and begin to take it in. When this returns, it is stored.

        Raises BadRequest for an empty file, UnsupportedType, PayloadTooLarge, RateLimited where the user's room is used
        up, StorageError, and whatever the stream raises; then nothing of it is left.
        """
        name = file_name(name)
        head, rest = await _begin(stream)
        if not head:
            raise BadRequest("The file is empty.", param="file")
        media_type, _ = await self.readers.recognise(head, name)
        document_id = new_id()
        with self.ingestion.holding(job_key(principal.id, document_id)):
            job = await self.jobs.begin(principal.id, document_id, name)
            try:
                record = await self._receive(principal, job, media_type, rest)
            except BaseException:
                await asyncio.shield(self._undo(job))
                raise
            self._start(job)
        return record.document

    async def settled(self, principal: Principal, document_id: str) -> Document:
        """The document once this process has tried to take it in, or at once where it does not. Raises NotFound."""
        task = self._first_tries.get(f"{principal.id}/{document_id}")
        if task is not None:
            await asyncio.wait([task])
        return await self.shelf(principal).get(document_id)

    async def delete(self, principal: Principal, document_id: str) -> Receipt:
        """Remove a document, in whatever state it is, and every trace of it. Raises NotFound.

        Raises StorageError where something is left; it is removed later then, and the document gone all the same.
        """
        try:
            record = await self.shelf(principal).record(document_id)
        except StorageError:
            record = await self.shelf(principal).remains(document_id)
        key = job_key(principal.id, document_id)
        with self.ingestion.holding(key):
            await self._job(principal, record.document)
            if not await of_user(self.everything, principal).storage.delete(record_key(document_id)):
                raise unknown()
            await self.ingestion.stop(key)
            try:
                await self._until_let_go(principal, document_id)
                receipt = await self._removal.clear(principal, record.document, record.pages)
                await self.jobs.end(key)
            finally:
                self.ingestion.let_go(key)
        logger.info("[Documents] Deleted: document=%s chunks=%d", document_id, receipt.chunks)
        return receipt

    async def erase(self, user_id: str) -> Mapping[str, int]:
        """Remove all documents of a user, and take no more of theirs in; what was removed, counted.

        The caller removes afterwards whatever else is the user's, with what a document left that somebody else is
        removing at this moment. May be begun again when it was cut short. Raises StorageError.
        """
        principal = Principal(user_id, "")
        await self.everything.storage.save(ERASED + user_id, {})
        removed: Counter[str] = Counter(documents=0, bytes=0, pages=0, chunks=0)
        for record in await self.shelf(principal).records():
            try:
                receipt = await self.delete(principal, record.document.id)
            except (NotFound, StorageError) as error:
                logger.info("[Documents] Not counted: document=%s: %s", record.document.id, error.message)
                continue
            removed.update(documents=1, bytes=receipt.bytes, pages=receipt.pages, chunks=receipt.chunks)
        for job in await self.jobs.of_user(user_id):
            await self.jobs.end(job.key)
        # It is begun again for as long as anything may still come.
        if removed["documents"]:
            logger.info("[Documents] All of a user's removed: user=%s documents=%d", user_id, removed["documents"])
        return dict(removed)

    async def search(
        self, principal: Principal, query: str, *, top_k: int = 5, documents: Sequence[str] | None = None
    ) -> Sequence[Passage]:
        """The passages that fit the query best. Raises NotFound for an id that is no document's of the user."""
        shelf = self.shelf(principal)
        for document_id in documents or ():
            await shelf.get(document_id)
        return await search(self.everything, self.indexers, principal, query, top_k=top_k, documents=documents)

    async def index_anew(self, principal: Principal, document_id: str) -> Document:
        """Tell every indexer of a document again, from its kept pages; it is read where there are none.

        The document once that was tried. Raises NotFound.
        """
        record = await self.shelf(principal).record(document_id)
        with self.ingestion.holding(job_key(principal.id, document_id)) as is_free:
            job = await self._job(principal, record.document) if is_free else None
            if is_free and job is None:
                return await self._settled_elsewhere(principal, document_id)
            if job is not None:
                begun = replace(record.changed(status="indexing", progress=0.0, error=""), indexed_at=0.0)
                await save(of_user(self.everything, principal).storage, begun)
                self._start(job)
        return await self.settled(principal, document_id)

    async def watch(self) -> None:
        """Take up what other processes have left unfinished, at once and from then on, until cancelled."""
        try:
            await self.readers.clear(self._presence)
        except StorageError as error:
            logger.warning("[Documents] Not cleared: %s", error.message)
        await self.ingestion.look()
        await self.ingestion.watch()

    async def aclose(self) -> None:
        """Leave what is not finished to others, and end the readers' processes."""
        await self.ingestion.aclose()
        await self.readers.aclose()

    async def _receive(self, principal: Principal, job: Job, media_type: str, stream: AsyncIterator[bytes]) -> Record:
        user = of_user(self.everything, principal)
        async with self._meter.storing(principal) as take:
            size = await user.blobs.put(file_key(job.document_id, job.name), self._measured(stream, take))
            document = Document(
                id=job.document_id,
                name=job.name,
                size=size,
                media_type=media_type,
                status="indexing",
                created_at=time.time(),
            )
            record = await save(user.storage, Record(document=document))
        # Written before this is asked: either the erasure finds the record, or this finds the erasure.
        if await self.everything.storage.load(ERASED + principal.id) is not None:
            raise unknown()
        return record

    async def _measured(self, stream: AsyncIterator[bytes], take: Callable[[int], None]) -> AsyncIterator[bytes]:
        size, most = 0, int(self.max_upload_mb * 1_000_000)
        async for piece in stream:
            size += len(piece)
            if size > most:
                raise PayloadTooLarge(
                    f"The file is larger than {self.max_upload_mb:g} MB (MAX_UPLOAD_MB).", param="file"
                )
            take(len(piece))
            yield piece

    def _start(self, job: Job) -> None:
        task = self.ingestion.begin(job)
        key = f"{job.user_id}/{job.document_id}"
        self._first_tries[key] = task
        task.add_done_callback(lambda _: self._first_tries.pop(key, None))

    async def _undo(self, job: Job) -> None:
        """Remove what was kept of a file that did not come whole."""
        try:
            user = of_user(self.everything, job.principal)
            await user.storage.delete(record_key(job.document_id))
            await user.blobs.delete(file_key(job.document_id, job.name))
            await self.jobs.end(job.key)
        except AgenticError as error:
            logger.warning("[Documents] Not undone, for now: document=%s: %s", job.document_id, error.message)

    async def _job(self, principal: Principal, document: Document) -> Job | None:
        """The entry of a document, taken by this process; None where another one has it."""
        found = await self.jobs.find(principal.id, document.id)
        if found is not None:
            return None if await self.jobs.is_elsewhere(found) else await self.jobs.take(found)
        try:
            return await self.jobs.begin(principal.id, document.id, document.name)
        except Conflict:
            return None

    async def _until_let_go(self, principal: Principal, document_id: str) -> None:
        """Wait until another server has seen that the document is gone: what it adds meanwhile, it removes itself."""
        until = time.monotonic() + ELSEWHERE_S
        while time.monotonic() < until:
            job = await self.jobs.find(principal.id, document_id)
            if job is None or not await self.jobs.is_elsewhere(job):
                return
            await asyncio.sleep(LOOK_S)
        raise StorageError(
            "The document is deleted, but another server still works on it, and removes the rest when it sees that."
        )

    async def _settled_elsewhere(self, principal: Principal, document_id: str) -> Document:
        while True:
            document = await self.shelf(principal).get(document_id)
            job = await self.jobs.find(principal.id, document_id)
            if document.status != "indexing" or job is None or not await self.jobs.is_elsewhere(job):
                return document
            await asyncio.sleep(LOOK_S)


async def _begin(stream: AsyncIterator[bytes]) -> tuple[bytes, AsyncIterator[bytes]]:
    """The first bytes of a stream, and all of it."""
    begun: list[bytes] = []
    size = 0
    async for piece in stream:
        begun.append(piece)
        size += len(piece)
        if size >= HEAD:
            break
    return b"".join(begun)[:HEAD], _all(begun, stream)


async def _all(begun: Sequence[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for piece in begun:
        yield piece
    async for piece in rest:
        yield piece
