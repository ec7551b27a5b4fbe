"""The work on documents in one process: as much at once as may be, gone on with after a crash, ended by a deletion."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator

from agentic.documents.intake import Away, Broken, Failed, Intake
from agentic.documents.jobs import LONGEST_WAIT_S, Job, Jobs
from agentic.documents.queue import Queue, in_turn
from agentic.documents.record import Record, find, record_key, save
from agentic.documents.removal import Removal
from agentic.documents.standing import Gone
from agentic.errors import Conflict, NotFound, StorageError
from agentic.ports.storage import StorageBackend
from agentic.runtime.spaces import Scope, of_user

logger = logging.getLogger(__name__)

MOST_TRIES = 3
"""How often the work on a document is begun that ends in the middle: it may be what brings the server down."""
MOST_WAITS = 10
FIRST_WAIT_S = 5.0
BROKE_DOWN = f"The server ended {MOST_TRIES} times while it was taken in, and does not try again."


class Ingestion:
    """Takes documents in, and removes those whose deletion was cut short. One a process."""

    def __init__(self, everything: Scope, jobs: Jobs, intake: Intake, removal: Removal, at_once: int) -> None:
        self._everything = everything
        self._jobs = jobs
        self._intake = intake
        self._removal = removal
        self._queue = Queue(at_once)
        # What was at work when a server ended goes on one by one: so the one that ends servers drags no other along.
        self._suspects = Queue(1)
        self._held: dict[str, asyncio.Task[None] | None] = {}
        self._stopping: set[str] = set()
        self._has_room = asyncio.Event()

    @contextlib.contextmanager
    def holding(self, key: str) -> Iterator[bool]:
        """Leave an entry of this process alone while this lasts, unless work on it begins; False where it is held."""
        is_free = key not in self._held
        if is_free:
            self._held[key] = None
        try:
            yield is_free
        finally:
            if is_free and self._held.get(key) is None:
                self.let_go(key)

    def let_go(self, key: str) -> None:
        """Take an entry up again, should it still be there at the next look."""
        self._held.pop(key, None)

    def begin(self, job: Job) -> asyncio.Task[None]:
        """Work on a document, after others that came before; the task ends with the first try, and raises nothing."""
        task = asyncio.create_task(self._see_through(job))
        self._held[job.key] = task
        return task

    async def stop(self, key: str) -> None:
        """End the work on a document that is being done here, and hold its entry."""
        task = self._held.get(key)
        if task is not None:
            self._stopping.add(key)
            task.cancel()
            await asyncio.wait([task])
            self._stopping.discard(key)
        self._held[key] = None

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._has_room.wait(), self._jobs.lease_s / 2)
            await self.look()

    async def look(self) -> None:
        """Take up what nobody does, as much as there is room for. What fails is tried again at the next look."""
        self._has_room.clear()
        if not (self._queue.has_room or self._suspects.has_room):
            return
        try:
            for job in in_turn([job async for job in self._jobs.free() if job.key not in self._held]):
                if not (self._suspects if job.tries else self._queue).has_room:
                    continue
                if (taken := await self._jobs.take(job)) is not None:
                    self.begin(taken)
                    # So that it takes its place.
                    await asyncio.sleep(0)
        except StorageError as error:
            logger.warning("[Documents] Not looked through: %s", error.message)
        except Exception:
            # It must not end the watch: the next look may find what is to be done.
            logger.exception("[Documents] Not looked through")

    async def aclose(self) -> None:
        """Leave what is being done to others, or to the next start."""
        tasks = [task for task in self._held.values() if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _see_through(self, job: Job) -> None:
        failed = False
        try:
            async with (self._suspects if job.tries else self._queue).place(job.user_id):
                await self._work(job)
        except asyncio.CancelledError:
            if job.key not in self._stopping:
                await self._leave(job)
            raise
        except StorageError as error:
            failed = True
            logger.warning("[Documents] Left for later: document=%s: %s", job.document_id, error.message)
        except Exception:
            failed = True
            logger.exception("[Documents] Left for later: document=%s", job.document_id)
        finally:
            if self._held.get(job.key) is asyncio.current_task():
                self.let_go(job.key)
            # Taken up at once, what failed would fail again at once, and so on without end.
            if not failed and (self._queue.has_room or job.tries):
                self._has_room.set()

    async def _work(self, job: Job) -> None:
        try:
            record = await find(self._storage_of(job), job.document_id)
        except NotFound:
            await self._remove(job)
            return
        if record.document.status != "indexing":
            await self._jobs.end(job.key)
        elif job.tries >= MOST_TRIES:
            await self._fail(job, BROKE_DOWN)
        else:
            try:
                begun = await self._jobs.save(job, tries=job.tries + 1)
            except Conflict:
                return
            await self._try(begun, record)

    async def _try(self, job: Job, record: Record) -> None:
        began = time.monotonic()
        try:
            done = await self._intake.take(job.principal, record)
        except Gone:
            # Another server may work on the document now; what was stored of one that is gone is removed.
            if await self._storage_of(job).load(record_key(job.document_id)) is None:
                await self._remove(job)
        except Failed as error:
            await self._fail(job, str(error))
        except (Away, StorageError) as error:
            await self._wait(job, str(error), tries=job.tries - 1, waits=job.waits + 1)
        except Broken as error:
            await self._wait(job, str(error), tries=job.tries, waits=job.waits)
        else:
            await self._jobs.end(job.key)
            seconds = time.monotonic() - began
            told = (done.document.id, done.pages, done.document.chunks, seconds)
            logger.info("[Documents] Ready: document=%s pages=%d chunks=%d seconds=%.1f", *told)

    async def _wait(self, job: Job, why: str, *, tries: int, waits: int) -> None:
        if tries >= MOST_TRIES or waits > MOST_WAITS:
            await self._fail(job, why)
            return
        wait_s = min(FIRST_WAIT_S * 2 ** (tries + waits - 1), LONGEST_WAIT_S)
        # Why is for the user alone: a model server's words may quote the document.
        logger.warning("[Documents] Waits: document=%s seconds=%.0f", job.document_id, wait_s)
        await self._mark(job, status="indexing", error=f"It waits: {why}")
        await self._jobs.save(job, server="", tries=tries, waits=waits, not_before=time.time() + wait_s)

    async def _fail(self, job: Job, why: str) -> None:
        logger.warning("[Documents] Failed: document=%s", job.document_id)
        await self._mark(job, status="failed", error=why)
        await self._jobs.end(job.key)

    async def _mark(self, job: Job, **changes: str) -> None:
        """Write how the document stands, over whatever was written of its progress; one that is gone stays gone."""
        storage = self._storage_of(job)
        try:
            current = await find(storage, job.document_id)
            await save(storage, current.changed(**changes))
        except (NotFound, Conflict):
            logger.debug("[Documents] Gone: document=%s", job.document_id)

    async def _remove(self, job: Job) -> None:
        await self._removal.clear_left(job.principal, job.document_id, job.name)
        await self._jobs.end(job.key)
        logger.info("[Documents] Removed what was left: document=%s", job.document_id)

    def _storage_of(self, job: Job) -> StorageBackend:
        return of_user(self._everything, job.principal).storage

    async def _leave(self, job: Job) -> None:
        """Give the entry up for others to take; a stop of the server is no failed try."""
        try:
            await asyncio.shield(self._jobs.give_up(job))
        except (StorageError, Conflict) as error:
            logger.warning("[Documents] Not given up: document=%s: %s", job.document_id, error.message)
