"""The tables of storage and full text, and how a schema is brought up to date, whichever process comes first."""

from __future__ import annotations

from typing import Any

from agentic import StorageError
from agentic_postgres.schema import Schema

MIGRATIONS = [
    # Storage. Keys and values are bytes: PostgreSQL's text knows no NUL, and bytes sort by code point.
    """
    CREATE TABLE {schema}.documents (
        key bytea PRIMARY KEY,
        parent bytea NOT NULL,
        version bigint NOT NULL,
        updated double precision NOT NULL,
        value bytea NOT NULL
    );
    CREATE INDEX documents_by_updated ON {schema}.documents (parent, updated DESC, key);
    CREATE TABLE {schema}.logs (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        key bytea NOT NULL UNIQUE,
        length bigint NOT NULL
    );
    CREATE TABLE {schema}.items (
        log bigint NOT NULL,
        position bigint NOT NULL,
        value bytea NOT NULL,
        PRIMARY KEY (log, position)
    );
    """,
    # Statistics would copy values into a table of the system, where they outlive what was deleted. Those made so far
    # go with the column's type, which stays what it is.
    """
    ALTER TABLE {schema}.documents ALTER COLUMN value SET STATISTICS 0, ALTER COLUMN value TYPE bytea;
    ALTER TABLE {schema}.items ALTER COLUMN value SET STATISTICS 0, ALTER COLUMN value TYPE bytea;
    """,
    # Full text. Lengths are in words. A piece without words has no row, but counts in its document's ``pieces``.
    # ``text_stem`` cuts English words to their stems and, unlike PostgreSQL's own, leaves none out. Statistics of
    # ``words``, of which searches would have no use, would keep words of everybody.
    """
    CREATE TEXT SEARCH DICTIONARY {schema}.text_stem (TEMPLATE = pg_catalog.snowball, LANGUAGE = english);
    CREATE TABLE {schema}.text_documents (
        scope text COLLATE "C" NOT NULL,
        name bytea NOT NULL,
        id bigint GENERATED ALWAYS AS IDENTITY,
        pieces int NOT NULL,
        length bigint NOT NULL,
        PRIMARY KEY (scope, name),
        UNIQUE (scope, id)
    );
    CREATE TABLE {schema}.text_pieces (
        scope text COLLATE "C" NOT NULL,
        document bigint NOT NULL,
        number int NOT NULL,
        length int NOT NULL,
        words tsvector NOT NULL,
        PRIMARY KEY (scope, document, number)
    );
    ALTER TABLE {schema}.text_pieces ALTER COLUMN words SET STATISTICS 0;
    CREATE INDEX text_pieces_by_word ON {schema}.text_pieces USING gin (words) WITH (fastupdate = off);
    """,
]
"""Each entry brings a schema from its index to the next version; ``versions`` tells how many were applied.

All are applied whatever is used: tables that nobody uses cost nothing, and what is chosen later finds its own.
"""

_LONG_S = 60.0
"""Within which a statement is answered that waits for another process, or rebuilds a table."""
_MIGRATING = 0x6167656E74696300
"""The advisory lock of whoever changes the schema; the schema's own number is added to it."""


async def migrate(connection: Any, name: str) -> None:
    """Bring a schema up to date, one process after the other. Raises StorageError for one that a newer version made."""
    schema = Schema(name).schema
    async with connection.transaction():
        await connection.execute(
            "SELECT pg_advisory_xact_lock($1::bigint + hashtext($2))", _MIGRATING, name, timeout=_LONG_S
        )
        version = await _version(connection, name)
        if version == len(MIGRATIONS):
            return
        # Whoever owns a schema that somebody else has made may not make one, and need not.
        if await connection.fetchval("SELECT to_regnamespace($1)", schema) is None:
            await connection.execute(f"CREATE SCHEMA {schema}")
        await connection.execute(f"CREATE TABLE IF NOT EXISTS {schema}.versions (applied int NOT NULL)")
        for number in range(version, len(MIGRATIONS)):
            await connection.execute(MIGRATIONS[number].format(schema=schema), timeout=_LONG_S)
            await connection.execute(f"INSERT INTO {schema}.versions VALUES ($1)", number + 1)


async def _version(connection: Any, name: str) -> int:
    """How many migrations were applied."""
    table = f"{Schema(name).schema}.versions"
    if await connection.fetchval("SELECT to_regclass($1)", table) is None:
        return 0
    version = int(await connection.fetchval(f"SELECT coalesce(max(applied), 0) FROM {table}"))
    if version > len(MIGRATIONS):
        raise StorageError(
            f"The schema {name} was made by a newer agentic-plugin-postgres (version {version}, this one knows "
            f"{len(MIGRATIONS)}). Run: pip install -U agentic-plugin-postgres"
        )
    return version
