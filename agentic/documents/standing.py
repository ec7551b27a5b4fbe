"""How far the work on a document has come, kept in its record, so that whoever asks sees it."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from agentic.documents.record import Record, find, save
from agentic.errors import Conflict, NotFound, StorageError
from agentic.ports.storage import StorageBackend

logger = logging.getLogger(__name__)

LOOK_S = 0.5
"""How often progress is written, and looked whether the document is still there."""
READING_SHARE = 0.1
"""The part of the work that is reading; the rest is indexing."""


class Gone(Exception):
    """The document was deleted, or another server has taken it over: whatever is being done here is for nothing."""


class Standing:
    """The record of a document that is being taken in."""

    def __init__(self, storage: StorageBackend, record: Record) -> None:
        self.record = record
        self._storage = storage
        self._progress = record.document.progress
        self._ended = asyncio.Event()
        self._writing = asyncio.Lock()

    def told(self, part: float, *, begin: float = 0.0, share: float = 1.0) -> None:
        """Take down that ``part`` of a step is done, which itself begins at ``begin`` and is a ``share`` of it all."""
        done = begin + share * min(max(part, 0.0), 1.0)
        self._progress = max(self._progress, round(min(done, 1.0), 3))

    async def put(self, record: Record) -> None:
        """Write the record. Raises Gone, StorageError."""
        async with self._writing:
            try:
                self.record = await save(self._storage, record)
            except Conflict as error:
                raise Gone from error

    async def watch(self) -> None:
        """Write progress as it comes, until ``end``. Raises Gone as soon as it is for nothing."""
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), LOOK_S)
            try:
                await self._look()
            except StorageError as error:
                logger.warning("[Documents] Progress not written: %s", error.message)

    def end(self) -> None:
        """Let ``watch`` return."""
        self._ended.set()

    async def _look(self) -> None:
        if self._ended.is_set():
            return
        if self._progress > self.record.document.progress:
            await self.put(self.record.changed(progress=self._progress))
            return
        try:
            current = await find(self._storage, self.record.document.id)
        except NotFound as error:
            raise Gone from error
        if current.version != self.record.version:
            raise Gone
