"""The SQL of the storage."""

from __future__ import annotations

from dataclasses import dataclass

from agentic_postgres.schema import Schema

_DOCUMENT = "key, value, version, updated"
_INSERT = (
    "INSERT INTO {schema}.documents AS d (key, parent, version, updated, value) VALUES ($1, $2, {version}, $3, $4)"
)
_RESTORE = """ ON CONFLICT (key) DO UPDATE
    SET version = excluded.version, updated = excluded.updated, value = excluded.value"""
# One statement is one transaction: the log's row is locked from its change to the commit, so appends to a log queue.
_APPEND = """
    WITH grown AS ({grow} RETURNING id, length),
    added AS (
        INSERT INTO {schema}.items (log, position, value)
        SELECT grown.id, grown.length - cardinality($2::bytea[]) + new.place - 1, new.value
        FROM grown, unnest($2::bytea[]) WITH ORDINALITY AS new (value, place)
    )
    SELECT length, pg_notify('{channel}', $3) FROM grown
"""
_NEW_LOG = "INSERT INTO {schema}.logs AS l (key, length) VALUES ($1, cardinality($2::bytea[])) ON CONFLICT (key)"


@dataclass(frozen=True, slots=True)
class Statements(Schema):
    """The statements for one schema. Prefixes and ``after`` are given as bounds: at least $1, below $2, above $3."""

    @property
    def channel(self) -> str:
        """The channel on which the growth of logs is told."""
        return f"{self.name}_logs"

    def save(self, if_version: int | None) -> str:
        """$1 key, $2 parent, $3 time, $4 value, and $5 the version that must be there, unless it is 0."""
        insert = _INSERT.format(schema=self.schema, version=1)
        if if_version is None:
            change = "DO UPDATE SET version = d.version + 1, updated = excluded.updated, value = excluded.value"
            return f"{insert} ON CONFLICT (key) {change} RETURNING version"
        if if_version == 0:
            return f"{insert} ON CONFLICT (key) DO NOTHING RETURNING version"
        return (
            f"UPDATE {self.schema}.documents SET version = version + 1, parent = $2, updated = $3, value = $4 "
            "WHERE key = $1 AND version = $5 RETURNING version"
        )

    @property
    def restore(self) -> str:
        """$1 key, $2 parent, $3 time, $4 value, $5 version."""
        return _INSERT.format(schema=self.schema, version="$5") + _RESTORE

    def append(self, if_length: int | None) -> str:
        """$1 key, $2 values, $3 what to notify, and $4 the length that must be there, unless it is 0."""
        new = _NEW_LOG.format(schema=self.schema)
        if if_length is None:
            grow = f"{new} DO UPDATE SET length = l.length + excluded.length"
        elif if_length == 0:
            grow = f"{new} DO NOTHING"
        else:
            longer = "SET length = length + cardinality($2::bytea[])"
            grow = f"UPDATE {self.schema}.logs {longer} WHERE key = $1 AND length = $4"
        return _APPEND.format(schema=self.schema, channel=self.channel, grow=grow)

    @property
    def length(self) -> str:
        """$1 key."""
        return f"SELECT length FROM {self.schema}.logs WHERE key = $1"

    @property
    def load(self) -> str:
        """$1 key."""
        return f"SELECT {_DOCUMENT} FROM {self.schema}.documents WHERE key = $1"

    @property
    def read(self) -> str:
        """$1 key, $2 after, $3 limit."""
        return (
            f"SELECT i.value FROM {self.schema}.logs l JOIN {self.schema}.items i ON i.log = l.id "
            "WHERE l.key = $1 AND i.position >= $2 ORDER BY i.position LIMIT $3"
        )

    def deletes(self, where: str) -> tuple[str, str, str]:
        """Documents, then logs, then the items of those logs ($1 their ids).

        Items are a statement of their own: it sees those that were appended while it waited for a log's row.
        """
        return (
            f"DELETE FROM {self.schema}.documents WHERE {where} RETURNING key",
            f"DELETE FROM {self.schema}.logs WHERE {where} RETURNING key, id",
            f"DELETE FROM {self.schema}.items WHERE log = ANY($1::bigint[])",
        )

    @property
    def list_by_key(self) -> str:
        """$4 limit."""
        return f"SELECT {_DOCUMENT} FROM {self.schema}.documents WHERE {BOUNDS} ORDER BY key LIMIT $4"

    @property
    def keys(self) -> str:
        """$4 limit."""
        parts = [f"(SELECT key FROM {self.schema}.{table} WHERE {BOUNDS} ORDER BY key LIMIT $4)" for table in TABLES]
        return f"{' UNION '.join(parts)} ORDER BY key LIMIT $4"

    @property
    def deeper(self) -> str:
        """Whether documents lie below the folder itself: $1 prefix, $2 end."""
        return f"SELECT 1 FROM {self.schema}.documents WHERE parent > $1 AND parent < $2 LIMIT 1"

    @property
    def updated(self) -> str:
        """$1 key."""
        return f"SELECT updated FROM {self.schema}.documents WHERE key = $1"

    def list_by_updated(self, *, deep: bool) -> str:
        """$1 prefix, $2 end (None where it is flat), $3 and $4 time and key of the last one seen or None, $5 limit.

        A flat folder is read in the order of its index, a deep one is sorted.
        """
        folder = "parent >= $1 AND parent < $2" if deep else "parent = $1 AND $2::bytea IS NULL"
        seen = "($3::float8 IS NULL OR (updated <= $3 AND (updated < $3 OR key > $4)))"
        return (
            f"SELECT {_DOCUMENT} FROM {self.schema}.documents WHERE {folder} AND {seen} "
            "ORDER BY updated DESC, key LIMIT $5"
        )


TABLES = ("documents", "logs")
BOUNDS = "key >= $1 AND key < $2 AND ($3::bytea IS NULL OR key > $3)"


def bounds(prefix: str, after: str | None) -> tuple[bytes, bytes, bytes | None]:
    """At least the first, below the second, above the third. Raises ValueError for what is no prefix."""
    if prefix and not prefix.endswith("/"):
        raise ValueError(f"a prefix ends in '/': {prefix!r}")
    start = prefix.encode()
    # No key begins with the byte 255, which is not UTF-8.
    end = start[:-1] + b"0" if prefix else b"\xff"
    return start, end, None if after is None else after.encode()


def parent_of(key: str) -> bytes:
    """The key up to its last slash."""
    return key[: key.rfind("/") + 1].encode()
