"""Files on their way in: written apart from the data, and moved there whole; and what is on its way out.

A name beginning with a dot is never that of data. A file is locked while it is written, so that what a crash has left
behind is told from what another process is writing.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import suppress
from io import FileIO
from pathlib import Path

from agentic_blobs_files import folders

NAME = ".incoming"


class IncomingFile:
    """A file that is being written. It begins with the first ``write`` or with ``finish``; not for several threads."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / secrets.token_hex(16)
        self.size = 0
        self._file: FileIO | None = None

    def write(self, data: bytes) -> None:
        """Add to it."""
        file = self._begun()
        left = memoryview(data)
        while left:
            left = left[file.write(left) :]
        self.size += len(data)

    def finish(self) -> None:
        """Have it flushed to the disk."""
        file = self._begun()
        os.fsync(file.fileno())

    def close(self) -> None:
        """Let go of it, after it was moved to where it belongs."""
        if self._file is not None:
            self._file.close()

    def discard(self) -> None:
        """Remove it."""
        self.close()
        self.path.unlink(missing_ok=True)

    def _begun(self) -> FileIO:
        while self._file is None:
            folders.make(self.path.parent)
            file = FileIO(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
            # Some network file systems cannot lock, and then nothing is cleared there either.
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
            # Whoever clears may have been faster with the lock.
            if os.fstat(file.fileno()).st_nlink:
                self._file = file
            else:
                file.close()
        return self._file


def clear(folder: Path) -> int:
    """Remove what crashed processes have left behind; how many files and folders that were."""
    cleared = 0
    for path in list(folder.iterdir()) if folder.is_dir() else []:
        if path.is_dir():
            folders.remove(path)
            cleared += 1
        else:
            cleared += _remove_if_left(path)
    return cleared


def _remove_if_left(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    except OSError:
        # It is being written, or was moved to its place, or this file system has no locks.
        return False
    return True
