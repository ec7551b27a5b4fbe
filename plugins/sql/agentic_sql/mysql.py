"""MySQL and MariaDB: read-only transactions, one statement a call, and a time limit of the server's."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import pymysql
import sqlalchemy
from pymysql.constants import CLIENT
from pymysql.cursors import SSCursor
from sqlalchemy import URL, Connection, Engine

from agentic_sql.system import CONNECT_S, POOL_SIZE, System

# In these modes a backslash or a double quote means something else than the parser takes it for.
_SQL_MODE = (
    "SET SESSION sql_mode = REPLACE(REPLACE(REPLACE(@@SESSION.sql_mode, 'NO_BACKSLASH_ESCAPES', ''), "
    "'ANSI_QUOTES', ''), 'ANSI', '')"
)
_ESTIMATES = """
SELECT TABLE_NAME, TABLE_TYPE, TABLE_ROWS FROM information_schema.TABLES
WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME
"""
_VIEW_COLUMNS = """
SELECT COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %(view)s ORDER BY ORDINAL_POSITION
"""


class Mysql(System):
    """A MySQL or MariaDB database, by PyMySQL."""

    label = "MySQL"
    errors = (pymysql.err.Error,)

    def __init__(self, url: URL, seconds: float) -> None:
        super().__init__(url.set(drivername="mysql+pymysql"), seconds)

    def engine(self) -> Engine:
        """See :class:`System`."""
        return sqlalchemy.create_engine(
            self.url,
            creator=self._open,
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_pre_ping=True,
            pool_recycle=1800,
            isolation_level="AUTOCOMMIT",
        )

    def _open(self) -> Any:
        words, options = self.url.get_dialect()().create_connect_args(self.url)
        flags = int(options.pop("client_flag", 0)) & ~CLIENT.MULTI_STATEMENTS & ~CLIENT.LOCAL_FILES
        options = {"charset": "utf8mb4", **options, "client_flag": flags}
        raw = pymysql.connect(
            *words,
            **{
                **options,
                "connect_timeout": CONNECT_S,
                "read_timeout": self.seconds,
                "local_infile": False,
                "autocommit": True,
            },
        )
        try:
            with raw.cursor() as cursor:
                cursor.execute(_SQL_MODE)
                cursor.execute("SET SESSION TRANSACTION READ ONLY")
        except pymysql.err.Error:
            raw.close()
            raise
        return raw

    def begin(self, connection: Connection, seconds: float, rows: int | None) -> None:
        """See :class:`System`. The limit of rows spares the server what is cut off anyway."""
        if getattr(connection.dialect, "is_mariadb", False):
            connection.exec_driver_sql(f"SET SESSION max_statement_time = {seconds:.3f}")
        else:
            connection.exec_driver_sql(f"SET SESSION max_execution_time = {int(seconds * 1000)}")
        connection.exec_driver_sql(f"SET SESSION sql_select_limit = {rows if rows is not None else 'DEFAULT'}")
        connection.exec_driver_sql("START TRANSACTION READ ONLY")

    def cursor(self, raw: Any) -> Any:
        """See :class:`System`."""
        return raw.cursor(SSCursor)

    def leave(self, connection: Connection, cursor: Any, whole: bool) -> None:
        """See :class:`System`: closing the cursor fetches all the rest, so the server is told to send no more."""
        if whole:
            cursor.close()
            return
        self.interrupt(connection.connection.driver_connection)
        with contextlib.suppress(pymysql.err.Error):
            cursor.close()

    def end(self, connection: Connection) -> None:
        """See :class:`System`: locks of tables outlive a transaction."""
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("UNLOCK TABLES")

    def interrupt(self, raw: Any) -> None:
        """See :class:`System`."""
        other = self._open()
        try:
            with other.cursor() as cursor:
                cursor.execute(f"KILL QUERY {raw.thread_id()}")
        finally:
            other.close()

    def message(self, error: BaseException) -> str:
        """See :class:`System`."""
        return str(error.args[1]) if len(error.args) > 1 else str(error)

    def code(self, error: BaseException) -> str:
        """See :class:`System`."""
        return str(error.args[0]) if error.args else ""

    def estimates(self, connection: Connection) -> Mapping[tuple[str, str], int | None]:
        """See :class:`System`: what the server keeps for its planner."""
        rows = connection.exec_driver_sql(_ESTIMATES)
        return {
            ("", name): int(count) if kind == "BASE TABLE" and count is not None else None for name, kind, count in rows
        }

    def view_columns(self, connection: Connection, schema: str, view: str) -> Sequence[Mapping[str, Any]]:
        """See :class:`System`: SQLAlchemy would ask how the view is made, which takes a right of its own."""
        rows = connection.exec_driver_sql(_VIEW_COLUMNS, {"view": view})
        return [
            {"name": name, "type": kind if "'" in kind else kind.upper(), "nullable": nullable == "YES"}
            for name, kind, nullable in rows
        ]
