"""SQLite: the file opened for reading, writing switched off, and an authorizer over every statement."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import URL, Connection, Engine

from agentic_sql.system import CONNECT_S, POOL_SIZE, System

_LONGEST_VALUE = 16 * 1024 * 1024
_PRAGMAS = frozenset(
    "table_info table_xinfo table_list foreign_key_list index_list index_info index_xinfo read_uncommitted".split()
)
_ACTIONS = frozenset((sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE, sqlite3.SQLITE_TRANSACTION))
_FUNCTIONS_REFUSED = frozenset("load_extension readfile writefile edit fts3_tokenizer zipfile regexp".split())
"""``regexp`` is Python's, brought by SQLAlchemy: a bad pattern would hold the whole process."""


def authorize(action: int, first: str | None, second: str | None, *_: Any) -> int:
    """SQLite's question about each step of a statement; everything but reading is denied."""
    if action in _ACTIONS:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() not in _FUNCTIONS_REFUSED:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_PRAGMA and (first or "").lower() in _PRAGMAS:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


class Sqlite(System):
    """A SQLite file, read in this process."""

    label = "SQLite"
    errors = (sqlite3.Error,)

    def __init__(self, url: URL, seconds: float) -> None:
        super().__init__(url, seconds)
        database = str(url.database or "").removeprefix("file:").partition("?")[0]
        self.path = Path(database).expanduser().absolute()

    def engine(self) -> Engine:
        """See :class:`System`. The URL's own options are not used: they could open the file for writing."""
        engine = sqlalchemy.create_engine(
            "sqlite+pysqlite://",
            creator=self._open,
            poolclass=sqlalchemy.pool.QueuePool,
            pool_size=POOL_SIZE,
            max_overflow=0,
            isolation_level="AUTOCOMMIT",
        )
        # After SQLAlchemy's own preparation of a connection, which registers functions.
        sqlalchemy.event.listen(engine, "connect", lambda raw, _: raw.set_authorizer(authorize))
        return engine

    def _open(self) -> sqlite3.Connection:
        raw = sqlite3.connect(
            f"{self.path.as_uri()}?mode=ro",
            uri=True,
            check_same_thread=False,
            timeout=CONNECT_S,
            isolation_level=None,
        )
        raw.text_factory = lambda data: data.decode("utf-8", "replace")
        raw.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        raw.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
        raw.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 200)
        raw.execute("PRAGMA query_only = ON")
        raw.execute("PRAGMA trusted_schema = OFF")
        # A first read, since opening alone does not look at the file.
        raw.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        return raw

    def begin(self, connection: Connection, seconds: float, rows: int | None) -> None:
        """See :class:`System`. The time is kept by who interrupts: the statement runs in this process."""
        connection.exec_driver_sql("BEGIN")

    def cursor(self, raw: Any) -> Any:
        """See :class:`System`."""
        return raw.cursor()

    def leave(self, connection: Connection, cursor: Any, whole: bool) -> None:
        """See :class:`System`."""
        cursor.close()

    def interrupt(self, raw: Any) -> None:
        """See :class:`System`."""
        raw.interrupt()

    def message(self, error: BaseException) -> str:
        """See :class:`System`."""
        return str(error)

    def code(self, error: BaseException) -> str:
        """See :class:`System`."""
        return str(getattr(error, "sqlite_errorname", ""))

    def estimates(self, connection: Connection) -> Mapping[tuple[str, str], int | None]:
        """See :class:`System`: what ANALYZE has stored, else the greatest row id, which deleted rows leave too high."""
        kinds: dict[str, str] = {
            name: kind
            for name, kind in connection.exec_driver_sql(
                "SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite^_%' "
                "ESCAPE '^' ORDER BY name"
            )
        }
        stored = self._analyzed(connection)
        return {
            ("", name): stored[name]
            if name in stored
            else (self._greatest_row(connection, name) if kind == "table" else None)
            for name, kind in kinds.items()
        }

    def _analyzed(self, connection: Connection) -> dict[str, int]:
        try:
            rows = connection.exec_driver_sql("SELECT tbl, stat FROM sqlite_stat1").all()
        except sqlalchemy.exc.OperationalError:
            return {}
        return {table: int(stat.split()[0]) for table, stat in rows if stat and stat.split()[0].isdigit()}

    def _greatest_row(self, connection: Connection, table: str) -> int | None:
        quoted = '"' + table.replace('"', '""') + '"'
        try:
            found = connection.exec_driver_sql(f"SELECT max(rowid) FROM {quoted}").scalar()
        except sqlalchemy.exc.OperationalError:
            return None
        return found if isinstance(found, int) else 0
