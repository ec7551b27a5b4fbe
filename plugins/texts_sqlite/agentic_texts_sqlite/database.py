"""One scope's file: how it is opened, its schema, and what SQLite's errors mean to people."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from pathlib import Path

from agentic import StorageError

logger = logging.getLogger(__name__)

BUSY_S = 10.0
VERSION = 1
PIECES = 24
"""Bits of a row's id that number the piece within its document; those above are the document's."""

# A document's id may be any text, halves of characters too, so it is kept as bytes.
SCHEMA = """
CREATE TABLE documents (id INTEGER PRIMARY KEY AUTOINCREMENT, name BLOB NOT NULL UNIQUE, pieces INTEGER NOT NULL);
CREATE VIRTUAL TABLE pieces USING fts5 (text, tokenize = 'porter unicode61 remove_diacritics 2')
"""

FAULTS = {
    "SQLITE_FULL": "the disk is full. Free some room; it then works again by itself.",
    "SQLITE_READONLY": "the file or its folder is read-only. Make both writable for the server's user.",
    "SQLITE_CORRUPT": "the file is damaged. Remove it and run: agentic documents reindex",
    "SQLITE_NOTADB": "the file is not an SQLite database. Remove it and run: agentic documents reindex",
    "SQLITE_BUSY": "another process has kept it locked for too long. End that process.",
    "SQLITE_CANTOPEN": "the file cannot be opened. Check that its folder exists and belongs to the server's user.",
    "SQLITE_IOERR": "the disk reports an error. Check the disk and its free room.",
}


def storage_error(path: Path, error: sqlite3.Error | OSError) -> StorageError:
    """The error that callers see, with what to do; the details go to the log."""
    name = getattr(error, "sqlite_errorname", "") or ""
    logger.error("[SqliteTexts] Failed: %s: %s (%s)", path.name, error, name or type(error).__name__)
    if isinstance(error, sqlite3.OperationalError) and "fts5" in str(error):
        return StorageError("Full text needs an SQLite with FTS5, which this Python's has not. Install another Python.")
    reason = (error.strerror or "it cannot be opened") if isinstance(error, OSError) else str(error)
    meaning = next((text for fault, text in FAULTS.items() if name.startswith(fault)), f"{reason}.")
    return StorageError(f"Full text ({told(path)}) failed: {meaning}")


def told(path: Path) -> str:
    """A file as messages name it: with its folder, but not where on the machine that lies."""
    return f"{path.parent.name}/{path.name}"


def is_locked(error: Exception) -> bool:
    """Whether another process had the file for too long."""
    return str(getattr(error, "sqlite_errorname", "")).startswith("SQLITE_BUSY")


def connect(path: Path, busy_s: float) -> sqlite3.Connection:
    """A connection to the file, which is made if it is missing; its folder must be there.

    Raises sqlite3.Error, OSError, and StorageError for a file that a newer version has written.
    """
    if not path.exists():
        # An existing file is not touched: to close it would take away the locks that this process has on it.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection, path, busy_s)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, busy_s: float) -> None:
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    if _version(connection, path) != VERSION:
        # Pages that become free are given back. To say so is a write, and is heard in an empty file alone.
        connection.execute("PRAGMA auto_vacuum = FULL")
    deadline = time.monotonic() + busy_s
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # Changing to WAL does not wait for its turn as everything else does.
            if not is_locked(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA journal_size_limit = 16777216")
    if _version(connection, path) != VERSION:
        _create(connection, path)


def _create(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have done it while this one waited.
        if _version(connection, path) != VERSION:
            for statement in SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection, path: Path) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > VERSION:
        raise StorageError(
            f"{told(path)} was written by a newer agentic-plugin-texts-sqlite. "
            "Run: pip install -U agentic-plugin-texts-sqlite"
        )
    return version
