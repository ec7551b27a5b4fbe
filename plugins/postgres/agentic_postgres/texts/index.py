"""The full-text index: what the port promises, in a PostgreSQL database."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from agentic import Hit, TextIndex, Texts
from agentic_postgres.database import Database
from agentic_postgres.pool import LONG_S, Pool
from agentic_postgres.texts.statements import Statements
from agentic_postgres.texts.words import asked, indexed

AT_ONCE = 200
"""Pieces in one statement."""
_SCOPES = 0x616774787473
"""What the locks of scopes are told from others by."""
_SCOPE = re.compile(r"[A-Za-z0-9_.-]{1,120}")

Prepared = tuple[list[int], list[int], list[str]]
"""Numbers of pieces, how many words each has, and these with blanks between them."""


class PostgresTextIndex(TextIndex):
    """The texts of all scopes in two tables of a database, which any number of servers may share.

    Beside a storage it takes half of the connections at most: that has some left whatever is searched for and indexed.
    Every method raises StorageError when the database is away, and works again once it is back.
    """

    name = "postgres"
    rank = 0
    leaves = (
        "PostgreSQL keeps words of deleted documents in its files until it uses their space again, and in the index of "
        "words until REINDEX or VACUUM FULL."
    )

    def __init__(self, pool: Pool) -> None:
        too_large = "a piece of the document has more different words than PostgreSQL indexes (1 MB)."
        self.statements = Statements(pool.schema)
        self.database = Database(pool, "Full text", modest=True, too_large=too_large, utf8=True)

    def collection(self, scope: str) -> Texts:
        """The index of a scope. Raises ValueError for what is no scope."""
        return PostgresTexts(self, _checked(scope))

    async def scopes(self) -> Sequence[str]:
        """Every scope that has a document."""
        rows = await self.database.fetch(self.statements.scopes)
        return [row[0] for row in rows]

    async def drop(self, scope: str) -> int:
        """Remove all of a scope; how many pieces that were."""
        return await self.remove(self.statements.drop, _checked(scope))

    @asynccontextmanager
    async def writing(self, scope: str, *, alone: bool = False) -> AsyncIterator[Any]:
        """A connection in a transaction. Raises StorageError.

        ``alone``: while nobody else writes in the scope, which who locks many rows must be.
        """
        lock = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
        async with self.database.transaction() as connection:
            await connection.execute(f"SELECT {lock}(hashtextextended($1, $2))", scope, _SCOPES, timeout=LONG_S)
            yield connection

    async def remove(self, statement: str, scope: str, *name: bytes) -> int:
        """Remove the document of the name, or all, with their pieces; how many pieces that were."""
        async with self.writing(scope, alone=not name) as connection:
            rows = await connection.fetch(statement, scope, *name, timeout=LONG_S)
            if rows:
                await connection.execute(self.statements.clear, scope, [row[0] for row in rows], timeout=LONG_S)
        return sum(row[1] for row in rows)

    async def health(self) -> str | None:
        """None if the database takes writes, else what is wrong with it."""
        return await self.database.health()

    async def aclose(self) -> None:
        """Wait for what is being done, and let go of the database. Later calls raise StorageError."""
        await self.database.aclose()


class PostgresTexts(Texts):
    """The index of one scope."""

    def __init__(self, index: PostgresTextIndex, scope: str) -> None:
        self._index = index
        self._scope = scope

    async def add(self, doc_id: str, texts: Sequence[str]) -> None:
        """Index a document's pieces in place of those it had, in one transaction."""
        if not texts:
            await self.delete(doc_id)
            return
        parts = await asyncio.to_thread(_prepared, list(texts))
        statements = self._index.statements
        length = sum(sum(lengths) for _, lengths, _ in parts)
        async with self._index.writing(self._scope) as connection:
            document = await connection.fetchval(
                statements.replace, self._scope, _name(doc_id), len(texts), length, timeout=LONG_S
            )
            # A statement of its own sees what another one has added while this one waited for the document's record.
            await connection.execute(statements.clear, self._scope, [document], timeout=LONG_S)
            for part in parts:
                await connection.execute(statements.insert, self._scope, document, *part, timeout=LONG_S)

    async def search(self, query: str, k: int, doc_ids: Sequence[str] | None = None) -> Sequence[Hit]:
        """The pieces that hold the query's words best, by BM25 over this scope."""
        words = await asyncio.to_thread(asked, query)
        if not words or k <= 0 or (doc_ids is not None and not doc_ids):
            return []
        names = None if doc_ids is None else [_name(doc_id) for doc_id in set(doc_ids)]
        rows = await self._index.database.fetch(self._index.statements.search, self._scope, words, names, k)
        return [Hit(_doc_id(name), number, score) for name, number, score in rows]

    async def delete(self, doc_id: str) -> int:
        """Remove a document's pieces; how many that were."""
        return await self._index.remove(self._index.statements.delete, self._scope, _name(doc_id))

    async def documents(self) -> Sequence[str]:
        """The id of each document."""
        rows = await self._index.database.fetch(self._index.statements.documents, self._scope)
        return [_doc_id(row[0]) for row in rows]


def _prepared(texts: Sequence[str]) -> list[Prepared]:
    """The pieces as statements take them; those without words are left out."""
    words = [(number, found) for number, text in enumerate(texts) if (found := indexed(text))]
    parts = [words[start : start + AT_ONCE] for start in range(0, len(words), AT_ONCE)]
    return [
        ([number for number, _ in part], [len(found) for _, found in part], [" ".join(found) for _, found in part])
        for part in parts
    ]


def _checked(scope: str) -> str:
    if not _SCOPE.fullmatch(scope):
        raise ValueError(f"a scope has 1 to 120 letters, digits, '_', '-' and '.': {scope!r}")
    return scope


def _name(doc_id: str) -> bytes:
    """A document's id as it is kept: any text is one, halves of characters and NUL too."""
    return doc_id.encode("utf-8", "surrogatepass")


def _doc_id(name: Any) -> str:
    return bytes(name).decode("utf-8", "surrogatepass")
