"""A few threads that read, each with a connection and a queue of its own."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from queue import SimpleQueue

from agentic_storage_sqlite.work import Connection, Intake, Outcome, Queue, Work, settle, take

READERS = 2
AT_ONCE = 8


class Readers:
    """The threads that read. One takes several reads at once, so that waking it is paid for once.

    Works go to the first thread that has nothing else to do: threads that wait at one queue are all woken by each work.
    """

    def __init__(self, path: Path, busy_s: float) -> None:
        self._readers = [_Reader(path, busy_s, number) for number in range(READERS)]
        self.intake = Intake(self._put, AT_ONCE)

    def close(self) -> None:
        """Finish what is pending and let go of the file. Blocks."""
        self.intake.hand_over()
        for reader in self._readers:
            reader.close()

    def _put(self, works: list[Work]) -> None:
        min(self._readers, key=_Reader.load).queue.put(works)


class _Reader:
    """One thread that reads."""

    def __init__(self, path: Path, busy_s: float, number: int) -> None:
        self.queue: Queue = SimpleQueue()
        self._connection = Connection(path, busy_s)
        self._reading = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"sqlite-reader-{number}", daemon=True)
        self._thread.start()

    def load(self) -> int:
        """How much it has to do; a guess, since it goes on meanwhile."""
        return self.queue.qsize() + self._reading

    def close(self) -> None:
        """Finish what is pending and let go of the file. Blocks."""
        self._closing.set()
        self.queue.put([])
        self._thread.join()

    def _run(self) -> None:
        while True:
            batch = take(self.queue, AT_ONCE, 0 if self._closing.is_set() else None)
            if batch:
                self._reading = True
                settle([_outcome(self._connection, work) for work in batch])
                self._reading = False
            elif self._closing.is_set():
                break
        self._connection.close()


def _outcome(connection: Connection, work: Work) -> Outcome:
    try:
        return Outcome(work, work.run(connection.get()))
    except sqlite3.Error as error:
        return Outcome(work, error=connection.failed(error))
    except Exception as error:  # noqa: BLE001 — whatever it is, the one who asked hears of it and the thread goes on
        return Outcome(work, error=error)
