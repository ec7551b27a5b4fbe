"""Group commit: one thread takes all writes that wait and commits them in one transaction, with one flush to disk.

The flush comes before the writers are told, or at once after it, as was chosen: a crash of the process takes nothing of
either, a power cut what was told in the moment before it of the latter. What erases data is always flushed before.

While the disk is busy with one batch the next one gathers, so the more writers there are the less each costs. A
Conflict is found before anything is changed and spoils nothing. Any other error undoes the whole batch, and each of
its writes is then tried in a transaction of its own, so that one which cannot be kept takes no other with it.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue

from agentic import AgenticError, StorageError
from agentic_storage_sqlite.database import flush_file, is_locked
from agentic_storage_sqlite.files import log_of
from agentic_storage_sqlite.settings import Flush
from agentic_storage_sqlite.waiting import Waiting
from agentic_storage_sqlite.work import Connection, Intake, Outcome, Queue, Work, settle, take

logger = logging.getLogger(__name__)

BATCH = 512
POLL_S = 0.05
SCRUB_S = 1.0
CHECKPOINT_BUSY_MS = 200


class Writer:
    """The thread that writes. It also looks out for other processes' appends while readers wait for some."""

    def __init__(self, path: Path, waiting: Waiting, busy_s: float, flush: Flush) -> None:
        self._queue: Queue = SimpleQueue()
        self.intake = Intake(self._queue.put, BATCH)
        self._connection = Connection(path, busy_s)
        self._waiting = waiting
        self._busy_s = busy_s
        self._flush = flush
        self._unflushed = False
        self._log = log_of(path)
        self._closing = threading.Event()
        self._data_version = -1
        self._polled = 0.0
        self._scrub_at: float | None = None
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """A reader has begun to wait: look out for it."""
        self._queue.put([])

    def close(self) -> None:
        """Write what is pending, move it into the main file and let go of it. Blocks."""
        self.intake.hand_over()
        self._closing.set()
        self._queue.put([])
        self._thread.join()

    def _run(self) -> None:
        while True:
            batch = take(self._queue, BATCH, self._patience())
            if batch:
                settle(self._write(batch))
                if self._unflushed:
                    self._flush_log()
            elif self._closing.is_set():
                break
            # Under load too: deleted text must not wait for a quiet moment.
            if self._scrub_at is not None and time.monotonic() >= self._scrub_at:
                self._checkpoint()
            if self._waiting and time.monotonic() - self._polled >= POLL_S:
                self._look_elsewhere()
        if self._connection.is_open:
            self._checkpoint()
        self._connection.close()

    def _patience(self) -> float | None:
        """Seconds to wait for work before there is something else to do."""
        if self._closing.is_set():
            return 0
        if self._waiting:
            return POLL_S
        return None if self._scrub_at is None else max(self._scrub_at - time.monotonic(), 0)

    def _write(self, batch: list[Work]) -> list[Outcome]:
        try:
            outcomes = self._commit(batch)
        except sqlite3.Error as error:
            fault = self._connection.failed(error)
            self._data_version = -1
            if len(batch) == 1 or is_locked(error):
                return [Outcome(work, error=fault) for work in batch]
        except StorageError as error:
            return [Outcome(work, error=error) for work in batch]
        except Exception as error:  # noqa: BLE001 — an argument that SQLite cannot take: its own writer hears of it
            self._connection.rollback()
            if len(batch) == 1:
                return [Outcome(batch[0], error=error)]
        else:
            return outcomes
        return [outcome for work in batch for outcome in self._write([work])]

    def _commit(self, batch: Sequence[Work]) -> list[Outcome]:
        """Write all in one transaction. Raises what goes wrong, the transaction open, and StorageError unopened."""
        connection = self._connection.get_in_place()
        erases = any(work.erases for work in batch)
        flushes = erases or self._flush == "before"
        connection.execute(f"PRAGMA synchronous = {'FULL' if flushes else 'NORMAL'}")
        connection.execute("BEGIN IMMEDIATE")
        outcomes = []
        for work in batch:
            try:
                outcomes.append(Outcome(work, work.run(connection)))
            except AgenticError as refusal:
                # A refusal, such as a Conflict, comes before anything is changed.
                outcomes.append(Outcome(work, error=refusal))
        connection.execute("COMMIT")
        self._unflushed = not flushes
        appended = {work.appends: result for work, result, error in outcomes if work.appends and error is None}
        if appended and self._waiting:
            self._waiting.wake(appended)
        if erases and self._scrub_at is None:
            self._scrub_at = time.monotonic() + SCRUB_S
        return outcomes

    def _flush_log(self) -> None:
        """Flush what SQLite has left to us. Where that fails, writers are told nothing any more before their flush."""
        self._unflushed = False
        try:
            flush_file(self._log)
        except OSError as error:
            self._flush = "before"
            logger.error("[SqliteStorage] Not flushed, each write waits for the disk from now on: %s", error.strerror)

    def _look_elsewhere(self) -> None:
        """Wake the readers of logs to which another process has appended."""
        self._polled = time.monotonic()
        try:
            connection = self._connection.get()
            version = connection.execute("PRAGMA data_version").fetchone()[0]
            if version != self._data_version:
                self._waiting.wake_by_length(connection)
                self._data_version = version
        except sqlite3.Error as error:
            self._connection.failed(error)
        except AgenticError as error:
            # Nobody waits for this: the readers' own reads tell them what is wrong.
            logger.warning("[SqliteStorage] Watch: %s", error.message)

    def _checkpoint(self) -> None:
        """Move everything into the main file and empty the log file, in which deleted text lives on."""
        self._scrub_at = None
        try:
            connection = self._connection.get()
            connection.execute(f"PRAGMA busy_timeout = {CHECKPOINT_BUSY_MS}")
            try:
                busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            finally:
                connection.execute(f"PRAGMA busy_timeout = {self._busy_s * 1000:.0f}")
            # A reader of another process is in the way: once more, later.
            if busy:
                self._scrub_at = time.monotonic() + SCRUB_S
        except sqlite3.Error as error:
            self._connection.failed(error)
        except StorageError as error:
            logger.warning("[SqliteStorage] Checkpoint: %s", error.message)
