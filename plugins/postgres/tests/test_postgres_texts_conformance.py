"""The kit for full-text indexes, on a real PostgreSQL server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from agentic.testing.texts import TextIndexConformance
from agentic_postgres.pool import Pool
from agentic_postgres.texts.index import PostgresTextIndex


@pytest.mark.asyncio(loop_scope="class")
class TestPostgresTexts(TextIndexConformance):
    @pytest_asyncio.fixture(loop_scope="class")
    async def index(self, emptied: Pool) -> AsyncIterator[PostgresTextIndex]:
        index = PostgresTextIndex(emptied)
        yield index
        await index.aclose()

    @pytest.fixture
    def reopen(self, emptied: Pool) -> Callable[[], PostgresTextIndex]:
        return lambda: PostgresTextIndex(Pool(emptied.url, schema=emptied.schema, connections=6))

    @pytest.fixture
    def program(self, emptied: Pool) -> str:
        made = f"PostgresTextIndex(Pool({emptied.url!r}, schema={emptied.schema!r}))"
        return (
            "import asyncpg\n"
            "from agentic_postgres.pool import Pool\n"
            "from agentic_postgres.texts.index import PostgresTextIndex\n"
            f"index = {made}"
        )
