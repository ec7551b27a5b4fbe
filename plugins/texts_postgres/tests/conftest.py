"""What the tests of the full-text index in PostgreSQL share: one real server, and a schema of its own for each test."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from agentic.testing.postgres import Postgres, postgres_programs, running_postgres
from agentic_texts_postgres.index import PostgresTextIndex

Open = Callable[[], PostgresTextIndex]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server; skipped only where its programs are not installed."""
    if postgres_programs() is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    with running_postgres() as server:
        yield server


@pytest.fixture
def schema() -> str:
    return f"test_{secrets.token_hex(6)}"


@pytest.fixture
def reopen(postgres: Postgres, schema: str) -> Open:
    return lambda: PostgresTextIndex(postgres.url, schema=schema)


@pytest.fixture
async def index(reopen: Open) -> AsyncIterator[PostgresTextIndex]:
    index = reopen()
    yield index
    await index.aclose()
