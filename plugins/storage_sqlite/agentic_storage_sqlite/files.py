"""The files of the database by what they are on the disk, and not by name: whether they are still the same."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TypeAlias

from agentic import StorageError

logger = logging.getLogger(__name__)

File: TypeAlias = tuple[int, int] | None
"""Device and number of a file; None where there is none."""
Files: TypeAlias = tuple[File, File]
"""The database, and its write-ahead log."""


def log_of(path: Path) -> Path:
    """Where the write-ahead log of a database lies."""
    return path.with_name(f"{path.name}-wal")


def files_of(path: Path) -> Files:
    """The files that have the names now. SQLite removes the log only with the last connection."""
    return _file(path), _file(log_of(path))


def taken_away(path: Path, opened: Files, now: Files) -> StorageError:
    """What to tell of files that changed behind an open connection."""
    if now[0] is None:
        told = f"Storage ({path.name}) is gone: put the file back and restart the server."
    elif now[0] != opened[0]:
        told = f"Storage ({path.name}) was replaced while the server runs: restart the server, to use the new file."
    else:
        told = (
            f"Storage ({path.name}) has lost its {log_of(path).name} while the server runs. What that held is saved: "
            "restart the server, and let nobody remove it."
        )
    logger.error("[SqliteStorage] Taken away: %s", path)
    return StorageError(told)


def _file(path: Path) -> File:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
