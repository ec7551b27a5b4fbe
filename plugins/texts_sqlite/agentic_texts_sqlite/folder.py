"""The folder of all scopes' files, and the lock that lets one of them be removed while others are in use.

Whoever opens or uses a file holds the lock together with others; whoever removes one holds it alone. So nobody writes
into a file that is gone, and no file's log is taken for that of its successor.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agentic_texts_sqlite.names import END, scope_of_file

LOCK = ".lock"
BESIDE = ("-wal", "-shm", "-journal")
"""Endings of what SQLite keeps beside a file."""


class Folder:
    """The folder at ``root``, which is made with the first file. All methods block."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def used(self) -> Iterator[None]:
        """While files are opened or used."""
        with self._locked(fcntl.LOCK_SH):
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While a file is removed: no process of this machine has one in use."""
        with self._locked(fcntl.LOCK_EX):
            yield

    def scopes(self) -> list[str]:
        """Every scope that has a file, in order."""
        found = (scope_of_file(path.name) for path in (self.root.iterdir() if self.root.is_dir() else ()))
        return sorted(scope for scope in found if scope is not None)

    def logs(self) -> list[str]:
        """The names of the files whose write-ahead log holds anything."""
        logs = self.root.glob(f"*{END}-wal")
        return [log.name.removesuffix("-wal") for log in logs if log.stat().st_size]

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self.root / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, how)
            yield
        finally:
            os.close(lock)


def remove(path: Path) -> None:
    """Remove a file and what SQLite keeps beside it, and have that on the disk."""
    for beside in BESIDE:
        path.with_name(path.name + beside).unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    opened = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
