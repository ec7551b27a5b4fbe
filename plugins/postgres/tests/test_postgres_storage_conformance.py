"""The kit for storage backends, on a real PostgreSQL server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from agentic.testing.storage import StorageConformance
from agentic_postgres.pool import Pool
from agentic_postgres.storage.backend import PostgresStorage


@pytest.mark.asyncio(loop_scope="class")
class TestPostgresStorage(StorageConformance):
    @pytest_asyncio.fixture(loop_scope="class")
    async def backend(self, emptied: Pool) -> AsyncIterator[PostgresStorage]:
        backend = PostgresStorage(emptied)
        yield backend
        await backend.aclose()

    @pytest.fixture
    def reopen(self, emptied: Pool) -> Callable[[], PostgresStorage]:
        return lambda: PostgresStorage(Pool(emptied.url, schema=emptied.schema, connections=6))

    @pytest.fixture
    def maker(self, emptied: Pool) -> str:
        made = f"PostgresStorage(Pool({emptied.url!r}, schema={emptied.schema!r}, connections=3))"
        return (
            "import asyncpg\n"
            "from agentic_postgres.pool import Pool\n"
            "from agentic_postgres.storage.backend import PostgresStorage\n"
            f"make = lambda: {made}"
        )
