"""The file: its folder, its schema, how a connection is opened, and what SQLite's errors mean to people."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from pathlib import Path

from agentic import StorageError

logger = logging.getLogger(__name__)
_CREATING = threading.Lock()

BUSY_S = 10.0
OLDEST_SQLITE = (3, 35, 0)

# A document's parent is its key up to the last slash: the newest of one folder are read straight off the index.
MIGRATIONS = [
    """
    CREATE TABLE documents (
        key TEXT PRIMARY KEY NOT NULL,
        parent TEXT NOT NULL,
        version INTEGER NOT NULL,
        updated REAL NOT NULL,
        value BLOB NOT NULL
    );
    CREATE INDEX documents_by_updated ON documents (parent, updated DESC, key);
    CREATE TABLE logs (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, length INTEGER NOT NULL);
    CREATE TABLE items (
        log INTEGER NOT NULL REFERENCES logs (id),
        position INTEGER NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (log, position)
    ) WITHOUT ROWID;
    """,
]
"""Each entry brings the schema from its index to the next version; ``user_version`` counts those that were applied."""

FAULTS = {
    "SQLITE_FULL": "the disk is full. Free some room; storage then works again by itself.",
    "SQLITE_READONLY": "the file or its folder is read-only. Make both writable for the server's user.",
    "SQLITE_CORRUPT": "the file is damaged. Restore it from a backup.",
    "SQLITE_NOTADB": "the file is not an SQLite database. Move it away or restore it from a backup.",
    "SQLITE_BUSY": "another process has kept it locked for too long. End that process.",
    "SQLITE_CANTOPEN": "the file cannot be opened. Check that DATA_DIR exists and belongs to the server's user.",
    "SQLITE_IOERR": "the disk reports an error. Check the disk and its free room.",
    "SQLITE_TOOBIG": "the value is too large for SQLite (1 GB).",
}


def storage_error(path: Path, error: sqlite3.Error | OSError) -> StorageError:
    """The error that callers see, with what to do; the details go to the log."""
    name = getattr(error, "sqlite_errorname", "") or ""
    logger.error("[SqliteStorage] Failed: %s: %s (%s)", path, error, name or type(error).__name__)
    reason = (error.strerror or "it cannot be opened") if isinstance(error, OSError) else str(error)
    meaning = next((text for fault, text in FAULTS.items() if name.startswith(fault)), f"{reason}.")
    return StorageError(f"Storage ({path.name}) failed: {meaning}")


def is_locked(error: sqlite3.Error) -> bool:
    """Whether another process had the file for too long."""
    return str(getattr(error, "sqlite_errorname", "")).startswith("SQLITE_BUSY")


def flush_file(path: Path) -> None:
    """Wait until all that was written to this file is on disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        # macOS has none of its own.
        getattr(os, "fdatasync", os.fsync)(descriptor)
    finally:
        os.close(descriptor)


def open_database(path: Path, busy_s: float = BUSY_S) -> sqlite3.Connection:
    """A connection to the file, which is made (0600, its folder 0700) or migrated where that is needed.

    Raises StorageError if it cannot be opened, is newer than this plugin, or SQLite is too old.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StorageError(f"SQLite {sqlite3.sqlite_version} is too old: install a Python with SQLite 3.35 or newer.")
    deadline = time.monotonic() + busy_s
    while True:
        try:
            return _open(path, busy_s)
        except (sqlite3.Error, OSError) as error:
            # Changing to WAL does not wait for its turn as everything else does.
            if isinstance(error, sqlite3.Error) and is_locked(error) and time.monotonic() < deadline:
                time.sleep(0.02)
                continue
            raise storage_error(path, error) from error


def _create(path: Path) -> None:
    """Make the file, for nobody else to read, unless it is there.

    An existing file is not touched: closing any descriptor of it would drop this process's locks on it (POSIX), and
    another process would then take the write-ahead log for abandoned and delete it.
    """
    with _CREATING:
        if not path.exists():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _open(path: Path, busy_s: float) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _create(path)
    connection = sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False)
    try:
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        _migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    if _version(connection, path) == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have done it while this one waited.
        for version in range(_version(connection, path), len(MIGRATIONS)):
            for statement in MIGRATIONS[version].split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection, path: Path) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise StorageError(
            f"{path.name} was written by a newer agentic-plugin-storage-sqlite (schema {version}, this one knows "
            f"{len(MIGRATIONS)}). Run: pip install -U agentic-plugin-storage-sqlite"
        )
    return version
