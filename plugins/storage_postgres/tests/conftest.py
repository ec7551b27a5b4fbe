"""What the tests of the PostgreSQL storage share: one real server, and a schema of its own for each test."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from agentic.testing.postgres import Postgres, postgres_programs, running_postgres
from agentic_storage_postgres.backend import PostgresStorage

Open = Callable[[], PostgresStorage]


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
    return lambda: PostgresStorage(postgres.url, schema=schema)


@pytest.fixture
async def backend(reopen: Open) -> AsyncIterator[PostgresStorage]:
    storage = reopen()
    yield storage
    await storage.aclose()
