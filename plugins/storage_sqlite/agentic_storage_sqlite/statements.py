"""What storage does, in SQL, on a connection. Writers run inside a transaction that the caller begins and commits."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from typing import Any

from agentic import Conflict, Stored, decode_value

COLUMNS = "key, value, version, updated"


def save(connection: sqlite3.Connection, key: str, value: bytes, if_version: int | None) -> int:
    """Write the document; raises Conflict before anything is changed."""
    now = time.time()
    new = (key, parent_of(key), now, value)
    insert = "INSERT INTO documents (key, parent, version, updated, value) VALUES (?, ?, 1, ?, ?) ON CONFLICT (key) DO "
    if if_version is None:
        change = "UPDATE SET version = version + 1, updated = excluded.updated, value = excluded.value"
        rows = connection.execute(f"{insert}{change} RETURNING version", new).fetchall()
    elif if_version == 0:
        rows = connection.execute(f"{insert}NOTHING RETURNING version", new).fetchall()
    else:
        update = "UPDATE documents SET version = version + 1, updated = ?, value = ? WHERE key = ? AND version = ?"
        rows = connection.execute(f"{update} RETURNING version", (now, value, key, if_version)).fetchall()
    if not rows:
        raise Conflict("The document was changed in between." if if_version else "The document exists already.")
    return int(rows[0][0])


def restore(connection: sqlite3.Connection, stored: Stored, value: bytes) -> None:
    """Write the document with its version and time."""
    connection.execute(
        "INSERT OR REPLACE INTO documents (key, parent, version, updated, value) VALUES (?, ?, ?, ?, ?)",
        (stored.key, parent_of(stored.key), stored.version, stored.updated, value),
    )


def append(connection: sqlite3.Connection, key: str, items: Sequence[bytes], if_length: int | None) -> int:
    """Append the items; raises Conflict before anything is changed."""
    row = connection.execute("SELECT id, length FROM logs WHERE key = ?", (key,)).fetchone()
    log, length = row or (None, 0)
    if if_length not in (None, length):
        raise Conflict("The log was changed in between.")
    if not items:
        return int(length)
    total = length + len(items)
    if log is None:
        log = connection.execute("INSERT INTO logs (key, length) VALUES (?, ?)", (key, total)).lastrowid
    else:
        connection.execute("UPDATE logs SET length = ? WHERE id = ?", (total, log))
    rows = [(log, length + offset, item) for offset, item in enumerate(items)]
    connection.executemany("INSERT INTO items (log, position, value) VALUES (?, ?, ?)", rows)
    return int(total)


def delete(connection: sqlite3.Connection, key: str) -> bool:
    """Remove the document and the log."""
    found = connection.execute("DELETE FROM documents WHERE key = ?", (key,)).rowcount > 0
    row = connection.execute("SELECT id FROM logs WHERE key = ?", (key,)).fetchone()
    if row is None:
        return found
    connection.execute("DELETE FROM items WHERE log = ?", row)
    connection.execute("DELETE FROM logs WHERE id = ?", row)
    return True


def delete_under(connection: sqlite3.Connection, prefix: str) -> int:
    """Remove all documents and logs under the prefix; how many keys that were."""
    bounds = (prefix, successor(prefix))
    within = "key >= ? AND key < ?"
    both = f"SELECT key FROM documents WHERE {within} UNION SELECT key FROM logs WHERE {within}"
    count = connection.execute(f"SELECT COUNT(*) FROM ({both})", bounds * 2).fetchone()[0]
    connection.execute(f"DELETE FROM items WHERE log IN (SELECT id FROM logs WHERE {within})", bounds)
    connection.execute(f"DELETE FROM logs WHERE {within}", bounds)
    connection.execute(f"DELETE FROM documents WHERE {within}", bounds)
    return int(count)


def touch(connection: sqlite3.Connection) -> None:
    """Write what is there already, which shows whether the medium takes writes."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.execute(f"PRAGMA user_version = {version}")


def load(connection: sqlite3.Connection, key: str) -> Stored | None:
    """The document, or None."""
    row = connection.execute(f"SELECT {COLUMNS} FROM documents WHERE key = ?", (key,)).fetchone()
    return _stored(row) if row else None


def read(connection: sqlite3.Connection, key: str, after: int, limit: int) -> list[Any]:
    """Items of the log from position ``after`` on."""
    rows = connection.execute(
        "SELECT value FROM items WHERE log = (SELECT id FROM logs WHERE key = ?) AND position >= ? "
        "ORDER BY position LIMIT ?",
        (key, max(after, 0), max(limit, 0)),
    )
    return [decode_value(value) for (value,) in rows]


def length(connection: sqlite3.Connection, key: str) -> int:
    """How many items the log has."""
    row = connection.execute("SELECT length FROM logs WHERE key = ?", (key,)).fetchone()
    return int(row[0]) if row else 0


def keys(connection: sqlite3.Connection, prefix: str, after: str | None, limit: int) -> list[str]:
    """Keys of documents and logs under the prefix, in order."""
    where, values = _bounds(prefix, after)
    both = f"SELECT key FROM documents {where} UNION SELECT key FROM logs {where}"
    rows = connection.execute(f"{both} ORDER BY key LIMIT ?", (*values, *values, max(limit, 0)))
    return [key for (key,) in rows]


def list_by_key(connection: sqlite3.Connection, prefix: str, after: str | None, limit: int) -> list[Stored]:
    """Documents under the prefix in key order."""
    where, values = _bounds(prefix, after)
    rows = connection.execute(f"SELECT {COLUMNS} FROM documents {where} ORDER BY key LIMIT ?", (*values, max(limit, 0)))
    return [_stored(row) for row in rows]


def list_by_updated(connection: sqlite3.Connection, prefix: str, after: str | None, limit: int) -> list[Stored]:
    """Documents under the prefix, the last saved first. An ``after`` that is gone begins anew."""
    bounds = [_folder_bound(connection, prefix)]
    seen = connection.execute("SELECT updated FROM documents WHERE key = ?", (after,)).fetchone()
    if seen:
        # The first half lets the index be entered at the right place, the second sorts out equal times.
        bounds += ["updated <= :seen AND (updated < :seen OR key > :after)"]
    values = {
        "prefix": prefix,
        "end": successor(prefix),
        "after": after,
        "seen": seen[0] if seen else None,
        "limit": max(limit, 0),
    }
    # The rows are chosen by the index alone, so that no value is read which is not returned.
    chosen = f"SELECT rowid FROM documents WHERE {' AND '.join(bounds)} ORDER BY updated DESC, key LIMIT :limit"
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM documents WHERE rowid IN ({chosen}) ORDER BY updated DESC, key", values
    )
    return [_stored(row) for row in rows]


def parent_of(key: str) -> str:
    """The key up to its last slash."""
    return key[: key.rfind("/") + 1]


def successor(prefix: str) -> str:
    """The first text after all that start with the prefix, which ends in a slash."""
    return prefix[:-1] + "0"


def _bounds(prefix: str, after: str | None) -> tuple[str, list[str]]:
    """The condition for keys under the prefix and behind ``after``, and its values."""
    bounds = [("key >= ? AND key < ?", [prefix, successor(prefix)])] if prefix else []
    bounds += [("key > ?", [after])] if after is not None else []
    where = "WHERE " + " AND ".join(bound for bound, _ in bounds) if bounds else ""
    return where, [value for _, bound in bounds for value in bound]


def _folder_bound(connection: sqlite3.Connection, prefix: str) -> str:
    """The condition for documents under the prefix: the flat one reads the index in order, the deep one sorts."""
    deep = "parent >= :prefix AND parent < :end" if prefix else "parent >= :prefix"
    query = f"SELECT 1 FROM documents WHERE parent > :prefix AND {deep} LIMIT 1"
    values = {"prefix": prefix, "end": successor(prefix)}
    return deep if connection.execute(query, values).fetchone() else "parent = :prefix"


def _stored(row: tuple[str, bytes, int, float]) -> Stored:
    key, value, version, updated = row
    return Stored(key, decode_value(value), version, updated)
