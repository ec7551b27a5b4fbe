"""One process at a time in the folder of an embedded Chroma.

Chroma does not see to that: each process keeps the index in memory, and finds nothing of what another one has written
since it was loaded. The lock goes with the process, however that ends.
"""

from __future__ import annotations

import fcntl
import os
import threading
from dataclasses import dataclass
from pathlib import Path

LOCK = "in-use.lock"


class Taken(Exception):
    """Another process has the folder; the message is its number, as far as it is known."""


@dataclass
class _Held:
    descriptor: int
    count: int


_held: dict[Path, _Held] = {}
"""Of this process, whose stores share what Chroma has opened, as they share a lock."""
_changing = threading.RLock()


def hold(folder: Path) -> None:
    """Take a folder for this process, once more where it has it already. Raises Taken, OSError."""
    place = folder.resolve()
    with _changing:
        held = _held.get(place)
        if held is None:
            held = _held[place] = _Held(_locked(place / LOCK), 0)
        held.count += 1


def let_go(folder: Path) -> None:
    """Give back what ``hold`` took; other processes may come in after the last one."""
    place = folder.resolve()
    with _changing:
        held = _held[place]
        held.count -= 1
        if not held.count:
            os.close(_held.pop(place).descriptor)


def _locked(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace")
        os.close(descriptor)
        raise Taken(holder) from error
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _forget() -> None:
    """In a process that was forked: the lock is its parent's, and must not outlive that."""
    while _held:
        os.close(_held.popitem()[1].descriptor)


os.register_at_fork(after_in_child=_forget)
