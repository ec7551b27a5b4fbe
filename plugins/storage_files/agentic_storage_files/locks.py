"""Locks between threads and processes: one of a fixed number for each key, so that there is nothing to clear up."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from zlib import crc32

from agentic import StorageError
from agentic_storage_files.disk import make_folder

LOCKS = 64
BUSY_S = 30.0
_PAUSE_S = 0.001
_LONGEST_PAUSE_S = 0.02


class Locks:
    """Locks in a folder. Whoever holds one takes no other, or takes all in their order: so none wait in a ring."""

    def __init__(self, folder: Path, busy_s: float = BUSY_S) -> None:
        self._folder = folder
        self._busy_s = busy_s
        # Threads of one process queue here: looking again and again is for other processes alone.
        self._threads = [threading.Lock() for _ in range(LOCKS)]

    @contextmanager
    def of(self, key: str) -> Iterator[None]:
        """Keep all others from writing this key. Raises StorageError if another has kept it for too long."""
        with self._lock(crc32(key.encode()) % LOCKS):
            yield

    @contextmanager
    def everything(self) -> Iterator[None]:
        """Keep all others from writing at all."""
        with ExitStack() as held:
            for number in range(LOCKS):
                held.enter_context(self._lock(number))
            yield

    @contextmanager
    def _lock(self, number: int) -> Iterator[None]:
        # The end of the process, however it comes, frees what it held.
        with self._threads[number]:
            file = self._open(self._folder / f"{number:02}")
            try:
                self._wait(file)
                yield
            finally:
                os.close(file)

    def _open(self, path: Path) -> int:
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            make_folder(path.parent)
            return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def _wait(self, file: int) -> None:
        until, pause = time.monotonic() + self._busy_s, _PAUSE_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > until:
                    raise StorageError(
                        "Storage (files) failed: another process has kept it locked for too long. End that process."
                    ) from None
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE_S)
