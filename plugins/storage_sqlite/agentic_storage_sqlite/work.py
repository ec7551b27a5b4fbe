"""Work handed from event loops to threads, and its outcome handed back, many at a time."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from agentic import StorageError
from agentic_storage_sqlite.database import is_locked, open_database, storage_error
from agentic_storage_sqlite.files import Files, files_of, taken_away

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """Something to do with a connection, and the future that waits for it.

    ``appends``: the key of the log that it makes longer. ``erases``: it removes data that shall be gone for good.
    """

    run: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    appends: str | None = None
    erases: bool = False


class Outcome(NamedTuple):
    """What came of a work: a result, or the error that was raised."""

    work: Work
    result: Any = None
    error: Exception | None = None


Queue = SimpleQueue[list[Work]]
"""Works that were handed in together. An empty list only wakes the thread up, to look at what has changed around it."""


class Intake:
    """Hands works over by ``put``: those that come in one turn of an event loop go together, up to ``most`` at once.

    The thread that is woken by the first of them would else have begun, and flushed it to disk, before the second.
    """

    def __init__(self, put: Callable[[list[Work]], None], most: int) -> None:
        self._put = put
        self._most = most
        self._gathered: dict[asyncio.AbstractEventLoop, list[Work]] = {}

    def add(self, work: Work) -> None:
        """Take a work, in the thread of its event loop."""
        gathered = self._gathered.setdefault(work.loop, [])
        gathered.append(work)
        if len(gathered) == 1:
            work.loop.call_soon(self._hand_over, work.loop)

    def hand_over(self) -> None:
        """Let nothing wait any longer."""
        for loop in list(self._gathered):
            self._hand_over(loop)

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        gathered = self._gathered.pop(loop, [])
        for start in range(0, len(gathered), self._most):
            self._put(gathered[start : start + self._most])


def take(queue: Queue, most: int, timeout_s: float | None) -> list[Work]:
    """Wait for works, then take what is there until it is ``most``; empty after ``timeout_s`` or a bare wake-up."""
    batch: list[Work] = []
    try:
        works = queue.get(timeout=timeout_s)
        while works:
            batch += works
            if len(batch) >= most:
                break
            works = queue.get_nowait()
    except Empty:
        pass
    return batch


def settle(outcomes: Sequence[Outcome]) -> None:
    """Hand outcomes to the futures, with one call for each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Outcome]] = {}
    for outcome in outcomes:
        by_loop.setdefault(outcome.work.loop, []).append(outcome)
    for loop, settled in by_loop.items():
        try:
            loop.call_soon_threadsafe(_set_results, settled)
        except RuntimeError:
            logger.info("[SqliteStorage] Settle: the event loop ended before %d outcomes", len(settled))


def _set_results(outcomes: Sequence[Outcome]) -> None:
    for work, result, error in outcomes:
        if work.future.done():
            continue
        if error is None:
            work.future.set_result(result)
        else:
            work.future.set_exception(error)


class Connection:
    """A thread's connection, opened when it is first needed and again after it has failed."""

    def __init__(self, path: Path, busy_s: float) -> None:
        self._path = path
        self._busy_s = busy_s
        self._open: sqlite3.Connection | None = None
        self._files: Files = (None, None)

    def get(self) -> sqlite3.Connection:
        """The open connection. Raises StorageError if it cannot be opened."""
        if self._open is None:
            self._open = open_database(self._path, self._busy_s)
            self._files = files_of(self._path)
        return self._open

    def get_in_place(self) -> sqlite3.Connection:
        """The open connection, for writing. Raises StorageError also where the files are no longer those it has open.

        SQLite would go on writing to them, and all of it be lost with the process.
        """
        connection = self.get()
        now = files_of(self._path)
        if now == self._files:
            return connection
        if now[0] == self._files[0]:
            # The log alone was taken away. It is still open here: what it holds is saved into the file.
            try:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as error:
                raise storage_error(self._path, error) from error
        raise taken_away(self._path, self._files, now)

    def failed(self, error: sqlite3.Error) -> StorageError:
        """Undo what was begun and say what is wrong; but for a full disk and a lock, the next use opens anew."""
        self.rollback()
        full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        if not (full or is_locked(error)):
            self.close()
        return storage_error(self._path, error)

    def rollback(self) -> None:
        """Undo what was begun."""
        connection = self._open
        if connection is None or not connection.in_transaction:
            return
        try:
            connection.execute("ROLLBACK")
        except sqlite3.Error as fault:
            logger.warning("[SqliteStorage] Rollback: %s", fault)
            self.close()

    def close(self) -> None:
        """Let go of the file."""
        connection, self._open = self._open, None
        if connection is not None:
            connection.close()

    @property
    def is_open(self) -> bool:
        """Whether there is a connection at all."""
        return self._open is not None
