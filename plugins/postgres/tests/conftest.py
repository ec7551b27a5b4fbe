"""What these tests share: one real server, and on it a schema of its own for each test that changes tables."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
import pytest_asyncio

from agentic.testing.postgres import Postgres, postgres_programs, running_postgres
from agentic_postgres.pool import Pool
from agentic_postgres.storage.backend import PostgresStorage
from agentic_postgres.texts.index import PostgresTextIndex

TABLES = ("documents", "logs", "items", "text_documents", "text_pieces")


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """A PostgreSQL server; skipped only where its programs are not installed."""
    if postgres_programs() is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    with running_postgres() as server:
        yield server


@pytest.fixture
def postgres(server: Postgres) -> Iterator[Postgres]:
    """The server, which a test may stop and start as it likes."""
    yield server
    if not server.running:
        server.start()


@pytest.fixture
def schema() -> str:
    """The name of a schema that is not there yet."""
    return f"test_{secrets.token_hex(6)}"


@pytest.fixture
def pooled(postgres: Postgres, schema: str) -> Callable[[], Pool]:
    """Makes pools as other servers have them, on the schema of this test."""
    return lambda: Pool(postgres.url, schema=schema)


@pytest.fixture
def marker() -> str:
    """A word that nothing else on this server has, and that has no stem but itself."""
    return "".join(secrets.choice("bcdfgkmpqvwxz") for _ in range(16))


@pytest.fixture
def holding(postgres: Postgres) -> Callable[[str], Awaitable[list[str]]]:
    """Finds the files of tables and indexes that hold a word; what is in memory alone is written by CHECKPOINT."""

    def search(marker: str) -> list[str]:
        tables = [path for path in (postgres.data / "base").rglob("*") if path.is_file()]
        return [path.name for path in tables if marker.encode() in path.read_bytes()]

    async def held(marker: str) -> list[str]:
        return await asyncio.to_thread(search, marker)

    return held


@pytest.fixture
async def storage(pooled: Callable[[], Pool]) -> AsyncIterator[PostgresStorage]:
    storage = PostgresStorage(pooled())
    yield storage
    await storage.aclose()


@pytest.fixture
async def index(pooled: Callable[[], Pool]) -> AsyncIterator[PostgresTextIndex]:
    index = PostgresTextIndex(pooled())
    yield index
    await index.aclose()


@pytest_asyncio.fixture(scope="class", loop_scope="class")
async def common_pool(server: Postgres) -> AsyncIterator[Pool]:
    """Connections that the tests of a class have one after the other: making them, and the schema, takes longest."""
    pool = Pool(server.url, schema="common", connections=6)
    await pool.join("the class")
    yield pool
    await pool.leave("the class")


@pytest_asyncio.fixture(loop_scope="class")
async def emptied(request: pytest.FixtureRequest, common_pool: Pool, pooled: Callable[[], Pool]) -> Pool:
    """The pool of the class, and nothing in its tables.

    A test that kills what writes has one and a schema of its own: a server may do what it was told last a little later.
    """
    if {"maker", "program"} & set(request.fixturenames):
        return pooled()
    async with common_pool.connection(await common_pool.join("the class")) as connection:
        await connection.execute(";".join(f"DELETE FROM common.{table}" for table in TABLES))
    return common_pool
