"""From a connection's URL to its system. Importing this imports SQLAlchemy."""

from __future__ import annotations

import logging
import warnings

import sqlalchemy

from agentic import ToolError
from agentic_sql.settings import Connection
from agentic_sql.system import System


def system_of(name: str, connection: Connection, seconds: float) -> System:
    """The system that a connection's URL names; its driver is imported. Raises ToolError, without the URL.

    ``seconds``: see :class:`agentic_sql.system.System`.
    """
    # What its pool tells of a broken connection shows host and user.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL + 1)
    # A column of a type that SQLAlchemy does not know is listed without one; it would be named on standard error.
    warnings.filterwarnings("ignore", message="Did not recognize type", category=sqlalchemy.exc.SAWarning)
    try:
        url = sqlalchemy.make_url(connection.url.get_secret_value())
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise ToolError(
            f"The URL of connection {name} in SQL_CONNECTIONS cannot be read. An operator must correct it: "
            "system://user:password@host:port/database, with signs such as @ and / in the password as %40 and %2F."
        ) from None
    if connection.dialect == "sqlite":
        from agentic_sql.sqlite import Sqlite

        return Sqlite(url, seconds)
    if connection.dialect == "postgres":
        from agentic_sql.postgresql import Postgresql

        return Postgresql(url, seconds)
    from agentic_sql.mysql import Mysql

    return Mysql(url, seconds)
