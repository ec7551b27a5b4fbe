"""Readers that wait for a log to grow: they are woken by appends here, and by those of other processes."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agentic_storage_sqlite.statements import length

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Waiter:
    """One reader: ``grown`` is set in its loop once the log ``key`` has more than ``after`` items."""

    key: str
    after: int
    grown: asyncio.Event
    loop: asyncio.AbstractEventLoop


class Waiting:
    """All readers that wait, of any event loop. Truthy while there are some."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiters: dict[str, set[Waiter]] = {}

    def __bool__(self) -> bool:
        return bool(self._waiters)

    def add(self, key: str, after: int) -> Waiter:
        """Begin to wait, in the running loop; read once more afterwards, since the log may have grown just before."""
        waiter = Waiter(key, after, asyncio.Event(), asyncio.get_running_loop())
        with self._lock:
            self._waiters.setdefault(key, set()).add(waiter)
        return waiter

    def remove(self, waiter: Waiter) -> None:
        """Wait no longer."""
        with self._lock:
            waiters = self._waiters.get(waiter.key, set())
            waiters.discard(waiter)
            if not waiters:
                self._waiters.pop(waiter.key, None)

    def wake(self, lengths: Mapping[str, int]) -> None:
        """Wake those whose log, as ``lengths`` has it, is now longer than what they have read."""
        with self._lock:
            grown = [
                waiter
                for key, items in lengths.items()
                for waiter in self._waiters.get(key, ())
                if items > waiter.after
            ]
        _set(grown)

    def wake_by_length(self, connection: sqlite3.Connection) -> None:
        """The same, with the lengths read from the database. Raises sqlite3.Error."""
        with self._lock:
            keys = list(self._waiters)
        self.wake({key: length(connection, key) for key in keys})

    def wake_all(self) -> None:
        """Wake everybody: storage is closing."""
        with self._lock:
            everybody = [waiter for waiters in self._waiters.values() for waiter in waiters]
        _set(everybody)


def _set(waiters: Iterable[Waiter]) -> None:
    for waiter in waiters:
        try:
            waiter.loop.call_soon_threadsafe(waiter.grown.set)
        except RuntimeError:
            logger.info("[SqliteStorage] Wake: the event loop of a waiting reader has ended")
