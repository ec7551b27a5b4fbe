"""Folders made and removed while others do the same."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def make(folder: Path) -> None:
    """Make the folder and those above it that are missing, each on the disk before the next.

    Raises FileNotFoundError if another removes one of them at that moment.
    """
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for made in reversed(missing):
        made.mkdir(mode=0o700, exist_ok=True)
        sync(made.parent)


def sync(folder: Path) -> None:
    """Have what was changed in the folder on the disk."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def remove(folder: Path) -> int:
    """Remove a folder with all that is in it, though another may be at it too; how many files that were."""
    count = 0
    for place, folders, files in os.walk(folder, topdown=False):
        for name in files:
            Path(place, name).unlink(missing_ok=True)
        for name in folders:
            with suppress(FileNotFoundError):
                Path(place, name).rmdir()
        count += len(files)
    with suppress(FileNotFoundError):
        folder.rmdir()
    return count
