"""The tool ``sql_query``."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agentic import Json, Tool, ToolContext, Traits
from agentic_sql.connections import Connections
from agentic_sql.examples import QUERY

_MARGIN_S = 10
_KB = 1024


class Arguments(BaseModel):
    """What the model fills in."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(description="one SELECT statement in the database's own SQL, without comments")
    params: dict[str, str | int | float | bool | None] = Field(
        default_factory=dict, description="values of the parameters that the statement has as :name"
    )
    connection: str = Field("", description="the connection's name; may be left out where there is one only")


class SqlQueryTool(Tool):
    """Reads from a database; nothing that a model writes can change it."""

    name = "sql_query"
    args = Arguments

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self.description = " ".join(
            (
                "Read from the user's SQL databases: one SELECT statement, the result is a table. Ask sql_schema first",
                "for the names of tables and columns. Aggregate in SQL instead of listing many rows.",
                connections.described(),
            )
        ).strip()
        seconds = connections.settings.sql_timeout
        self.traits = Traits(risk="read", untrusted=True, timeout_s=seconds + _MARGIN_S, examples=QUERY)

    def suggest(self, text: str) -> Json | None:
        """The statement, where the request is one or holds one in a fence, else None."""
        from agentic_sql.requests import statement_in

        query = statement_in(text)
        return None if query is None else {"query": query}

    async def run(self, args: Any, ctx: ToolContext) -> str:
        """The rows as a table. Raises ToolRetry and ToolError, see :meth:`agentic_sql.database.Database.read`."""
        database = self.connections.pick(args.connection, ctx.principal)
        rows = self.connections.settings.sql_max_rows
        size = self.connections.settings.sql_max_kb * _KB

        def work(system: Any, connection: Any) -> str:
            from agentic_sql.query import run
            from agentic_sql.statement import read

            statement = read(args.query, args.params, database.dialect, database.functions)
            return run(system, connection, statement, rows, size)

        return await database.read(work, rows + 1)

    async def check(self) -> str:
        """Whether every database answers. Raises ToolError that names those that do not."""
        return await self.connections.checked()

    async def aclose(self) -> None:
        """Close the databases."""
        await self.connections.aclose()
