"""Running a statement, and reading its rows into a table; it all happens in a thread."""

from __future__ import annotations

from typing import Any

import sqlalchemy

from agentic import ToolRetry
from agentic_sql import faults, schema
from agentic_sql.statement import Statement
from agentic_sql.system import System
from agentic_sql.table import Table

_BATCH = 100


def run(system: System, connection: sqlalchemy.Connection, statement: Statement, rows: int, size: int) -> str:
    """The statement's rows as a table of at most ``rows`` rows and ``size`` bytes.

    Raises ToolRetry where a name is mistyped, with the nearest names; the driver's errors otherwise.
    """
    raw: Any = connection.connection.driver_connection
    cursor = system.cursor(raw)
    try:
        cursor.execute(statement.text, dict(statement.values))
        table = _table(cursor, rows, size)
    except (OverflowError, UnicodeError) as error:
        raise ToolRetry(f"The database cannot take one of the values: {type(error).__name__}.") from None
    except system.errors as error:
        corrected = _with_names(system, connection, error, statement)
        if corrected is None:
            raise
        raise corrected from None
    system.leave(connection, cursor, whole=not table.full)
    return table.text()


def _table(cursor: Any, rows: int, size: int) -> Table:
    if cursor.description is None:
        raise ToolRetry("The statement gives no rows. Write one SELECT statement; this tool only reads.")
    table = Table([column[0] for column in cursor.description], rows, size)
    while batch := cursor.fetchmany(min(_BATCH, rows + 1)):
        for row in batch:
            if not table.add(row):
                return table
    return table


def _with_names(
    system: System, connection: sqlalchemy.Connection, error: BaseException, statement: Statement
) -> ToolRetry | None:
    """The error together with the names that were probably meant; None if it speaks of no missing name."""
    name = faults.missing_name(system.message(error))
    if not name:
        return None
    # The failed statement has ended the transaction for anything else in PostgreSQL.
    connection.exec_driver_sql("ROLLBACK")
    tables = {table: place for place, table in system.estimates(connection)}
    known = [*tables, *_columns(system, connection, statement, tables)]
    told = f"The database says: {faults.readable(system, error)}."
    close = faults.nearest(name, known)
    if close:
        return ToolRetry(f"{told} Nearest names: {', '.join(close)}.")
    return ToolRetry(f"{told} sql_schema lists the tables and their columns.")


def _columns(
    system: System, connection: sqlalchemy.Connection, statement: Statement, tables: dict[str, str]
) -> list[str]:
    keys = [(tables[table], table) for table in statement.tables if table in tables]
    found = schema.shapes(system, connection, keys)
    return [column["name"] for shape in found.values() for column in shape.columns]
