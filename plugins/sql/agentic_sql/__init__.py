"""Read-only SQL on databases that the operator names: SQLite, PostgreSQL, MySQL and MariaDB."""

from collections.abc import Iterable
from typing import Any

from agentic import NotConfigured, Tool, hookimpl


@hookimpl
def agentic_settings() -> Any:
    """The databases, and the limits of one query."""
    from agentic_sql.settings import Settings

    return Settings


@hookimpl
def agentic_tools(settings: Any) -> Iterable[Tool | NotConfigured]:
    """The tools ``sql_query`` and ``sql_schema``; a database is connected to when one of them first asks it."""
    from agentic_sql.connections import Connections
    from agentic_sql.query_tool import SqlQueryTool
    from agentic_sql.schema_tool import SqlSchemaTool
    from agentic_sql.settings import HOW_TO_SET

    if not settings.sql_connections:
        return [NotConfigured(name, HOW_TO_SET) for name in (SqlQueryTool.name, SqlSchemaTool.name)]
    connections = Connections(settings)
    return [SqlQueryTool(connections), SqlSchemaTool(connections)]
