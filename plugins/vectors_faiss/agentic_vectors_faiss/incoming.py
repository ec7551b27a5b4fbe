"""Files on their way in, and folders on their way out, apart from the data; crashes leave them to be cleared."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

NAME = ".incoming"


class IncomingFile:
    """A file that is written apart. It is locked meanwhile: so what a crash has left is told from what is in work."""

    def __init__(self, folder: Path) -> None:
        make(folder)
        while True:
            self.path = folder / secrets.token_hex(16)
            self.file: BinaryIO = os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b")
            # Some network file systems cannot lock; there, nothing is cleared either.
            with suppress(OSError):
                fcntl.flock(self.file, fcntl.LOCK_EX)
            # One who clears may have taken it for a left-over before it was locked.
            if os.fstat(self.file.fileno()).st_nlink:
                return
            self.file.close()

    def finish(self) -> None:
        """Have it on the disk."""
        self.file.flush()
        os.fsync(self.file.fileno())

    def close(self) -> None:
        """Let go of it after it was moved, or remove it where it still lies apart."""
        try:
            self.file.close()
        finally:
            self.path.unlink(missing_ok=True)


def make(folder: Path) -> None:
    """Make the folder and those above it that are missing, for nobody else to read.

    Raises FileNotFoundError if another removes one of them at that moment.
    """
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for made in reversed(missing):
        made.mkdir(mode=0o700, exist_ok=True)


def put_away(folder: Path, incoming: Path) -> bool:
    """Take a folder away in one step and remove it then; whether it was there."""
    make(incoming)
    out = incoming / secrets.token_hex(16)
    try:
        folder.rename(out)
    except FileNotFoundError:
        return False
    # Another process may clear it away at the same time.
    shutil.rmtree(out, ignore_errors=True)
    if out.exists():
        shutil.rmtree(out)
    return True


def clear(folder: Path) -> int:
    """Remove what crashed processes have left behind; how many files and folders that were."""
    cleared = 0
    for path in list(folder.iterdir()) if folder.is_dir() else []:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
            cleared += 1
            continue
        # Locked: it is being written. Gone: it was moved to its place.
        with suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            cleared += 1
    return cleared
