"""The kit for full-text indexes, on a real PostgreSQL server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from agentic.testing.postgres import Postgres
from agentic.testing.texts import TextIndexConformance
from agentic_texts_postgres.index import PostgresTextIndex


class TestPostgresTexts(TextIndexConformance):
    @pytest.fixture
    async def index(self, postgres: Postgres, schema: str) -> AsyncIterator[PostgresTextIndex]:
        index = PostgresTextIndex(postgres.url, schema=schema)
        yield index
        await index.aclose()

    @pytest.fixture
    def reopen(self, postgres: Postgres, schema: str) -> Callable[[], PostgresTextIndex]:
        return lambda: PostgresTextIndex(postgres.url, schema=schema)

    @pytest.fixture
    def program(self, postgres: Postgres, schema: str) -> str:
        made = f"PostgresTextIndex({postgres.url!r}, schema={schema!r})"
        return f"from agentic_texts_postgres.index import PostgresTextIndex\nindex = {made}"
