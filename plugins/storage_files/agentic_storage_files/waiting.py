"""Readers that wait for a log to grow: appends here wake them at once, those of other processes are looked out for."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)

POLL_S = 0.05
Sign = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True, eq=False)
class Waiter:
    """One reader: ``grown`` is set in its loop once the log may have grown."""

    path: Path
    grown: asyncio.Event
    loop: asyncio.AbstractEventLoop


class Waiting:
    """All readers that wait, of any event loop. A thread looks at their logs while there are some."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiters: dict[Path, set[Waiter]] = {}
        self._seen: dict[Path, Sign] = {}
        self._thread: threading.Thread | None = None

    def add(self, path: Path) -> Waiter:
        """Begin to wait, in the running loop; read once more afterwards, since the log may have grown just before."""
        waiter = Waiter(path, asyncio.Event(), asyncio.get_running_loop())
        with self._lock:
            self._waiters.setdefault(path, set()).add(waiter)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="files-watch", daemon=True)
                self._thread.start()
        return waiter

    def remove(self, waiter: Waiter) -> None:
        """Wait no longer."""
        with self._lock:
            waiters = self._waiters.get(waiter.path, set())
            waiters.discard(waiter)
            if not waiters:
                self._waiters.pop(waiter.path, None)
                self._seen.pop(waiter.path, None)

    def wake(self, path: Path) -> None:
        """Wake those who wait for this log."""
        with self._lock:
            woken = list(self._waiters.get(path, ()))
        _set(woken)

    def wake_all(self) -> None:
        """Wake everybody: storage is closing."""
        with self._lock:
            everybody = [waiter for waiters in self._waiters.values() for waiter in waiters]
        _set(everybody)

    def _watch(self) -> None:
        pause = threading.Event()
        while True:
            with self._lock:
                paths = list(self._waiters)
                if not paths:
                    self._thread = None
                    return
            for path in paths:
                self._look(path)
            pause.wait(POLL_S)

    def _look(self, path: Path) -> None:
        sign = _sign(path)
        with self._lock:
            changed = path in self._waiters and self._seen.get(path, ()) != sign
            if changed:
                self._seen[path] = sign
        if changed:
            self.wake(path)


def _sign(path: Path) -> Sign:
    """What changes when the file does."""
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_ino, state.st_size, state.st_mtime_ns


def _set(waiters: Iterable[Waiter]) -> None:
    for waiter in waiters:
        try:
            waiter.loop.call_soon_threadsafe(waiter.grown.set)
        except RuntimeError:
            logger.info("[FileStorage] Wake: the event loop of a waiting reader has ended")
