"""One scope's file in use: a connection that writes and one that reads, opened when they are needed."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

from agentic import Hit, StorageError
from agentic_texts_sqlite import statements
from agentic_texts_sqlite.database import connect, is_locked, storage_error, told
from agentic_texts_sqlite.folder import Folder, remove
from agentic_texts_sqlite.words import indexed, query_of

T = TypeVar("T")
MANY = 1000
"""Pieces from which on words that most of them hold are not looked for: FTS5 gives such a word no weight at all, and
takes as long for it as for all others together."""
CHANGED = 0.1
"""Part of the pieces that come or go until it is told anew which words those are."""


class Scope:
    """The file of one scope. All methods block; they raise StorageError when the file fails, and recover by themselves.

    Searches go on while a document is written, and see what there was before.
    """

    def __init__(self, folder: Folder, file: str, busy_s: float) -> None:
        self.path = folder.root / file
        self._folder = folder
        self._busy_s = busy_s
        self._writing = threading.Lock()
        self._reading = threading.Lock()
        self._writer: Opened | None = None
        self._reader: Opened | None = None
        self._common: tuple[int, frozenset[str]] = (0, frozenset())
        self.users = 0
        """How many threads have it in use; counted by the index."""

    def add(self, doc_id: str, texts: Sequence[str]) -> None:
        """Index a document's pieces in place of those it had."""
        if not texts:
            self.delete(doc_id)
            return
        ready = [indexed(text) for text in texts]
        self._write(partial(statements.add, name=statements.name_of(doc_id), texts=ready), lambda had: had, make=True)

    def delete(self, doc_id: str) -> int:
        """Remove a document's pieces; how many that were. Nothing is left of them when this returns."""
        count = self._write(partial(statements.delete, name=statements.name_of(doc_id)), lambda _: True, make=False)
        if count and not self.documents():
            self._remove(only_if_empty=True)
        return count or 0

    def drop(self) -> int:
        """Remove the file; how many pieces it had."""
        return self._remove(only_if_empty=False)

    def search(self, query: str, k: int, doc_ids: Sequence[str] | None) -> Sequence[Hit]:
        """The pieces that hold the query's words best."""
        if not query_of(query) or k <= 0 or (doc_ids is not None and not doc_ids):
            return []
        names = None if doc_ids is None else [statements.name_of(doc_id) for doc_id in set(doc_ids)]

        def search(connection: sqlite3.Connection) -> Sequence[Hit]:
            asked = query_of(query, self._common_words(connection))
            return statements.search(connection, asked, k, names)

        return self._read(search) or []

    def documents(self) -> Sequence[str]:
        """The id of each document."""
        return self._read(statements.documents) or []

    def _common_words(self, connection: sqlite3.Connection) -> frozenset[str]:
        """Words that need not be looked for, as they were when they were last told."""
        pieces = statements.pieces(connection)
        counted, words = self._common
        if pieces < MANY:
            return frozenset()
        if abs(pieces - counted) > CHANGED * counted:
            words = statements.common(connection, pieces)
            self._common = (pieces, words)
        return words

    def scrub(self) -> None:
        """Empty the write-ahead log, in which deleted text may live on after a crash."""
        self._write(lambda _: None, lambda _: True, make=False)

    def close(self) -> None:
        """Let go of the file, once what is being done is done; the next use opens it again."""
        with self._writing, self._reading:
            self._close()

    def _write(self, run: Callable[[sqlite3.Connection], T], erases: Callable[[T], bool], *, make: bool) -> T | None:
        with self._writing, self._folder.used():
            try:
                self._writer = self._current(self._writer, make=make)
                if self._writer is None:
                    return None
                result = self._writer.transact("BEGIN IMMEDIATE", run)
                if erases(result):
                    # Searches that never pause would keep the log from being emptied.
                    with self._reading:
                        self._truncate(self._writer.connection)
                return result
            except (sqlite3.Error, OSError) as error:
                self._writer = _after(error, self._writer)
                raise storage_error(self.path, error) from error

    def _read(self, run: Callable[[sqlite3.Connection], T]) -> T | None:
        with self._reading, self._folder.used():
            try:
                self._reader = self._current(self._reader, make=False)
                return self._reader.transact("BEGIN", run) if self._reader else None
            except (sqlite3.Error, OSError) as error:
                self._reader = _after(error, self._reader)
                raise storage_error(self.path, error) from error

    def _remove(self, *, only_if_empty: bool) -> int:
        with self._writing, self._reading:
            self._close()
            with self._folder.alone():
                count = self._count()
                if count == 0 or not only_if_empty:
                    remove(self.path)
                return count or 0

    def _count(self) -> int | None:
        """How many pieces the file holds; None where that cannot be told, so that it is not taken for empty."""
        opened = None
        try:
            opened = self._current(None, make=False)
            return statements.pieces(opened.connection) if opened else 0
        except (sqlite3.Error, OSError, StorageError):
            return None
        finally:
            if opened:
                opened.connection.close()

    def _truncate(self, connection: sqlite3.Connection) -> None:
        if connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            raise StorageError(
                f"Full text ({told(self.path)}): the text was removed, but another process is reading, so that "
                "the file's log still holds it. Delete it once more."
            )

    def _current(self, opened: Opened | None, *, make: bool) -> Opened | None:
        """The connection, if the file that it has open is still the one with its name; else a new one."""
        inode = _inode(self.path)
        if opened and opened.inode == inode:
            return opened
        if opened:
            opened.connection.close()
        if inode is None and not make:
            return None
        connection = connect(self.path, self._busy_s)
        return Opened(connection, _inode(self.path))

    def _close(self) -> None:
        for opened in (self._writer, self._reader):
            if opened:
                opened.connection.close()
        self._writer = self._reader = None


class Opened:
    """A connection, and the file that it has open."""

    def __init__(self, connection: sqlite3.Connection, inode: int | None) -> None:
        self.connection = connection
        self.inode = inode

    def transact(self, begin: str, run: Callable[[sqlite3.Connection], T]) -> T:
        """Run it in a transaction, of which nothing stays if it raises."""
        self.connection.execute(begin)
        try:
            result = run(self.connection)
            self.connection.execute("COMMIT")
            return result
        except BaseException:
            # SQLite has undone some failures by itself, and cannot undo others: the connection is then closed.
            with suppress(sqlite3.Error):
                self.connection.execute("ROLLBACK")
            raise


def _after(error: sqlite3.Error | OSError, opened: Opened | None) -> Opened | None:
    """The connection if it can be used again: it was only told to wait or that the disk is full."""
    full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    if opened is None or full or is_locked(error):
        return opened
    opened.connection.close()
    return None


def _inode(path: os.PathLike[str]) -> int | None:
    try:
        return os.stat(path).st_ino  # noqa: PTH116 — made for every search, half as long
    except FileNotFoundError:
        return None
