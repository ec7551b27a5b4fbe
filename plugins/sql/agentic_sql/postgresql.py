"""PostgreSQL: read-only transactions and cursors, which take one query and no other statement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
import sqlalchemy
from psycopg.types.string import TextLoader
from sqlalchemy import Connection, Engine

from agentic_sql.system import CONNECT_S, POOL_SIZE, System

_STOP_S = 5
_TIMES = ("date", "time", "timetz", "timestamp", "timestamptz", "interval")
"""Shown as the database writes them: Python has no infinity, no year before 1 or after 9999, no 24:00, no months."""
# Prepared statements would outlive the transaction, which poolers in between do not bear. A server that is gone
# without a word is noticed by the keepalives, within a minute.
_OPTIONS = {
    "connect_timeout": CONNECT_S,
    "application_name": "agentic",
    "prepare_threshold": None,
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
_ESTIMATES = """
SELECT CASE WHEN n.nspname = current_schema() THEN '' ELSE n.nspname END, c.relname, c.relkind, c.reltuples::bigint
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
AND n.nspname NOT IN ('information_schema', 'pg_catalog') AND n.nspname NOT LIKE 'pg!_t%' ESCAPE '!'
AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
AND (pg_catalog.has_table_privilege(c.oid, 'SELECT') OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT'))
ORDER BY 1, 2
"""


class Postgresql(System):
    """A PostgreSQL database, by psycopg."""

    label = "PostgreSQL"
    errors = (psycopg.Error,)

    def engine(self) -> Engine:
        """See :class:`System`."""
        return sqlalchemy.create_engine(
            self.url.set(drivername="postgresql+psycopg"),
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_pre_ping=True,
            pool_recycle=1800,
            isolation_level="AUTOCOMMIT",
            connect_args=_OPTIONS,
        )

    def begin(self, connection: Connection, seconds: float, rows: int | None) -> None:
        """See :class:`System`. All is local to the transaction, which is rolled back in the end."""
        milliseconds = int(seconds * 1000)
        connection.exec_driver_sql("BEGIN TRANSACTION READ ONLY")
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds}")
        connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = {milliseconds * 2}")
        # The parser reads a backslash in a text as a backslash; so must the server.
        connection.exec_driver_sql("SET LOCAL standard_conforming_strings = on")
        connection.exec_driver_sql("SET LOCAL datestyle = 'ISO'")
        connection.exec_driver_sql("SET LOCAL intervalstyle = 'postgres'")

    def cursor(self, raw: Any) -> Any:
        """See :class:`System`: DECLARE takes one query that changes nothing, whatever is written there."""
        cursor = raw.cursor(name="agentic")
        for kind in _TIMES:
            cursor.adapters.register_loader(kind, TextLoader)
        return cursor

    def leave(self, connection: Connection, cursor: Any, whole: bool) -> None:
        """See :class:`System`: the transaction's end closes it."""

    def end(self, connection: Connection) -> None:
        """See :class:`System`: settings, advisory locks and the like outlive a transaction."""
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("DISCARD ALL")

    def interrupt(self, raw: Any) -> None:
        """See :class:`System`."""
        raw.cancel_safe(timeout=_STOP_S)

    def message(self, error: BaseException) -> str:
        """See :class:`System`."""
        if not isinstance(error, psycopg.Error) or not error.diag.message_primary:
            return str(error)
        told = [error.diag.message_primary, error.diag.message_detail, error.diag.message_hint]
        return ". ".join(part.rstrip(".") for part in told if part)

    def code(self, error: BaseException) -> str:
        """See :class:`System`."""
        return str(getattr(error, "sqlstate", None) or "")

    def estimates(self, connection: Connection) -> Mapping[tuple[str, str], int | None]:
        """See :class:`System`: what ANALYZE has left in the catalogue."""
        rows = connection.exec_driver_sql(_ESTIMATES.replace("%", "%%"))
        return {
            (schema, name): count if kind in ("r", "p", "m") and count >= 0 else None
            for schema, name, kind, count in rows
        }
