"""A few threads that read, each with a connection of its own, from one queue."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from queue import SimpleQueue

from agentic_storage_sqlite.work import Connection, Intake, Outcome, Queue, Work, settle, take

READERS = 2
AT_ONCE = 8


class Readers:
    """The threads that read. One takes several reads at once, so that waking it is paid for once."""

    def __init__(self, path: Path, busy_s: float) -> None:
        self._queue: Queue = SimpleQueue()
        self.intake = Intake(self._queue, AT_ONCE)
        self._path = path
        self._busy_s = busy_s
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"sqlite-reader-{number}", daemon=True) for number in range(READERS)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Finish what is pending and let go of the file. Blocks."""
        self.intake.hand_over()
        self._closing.set()
        for _ in self._threads:
            self._queue.put([])
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        connection = Connection(self._path, self._busy_s)
        while True:
            batch = take(self._queue, AT_ONCE, 0 if self._closing.is_set() else None)
            if batch:
                settle([_outcome(connection, work) for work in batch])
            elif self._closing.is_set():
                break
        connection.close()
        # This thread may have taken the other one's wake-up together with its last work.
        self._queue.put([])


def _outcome(connection: Connection, work: Work) -> Outcome:
    try:
        return Outcome(work, work.run(connection.get()))
    except sqlite3.Error as error:
        return Outcome(work, error=connection.failed(error))
    except Exception as error:  # noqa: BLE001 — whatever it is, the one who asked hears of it and the thread goes on
        return Outcome(work, error=error)
