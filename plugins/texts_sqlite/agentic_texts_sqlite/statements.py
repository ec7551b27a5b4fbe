"""What the index does, in SQL, on a connection. Writers run inside a transaction that the caller begins and commits."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from agentic import Hit
from agentic_texts_sqlite.database import PIECES

WITHIN = (1 << PIECES) - 1


def add(connection: sqlite3.Connection, name: bytes, texts: Sequence[str]) -> bool:
    """Index a document's pieces in place of those it had; whether it had any."""
    if len(texts) > WITHIN:
        raise ValueError(f"a document has at most {WITHIN} pieces")
    replaced = delete(connection, name) > 0
    insert = "INSERT INTO documents (name, pieces) VALUES (?, ?)"
    document = connection.execute(insert, (name, len(texts))).lastrowid or 0
    rows = ((document << PIECES | number, text) for number, text in enumerate(texts))
    connection.executemany("INSERT INTO pieces (rowid, text) VALUES (?, ?)", rows)
    return replaced


def delete(connection: sqlite3.Connection, name: bytes) -> int:
    """Remove a document; how many pieces it had.

    FTS5 notes what is deleted and keeps the words until it merges its parts, so all of them are merged at once.
    """
    row = connection.execute("SELECT id, pieces FROM documents WHERE name = ?", (name,)).fetchone()
    if row is None:
        return 0
    document, pieces = row
    bounds = (document << PIECES, document << PIECES | WITHIN)
    connection.execute("DELETE FROM pieces WHERE rowid BETWEEN ? AND ?", bounds)
    connection.execute("DELETE FROM documents WHERE id = ?", (document,))
    connection.execute("INSERT INTO pieces (pieces) VALUES ('optimize')")
    return int(pieces)


def search(connection: sqlite3.Connection, query: str, k: int, names: Sequence[bytes] | None) -> list[Hit]:
    """The pieces that hold the query's words best; runs inside a transaction, so that all is of one moment."""
    where = ""
    if names is not None:
        found = (connection.execute("SELECT id FROM documents WHERE name = ?", (name,)).fetchone() for name in names)
        # Numbers of our own making, of which there may be more than a statement takes as parameters.
        where = f"AND rowid >> {PIECES} IN ({', '.join(str(int(row[0])) for row in found if row)})"
    rows = connection.execute(
        f"SELECT rowid, rank FROM pieces WHERE pieces MATCH ? {where} ORDER BY rank, rowid LIMIT ?", (query, k)
    ).fetchall()
    known: dict[int, str] = {}
    for document in {rowid >> PIECES for rowid, _ in rows}:
        name = connection.execute("SELECT name FROM documents WHERE id = ?", (document,)).fetchone()[0]
        known[document] = text_of(name)
    return [Hit(known[rowid >> PIECES], rowid & WITHIN, -rank) for rowid, rank in rows]


def common(connection: sqlite3.Connection, pieces: int) -> frozenset[str]:
    """The words, as the index has them, that more than half of its ``pieces`` hold."""
    connection.execute("CREATE VIRTUAL TABLE IF NOT EXISTS temp.words USING fts5vocab ('main', 'pieces', 'row')")
    found = connection.execute("SELECT term FROM temp.words WHERE doc > ?", (pieces / 2,))
    return frozenset(term for (term,) in found)


def documents(connection: sqlite3.Connection) -> list[str]:
    """The id of each document."""
    return [text_of(name) for (name,) in connection.execute("SELECT name FROM documents ORDER BY id")]


def pieces(connection: sqlite3.Connection) -> int:
    """How many pieces all documents have."""
    return int(connection.execute("SELECT COALESCE(SUM(pieces), 0) FROM documents").fetchone()[0])


def name_of(doc_id: str) -> bytes:
    """A document's id as it is kept."""
    return doc_id.encode("utf-8", "surrogatepass")


def text_of(name: bytes) -> str:
    """The id that was kept."""
    return name.decode("utf-8", "surrogatepass")
