"""The tool ``sql_schema``."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agentic import Tool, ToolContext, Traits
from agentic_sql.connections import Connections
from agentic_sql.examples import SCHEMA

_MARGIN_S = 10
_KB = 1024


class Arguments(BaseModel):
    """What the model fills in."""

    model_config = ConfigDict(extra="forbid")

    table: str = Field("", description="one table to describe in detail; empty: all tables with their columns")
    connection: str = Field("", description="the connection's name; may be left out where there is one only")


class SqlSchemaTool(Tool):
    """Tells what is in a database, and never a row of it."""

    name = "sql_schema"
    args = Arguments

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self.description = " ".join(
            (
                "Look up the tables of the user's SQL databases: columns, types, keys, about how many rows; no data.",
                "Use it before sql_query.",
                connections.described(),
            )
        ).strip()
        seconds = connections.settings.sql_timeout
        self.traits = Traits(risk="read", untrusted=True, timeout_s=seconds + _MARGIN_S, examples=SCHEMA)

    async def run(self, args: Any, ctx: ToolContext) -> str:
        """The tables, or one of them. Raises ToolRetry with the nearest names where there is none of this name."""
        database = self.connections.pick(args.connection, ctx.principal)
        size = self.connections.settings.sql_max_kb * _KB

        def work(system: Any, connection: Any) -> str:
            from agentic_sql import schema

            told = (
                schema.one(system, connection, args.table)
                if args.table.strip()
                else schema.overview(system, connection, size)
            )
            return f"Connection {database.name}, {system.label}.\n{told}"

        return await database.read(work)

    async def check(self) -> str:
        """Whether every database answers. Raises ToolError that names those that do not."""
        return await self.connections.checked()

    async def aclose(self) -> None:
        """Close the databases."""
        await self.connections.aclose()
