"""What the backend does when the database, the network or its caller is at fault."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress

import pytest
from blockbuster import blockbuster_ctx

from agentic import Conflict, NotConfigured, StorageError
from agentic.testing.postgres import PASSWORD, Postgres, running_postgres
from agentic_storage_postgres import agentic_storage_backends, database, statements
from agentic_storage_postgres.backend import PostgresStorage
from agentic_storage_postgres.settings import Settings

Open = Callable[[], PostgresStorage]
MARKER = "correct horse battery staple"


@pytest.fixture
def own_server(postgres: Postgres) -> Iterator[Postgres]:
    """A server that this test may stop as it likes."""
    with running_postgres() as server:
        yield server


@pytest.fixture
async def storage(own_server: Postgres) -> AsyncIterator[PostgresStorage]:
    storage = PostgresStorage(own_server.url, connections=4)
    yield storage
    await storage.aclose()


async def _until_it_works(storage: PostgresStorage, key: str) -> None:
    """Save; while the server is starting, storage says that it is not there."""
    async with asyncio.timeout(30):
        while True:
            with suppress(StorageError):
                await storage.save(key, 1)
                return
            await asyncio.sleep(0.05)


async def test_restarted_database_is_found_again_by_readers_writers_and_those_who_wait(
    own_server: Postgres, storage: PostgresStorage
) -> None:
    await storage.save("kept", {"text": "x"})
    waiting = asyncio.create_task(storage.read("log", wait_s=60))
    await asyncio.gather(*(storage.save(f"k/{n}", n) for n in range(8)))
    for how in (signal.SIGINT, signal.SIGKILL):
        await asyncio.to_thread(own_server.stop, how)
        for doing in (storage.save("x", 1), storage.load("kept"), storage.append("log", [1])):
            with pytest.raises(StorageError, match=r"does not answer\. Start the database"):
                await doing
        assert "does not answer" in str(await storage.health())
        await asyncio.to_thread(own_server.start)
        await _until_it_works(storage, "x")
        stored = await storage.load("kept")
        assert stored is not None and stored.value == {"text": "x"}
        if waiting.done():
            # A reader that looked while the server was away was told so.
            assert isinstance(waiting.exception(), StorageError)
            waiting = asyncio.create_task(storage.read("log", wait_s=60))
    await storage.append("log", ["after"])
    async with asyncio.timeout(20):
        with suppress(StorageError):
            assert await waiting == ["after"]
    assert await storage.read("log", wait_s=20) == ["after"]
    assert await storage.health() is None


async def test_connection_cut_between_two_calls_is_not_noticed(postgres: Postgres, backend: PostgresStorage) -> None:
    await backend.save("k", 1)
    async with backend._database.connection() as connection:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'agentic'"
        with suppress(StorageError):
            await connection.execute(f"{others} AND pid <> pg_backend_pid()")
    other = PostgresStorage(postgres.url)
    async with other._database.connection() as connection:
        await connection.execute(f"{others} AND pid <> pg_backend_pid()")
    await other.aclose()
    stored = await backend.load("k")
    assert stored is not None and stored.value == 1
    assert await backend.save("k", 2) == 2


@pytest.mark.parametrize(
    ("change", "fix"),
    [
        (("/postgres", "/nowhere"), "no such database. Make it"),
        ((PASSWORD, "wrong"), "refuses the password. Correct POSTGRES_URL"),
        (("owner", "nobody"), "refuses the password. Correct POSTGRES_URL"),
    ],
)
async def test_wrong_url_is_told_with_its_fix_and_without_the_password(
    postgres: Postgres, change: tuple[str, str], fix: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    storage = PostgresStorage(postgres.url.replace(*change))
    with pytest.raises(StorageError, match=fix) as failure:
        await storage.load("k")
    assert fix in str(await storage.health())
    assert PASSWORD not in str(failure.value) + caplog.text
    await storage.aclose()


async def test_user_who_may_not_make_the_schema_is_told_what_to_grant(postgres: Postgres, schema: str) -> None:
    owner = PostgresStorage(postgres.url)
    async with owner._database.connection() as connection:
        await connection.execute(f"CREATE ROLE {schema} LOGIN PASSWORD '{PASSWORD}'")
    await owner.aclose()
    storage = PostgresStorage(postgres.url.replace("owner", schema), schema=schema)
    with pytest.raises(StorageError, match="Grant CREATE on the database"):
        await storage.save("k", 1)
    await storage.aclose()


async def test_read_only_database_is_told_by_health(backend: PostgresStorage) -> None:
    await backend.save("k", 1)
    async with backend._database.connection() as connection:
        await connection.execute("ALTER ROLE owner SET default_transaction_read_only = on")
    read_only = PostgresStorage(backend._database._url, schema=backend._statements.name)
    try:
        assert "read-only" in str(await read_only.health())
        with pytest.raises(StorageError, match=r"read-only\. Point POSTGRES_URL at the primary"):
            await read_only.save("k", 2)
    finally:
        async with backend._database.connection() as connection:
            await connection.execute("ALTER ROLE owner RESET default_transaction_read_only")
        await read_only.aclose()


async def test_newer_schema_is_refused_with_the_command_that_helps(backend: PostgresStorage, reopen: Open) -> None:
    await backend.save("k", 1)
    async with backend._database.connection() as connection:
        await connection.execute(f"INSERT INTO {backend._statements.schema}.versions VALUES (99)")
    other = reopen()
    with pytest.raises(StorageError, match="pip install -U agentic-plugin-storage-postgres"):
        await other.load("k")
    assert "newer" in str(await other.health())
    await other.aclose()


async def test_many_servers_may_make_the_schema_at_once(reopen: Open) -> None:
    servers = [reopen() for _ in range(6)]
    assert await asyncio.gather(*(one.append("log", [1]) for one in servers)) is not None
    assert len(await servers[0].read("log")) == 6
    await asyncio.gather(*(one.aclose() for one in servers))


async def test_delete_and_append_side_by_side_leave_no_item_behind(backend: PostgresStorage, reopen: Open) -> None:
    """An item that a delete has overlooked would be read by nobody, and lie there for ever."""
    other = reopen()

    async def append(storage: PostgresStorage) -> None:
        for n in range(25):
            await storage.append("u/log", [n, n])

    async def delete(storage: PostgresStorage) -> None:
        for n in range(12):
            await (storage.delete("u/log") if n % 2 else storage.delete_under("u/"))

    await asyncio.gather(append(backend), append(other), delete(backend), delete(other))
    await backend.delete("u/log")
    async with backend._database.connection() as connection:
        left = await connection.fetchval(f"SELECT count(*) FROM {backend._statements.schema}.items")
    assert left == 0
    await other.aclose()


async def test_deleted_text_leaves_the_tables_with_the_vacuum_that_the_readme_names(
    own_server: Postgres, storage: PostgresStorage
) -> None:
    for key in ("u/1/a", "u/1/b"):
        await storage.save(key, MARKER)
        await storage.save(key, f"{MARKER}, again")
        await storage.append(key, [MARKER * 3])
    async with storage._database.connection() as connection:
        # The database does this by itself now and then; it must not copy values into its statistics.
        await connection.execute("ANALYZE")
    await storage.delete("u/1/a")
    await storage.delete_under("u/1/")
    for query in ("SELECT count(*) FROM agentic.documents", "SELECT count(*) FROM agentic.items"):
        async with storage._database.connection() as connection:
            assert await connection.fetchval(query) == 0
    async with storage._database.connection() as connection:
        for table in ("documents", "logs", "items"):
            await connection.execute(f"VACUUM FULL agentic.{table}")
        await connection.execute("CHECKPOINT")
    tables = [path for path in (own_server.data / "base").rglob("*") if path.is_file()]
    assert [path for path in tables if MARKER.encode() in path.read_bytes()] == []


async def test_closed_storage_refuses_and_wakes_its_readers(reopen: Open) -> None:
    storage = reopen()
    reader = asyncio.create_task(storage.read("log", wait_s=60))
    await storage.save("k", 1)
    await asyncio.sleep(0.1)
    await storage.aclose()
    with pytest.raises(StorageError, match="closed"):
        await asyncio.wait_for(reader, 10)
    with pytest.raises(StorageError, match="closed"):
        await storage.load("k")
    await storage.aclose()


async def test_cancelled_calls_leave_all_connections_usable(backend: PostgresStorage) -> None:
    await backend.save("k", 0)
    for _ in range(3):
        tasks = [asyncio.create_task(backend.save("k", "x" * 100_000)) for _ in range(20)]
        await asyncio.sleep(0.003)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert await asyncio.wait_for(asyncio.gather(*(backend.load("k") for _ in range(20))), 20)


async def test_conflict_is_told_whatever_is_at_work(backend: PostgresStorage) -> None:
    with pytest.raises(Conflict, match="exists already"):
        await asyncio.gather(*(backend.save("k", n, if_version=0) for n in range(2)))


async def test_newest_of_a_folder_are_found_without_sorting(backend: PostgresStorage) -> None:
    statements = backend._statements
    await asyncio.gather(*(backend.save(f"u/1/{n}", n) for n in range(60)))
    async with backend._database.connection() as connection:
        await connection.execute("SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off")
        query = statements.list_by_updated(deep=False)
        plan = await connection.fetch(f"EXPLAIN {query}", b"u/1/", None, None, None, 5)
    assert "documents_by_updated" in str(plan) and "Sort" not in str(plan)


def test_without_its_url_it_is_not_configured_and_says_what_to_set() -> None:
    found = agentic_storage_backends(Settings())
    assert isinstance(found, NotConfigured)
    assert "POSTGRES_URL" in found.fix


def test_installed_it_changes_no_default() -> None:
    found = agentic_storage_backends(Settings.model_validate({"postgres_url": "postgresql://a:b@127.0.0.1:1/c"}))
    assert isinstance(found, PostgresStorage)
    assert found.rank == 0


@pytest.mark.parametrize("wrong", [{"postgres_url": "mysql://a:b@c/d"}, {"postgres_schema": 'x"; DROP'}])
def test_wrong_settings_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"postgresql://|pattern"):
        Settings.model_validate(wrong)


async def test_event_loop_is_never_blocked(backend: PostgresStorage, reopen: Open) -> None:
    other = reopen()
    # While it connects, asyncpg looks for the user's certificates: some calls of stat, once for each connection.
    await asyncio.gather(*(other.load("x") for _ in range(60)))
    with blockbuster_ctx("agentic_storage_postgres"):
        await other.save("x", "x" * 1_000_000)
        await asyncio.gather(*(other.append("log", [n]) for n in range(50)))
        assert len(await other.read("log")) == 50
        assert await other.read("log", after=50, wait_s=0.05) == []
        assert len(await other.list("")) == 1
        assert await other.delete("x") is True
        assert await other.health() is None
        await other.aclose()


async def test_statistics_that_an_older_version_let_the_database_make_are_taken_away(
    backend: PostgresStorage, reopen: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "MIGRATIONS", statements.MIGRATIONS[:1])
    monkeypatch.setattr(database, "MIGRATIONS", statements.MIGRATIONS)
    known = f"SELECT count(*) FROM pg_stats WHERE schemaname = '{backend._statements.name}' AND attname = 'value'"
    for n in range(20):
        await backend.save(f"k/{n}", MARKER)
        await backend.append("log", [MARKER])
    async with backend._database.connection() as connection:
        await connection.execute("ANALYZE")
        assert await connection.fetchval(known) == 2
    monkeypatch.undo()
    newer = reopen()
    assert len(await newer.list("k/")) == 20
    async with newer._database.connection() as connection:
        await connection.execute("ANALYZE")
        assert await connection.fetchval(known) == 0
    await newer.aclose()
