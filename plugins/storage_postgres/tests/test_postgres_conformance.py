"""The kit for storage backends, on a real PostgreSQL server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from agentic.testing.postgres import Postgres
from agentic.testing.storage import StorageConformance
from agentic_storage_postgres.backend import PostgresStorage


class TestPostgres(StorageConformance):
    @pytest.fixture
    async def backend(self, postgres: Postgres, schema: str) -> AsyncIterator[PostgresStorage]:
        backend = PostgresStorage(postgres.url, schema=schema)
        yield backend
        await backend.aclose()

    @pytest.fixture
    def reopen(self, postgres: Postgres, schema: str) -> Callable[[], PostgresStorage]:
        return lambda: PostgresStorage(postgres.url, schema=schema)

    @pytest.fixture
    def maker(self, postgres: Postgres, schema: str) -> str:
        made = f"PostgresStorage({postgres.url!r}, schema={schema!r})"
        return f"from agentic_storage_postgres.backend import PostgresStorage\nmake = lambda: {made}"
