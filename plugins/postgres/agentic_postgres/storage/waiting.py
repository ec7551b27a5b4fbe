"""Readers that wait for a log to grow: the database tells of every append, whichever server made it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import defaultdict
from contextlib import suppress
from typing import Any

from agentic import StorageError
from agentic_postgres.database import Database

logger = logging.getLogger(__name__)

AGAIN_S = 1.0
WATCH_S = 5.0
"""How often the connection that listens is looked after: one that died in silence tells nothing."""


def tag_of(key: str) -> str:
    """What stands for a key in notifications, which are short."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]


class Waiting:
    """The readers that wait. One connection listens while there are some, and is made anew when it is lost."""

    def __init__(self, database: Database, channel: str) -> None:
        self._database = database
        self._channel = channel
        self._waiters: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._listening = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def add(self, key: str) -> asyncio.Event:
        """An event that is set when the log grows; read once more afterwards, it may have grown just before."""
        grown = asyncio.Event()
        self._waiters[tag_of(key)].add(grown)
        if self._task is None:
            self._task = asyncio.create_task(self._listen())
        try:
            await self._listening.wait()
        except BaseException:
            self.remove(key, grown)
            raise
        return grown

    def remove(self, key: str, grown: asyncio.Event) -> None:
        """Wait no longer."""
        tag = tag_of(key)
        self._waiters[tag].discard(grown)
        if not self._waiters[tag]:
            del self._waiters[tag]

    async def aclose(self) -> None:
        """Wake everybody, and listen no more."""
        self._wake_all()
        self._listening.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except StorageError as error:
                logger.warning("[Postgres] Not listening: %s", error.message)
            # Nothing is told meanwhile: who waits looks for itself, and hears what is wrong.
            self._listening.set()
            self._wake_all()
            await asyncio.sleep(AGAIN_S)

    async def _listen_once(self) -> None:
        """Listen until the connection is lost."""
        connection = await self._database.apart()
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _connection: lost.set())
            async with self._database.faults_told():
                await connection.add_listener(self._channel, self._told)
                self._listening.set()
                # What was appended before this has been told to nobody.
                self._wake_all()
                while not lost.is_set():
                    with suppress(TimeoutError):
                        await asyncio.wait_for(lost.wait(), WATCH_S)
                        break
                    await connection.fetchval("SELECT 1")
        finally:
            connection.terminate()

    def _told(self, _connection: Any, _process: int, _channel: str, tag: Any) -> None:
        for grown in self._waiters.get(tag, ()):
            grown.set()

    def _wake_all(self) -> None:
        for waiters in self._waiters.values():
            for grown in waiters:
                grown.set()
