"""What the storage alone promises: its logs, its deletions, its readers that wait, and its use of indexes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from blockbuster import blockbuster_ctx

from agentic import Conflict, StorageError
from agentic_postgres.pool import Pool
from agentic_postgres.storage.backend import PostgresStorage

Pooled = Callable[[], Pool]


async def test_delete_and_append_side_by_side_leave_no_item_behind(storage: PostgresStorage, pooled: Pooled) -> None:
    """An item that a delete has overlooked would be read by nobody, and lie there for ever."""
    other = PostgresStorage(pooled())

    async def append(storage: PostgresStorage) -> None:
        for n in range(25):
            await storage.append("u/log", [n, n])

    async def delete(storage: PostgresStorage) -> None:
        for n in range(12):
            await (storage.delete("u/log") if n % 2 else storage.delete_under("u/"))

    await asyncio.gather(append(storage), append(other), delete(storage), delete(other))
    await storage.delete("u/log")
    async with storage.database.connection() as connection:
        left = await connection.fetchval(f"SELECT count(*) FROM {storage.statements.schema}.items")
    assert left == 0
    await other.aclose()


async def test_deleted_text_leaves_the_tables_with_the_vacuum_that_the_readme_names(
    storage: PostgresStorage, marker: str, holding: Callable[[str], Awaitable[list[str]]]
) -> None:
    schema = storage.statements.schema
    for key in ("u/1/a", "u/1/b"):
        await storage.save(key, marker)
        await storage.save(key, f"{marker}, again")
        await storage.append(key, [marker * 3])
    # The database does this by itself now and then; it must not copy values into its statistics.
    await execute(storage, f"ANALYZE {schema}.documents, {schema}.logs, {schema}.items", "CHECKPOINT")
    assert await holding(marker), "the marker is found where it is"
    await storage.delete("u/1/a")
    await storage.delete_under("u/1/")
    for table in ("documents", "items"):
        assert (await storage.database.fetch(f"SELECT count(*) FROM {schema}.{table}"))[0][0] == 0
    await execute(storage, f"VACUUM FULL {schema}.documents, {schema}.logs, {schema}.items", "CHECKPOINT")
    assert await holding(marker) == []


async def execute(storage: PostgresStorage, *statements: str) -> None:
    async with storage.database.connection() as connection:
        for statement in statements:
            await connection.execute(statement)


async def test_closed_storage_refuses_and_wakes_its_readers(pooled: Pooled) -> None:
    storage = PostgresStorage(pooled())
    reader = asyncio.create_task(storage.read("log", wait_s=60))
    await storage.save("k", 1)
    await asyncio.sleep(0.1)
    await storage.aclose()
    with pytest.raises(StorageError, match="closed"):
        await asyncio.wait_for(reader, 10)
    with pytest.raises(StorageError, match="closed"):
        await storage.load("k")
    await storage.aclose()


async def test_cancelled_calls_leave_all_connections_usable(storage: PostgresStorage) -> None:
    await storage.save("k", 0)
    for _ in range(3):
        tasks = [asyncio.create_task(storage.save("k", "x" * 100_000)) for _ in range(20)]
        await asyncio.sleep(0.003)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert await asyncio.wait_for(asyncio.gather(*(storage.load("k") for _ in range(20))), 20)


async def test_conflict_is_told_whatever_is_at_work(storage: PostgresStorage) -> None:
    with pytest.raises(Conflict, match="exists already"):
        await asyncio.gather(*(storage.save("k", n, if_version=0) for n in range(2)))


async def test_newest_of_a_folder_are_found_without_sorting(storage: PostgresStorage) -> None:
    statements = storage.statements
    await asyncio.gather(*(storage.save(f"u/1/{n}", n) for n in range(60)))
    async with storage.database.connection() as connection:
        await connection.execute("SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off")
        query = statements.list_by_updated(deep=False)
        plan = await connection.fetch(f"EXPLAIN {query}", b"u/1/", None, None, None, 5)
    assert "documents_by_updated" in str(plan) and "Sort" not in str(plan)


async def test_event_loop_is_never_blocked(storage: PostgresStorage, pooled: Pooled) -> None:
    other = PostgresStorage(pooled())
    # While it connects, asyncpg looks for the user's certificates: some calls of stat, once for each connection.
    await asyncio.gather(*(other.load("x") for _ in range(60)))
    with blockbuster_ctx("agentic_postgres"):
        await other.save("x", "x" * 1_000_000)
        await asyncio.gather(*(other.append("log", [n]) for n in range(50)))
        assert len(await other.read("log")) == 50
        assert await other.read("log", after=50, wait_s=0.05) == []
        assert len(await other.list("")) == 1
        assert await other.delete("x") is True
        assert await other.health() is None
        await other.aclose()
