"""The SQL tools owe what every tool owes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from agentic import Json, NotConfigured, Tool
from agentic.testing.tool import ToolConformance
from agentic_sql import agentic_tools
from agentic_sql.settings import Settings


async def made(shop: Path, number: int) -> AsyncIterator[Tool]:
    settings = Settings.model_validate({"sql_connections": {"shop": f"sqlite:///{shop}"}, "sql_timeout": 5})
    tools = [one for one in agentic_tools(settings) if not isinstance(one, NotConfigured)]
    yield tools[number]
    for tool in tools:
        await tool.aclose()


class TestSqlQuery(ToolConformance):
    @pytest.fixture
    async def tool(self, shop: Path) -> AsyncIterator[Tool]:
        async for tool in made(shop, 0):
            yield tool

    @pytest.fixture
    def arguments(self) -> Sequence[Json]:
        return [
            {"query": "SELECT name FROM customers ORDER BY name"},
            {"query": "SELECT count(*) AS orders FROM orders WHERE total > :least", "params": {"least": 15}},
            {"query": "SELECT 1", "connection": "shop"},
        ]


class TestSqlSchema(ToolConformance):
    @pytest.fixture
    async def tool(self, shop: Path) -> AsyncIterator[Tool]:
        async for tool in made(shop, 1):
            yield tool

    @pytest.fixture
    def arguments(self) -> Sequence[Json]:
        return [{}, {"table": "orders"}, {"table": "", "connection": "shop"}]
