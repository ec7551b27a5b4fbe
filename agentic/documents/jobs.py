"""Work on documents that is not finished: one entry each, taken by the server that does it.

An entry is written before the first byte of a document is kept, and removed when the document is ready or has failed,
or when nothing of it is left. So after a crash an entry says that something is to be done, and the document's record,
what: where there is one it is taken in, where there is none all of it is removed.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

from agentic.errors import Conflict
from agentic.ports.paging import every
from agentic.ports.space import Principal
from agentic.ports.storage import StorageBackend, Stored
from agentic.runtime.presence import Presence

JOBS = "ingestion/"
LONGEST_WAIT_S = 300.0
"""No entry waits longer for another try."""


def job_key(user_id: str, document_id: str) -> str:
    """Where the entry of a document lies."""
    return f"{JOBS}{user_id}/{document_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Work on one document of a user. ``name`` is the file's.

    ``server``: the process that does it, "" for none; ``tries``: how often it was begun; ``waits``: how often it had to
    wait for something that was away; ``not_before``: wall time.
    """

    user_id: str
    document_id: str
    name: str
    server: str = ""
    tries: int = 0
    waits: int = 0
    not_before: float = 0.0
    version: int = 0

    @property
    def key(self) -> str:
        """Where the entry lies."""
        return job_key(self.user_id, self.document_id)

    @property
    def principal(self) -> Principal:
        """The user, for whom the work goes on whether they are signed in or not."""
        return Principal(self.user_id, "")


class Jobs:
    """The entries in a storage, as one process sees them. Every method raises StorageError when the storage fails."""

    def __init__(self, storage: StorageBackend, presence: Presence) -> None:
        self._storage = storage
        self._presence = presence
        self.lease_s = presence.lease_s

    async def begin(self, user_id: str, document_id: str, name: str) -> Job:
        """A new entry, taken by this process. Raises Conflict where there is one."""
        await self._presence.show()
        return await self.save(Job(user_id=user_id, document_id=document_id, name=name), server=self._presence.id)

    async def take(self, job: Job) -> Job | None:
        """The entry as taken by this process; None where another was faster."""
        await self._presence.show()
        try:
            return await self.save(job, server=self._presence.id)
        except Conflict:
            return None

    async def save(self, job: Job, **changes: Any) -> Job:
        """Write the changed entry if it is still of its version. Raises Conflict."""
        changed = replace(job, **changes)
        value = {name: getattr(changed, name) for name in ("name", "server", "tries", "waits", "not_before")}
        return replace(changed, version=await self._storage.save(job.key, value, if_version=job.version))

    async def give_up(self, job: Job) -> None:
        """Let others take the entry, as if this process had not begun. Raises Conflict."""
        current = await self.find(job.user_id, job.document_id)
        if current is not None and current.server == self._presence.id:
            await self.save(current, server="", tries=min(current.tries, job.tries))

    async def find(self, user_id: str, document_id: str) -> Job | None:
        """The entry of a document, if there is one."""
        stored = await self._storage.load(job_key(user_id, document_id))
        return _from_stored(stored) if stored else None

    async def end(self, key: str) -> None:
        """Remove an entry: there is nothing left to do."""
        await self._storage.delete(key)

    async def of_user(self, user_id: str) -> list[Job]:
        """All entries of a user."""
        return [_from_stored(stored) async for stored in every(self._storage, f"{JOBS}{user_id}/")]

    async def free(self) -> AsyncIterator[Job]:
        """The entries that may be taken now, those that this process has among them."""
        elsewhere: dict[str, bool] = {}
        async for stored in every(self._storage, JOBS):
            job = _from_stored(stored)
            if job.server not in elsewhere:
                elsewhere[job.server] = await self.is_elsewhere(job)
            if self._is_due(job) and not elsewhere[job.server]:
                yield job

    def _is_due(self, job: Job) -> bool:
        """Whether it has waited long enough; one that would wait longer than any does is due: a clock was set back."""
        left_s = job.not_before - time.time()
        return left_s <= 0 or left_s > LONGEST_WAIT_S + self.lease_s

    async def is_elsewhere(self, job: Job) -> bool:
        """Whether another process, one that lives, has taken it."""
        return job.server != self._presence.id and await self._presence.is_alive(job.server)


def _from_stored(stored: Stored) -> Job:
    user_id, _, document_id = stored.key.removeprefix(JOBS).partition("/")
    return Job(user_id=user_id, document_id=document_id, version=stored.version, **stored.value)
