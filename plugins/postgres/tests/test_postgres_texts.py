"""What full text alone promises: documents whole or not at all, its deletions, its locks, and its use of indexes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from blockbuster import blockbuster_ctx

from agentic import StorageError, Texts
from agentic.testing.postgres import Postgres
from agentic_postgres.pool import Pool
from agentic_postgres.texts.index import AT_ONCE, PostgresTextIndex

Pooled = Callable[[], Pool]


async def execute(index: PostgresTextIndex, *statements: str) -> None:
    async with index.database.connection() as connection:
        for statement in statements:
            await connection.execute(statement)


async def found(texts: Texts, query: str = "river") -> list[tuple[str, int]]:
    return sorted((hit.doc_id, hit.number) for hit in await texts.search(query, 1000))


async def test_full_disk_fails_with_what_to_do_and_keeps_what_was_there(index: PostgresTextIndex) -> None:
    texts = index.collection("s")
    await texts.add("doc", ["river"])
    schema = index.statements.schema
    await execute(
        index,
        f"""
        CREATE FUNCTION {schema}.full_disk() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
        CREATE TRIGGER full_disk BEFORE INSERT ON {schema}.text_pieces FOR EACH ROW WHEN (new.number = 150)
        EXECUTE FUNCTION {schema}.full_disk()
        """,
    )
    for doc in ("doc", "other"):
        with pytest.raises(StorageError, match=r"the disk of the database is full\. Free some room"):
            await texts.add(doc, ["river bank"] * 300)
    assert await found(texts) == [("doc", 0)]
    assert list(await texts.documents()) == ["doc"]
    await execute(index, f"DROP TRIGGER full_disk ON {schema}.text_pieces")
    await texts.add("doc", ["river bank"] * 300)
    assert len(await found(texts)) == 300


async def test_piece_with_more_words_than_the_database_takes_is_told(index: PostgresTextIndex) -> None:
    words = " ".join(f"{number:07}" * 20 for number in range(20_000))
    with pytest.raises(StorageError, match=r"more different words than PostgreSQL indexes \(1 MB\)"):
        await index.collection("s").add("doc", ["river", words])
    assert list(await index.collection("s").documents()) == []


async def test_words_do_not_depend_on_the_locale_of_the_database(
    postgres: Postgres, index: PostgresTextIndex, schema: str
) -> None:
    await execute(index, f"CREATE DATABASE {schema} ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0")
    other = PostgresTextIndex(Pool(postgres.url.replace("/postgres", f"/{schema}")))
    await other.collection("s").add("doc", ["ÜBERLAUF der Москва", "Invoices of a café"])
    for query, number in (("überlauf", 0), ("москва", 0), ("invoice", 1), ("CAFE", 1)):
        assert await found(other.collection("s"), query) == [("doc", number)], query
    await other.aclose()


async def test_work_of_two_servers_on_the_same_documents_leaves_no_piece_behind(
    index: PostgresTextIndex, pooled: Pooled
) -> None:
    """A piece that a deletion has overlooked would be found by nobody, and lie there for ever."""
    servers = [index, PostgresTextIndex(pooled())]

    async def work(server: PostgresTextIndex, start: int) -> None:
        texts = server.collection("s")
        for n in range(start, start + 12):
            await texts.add(f"doc{n % 3}", ["river"] * (n % 5 + 1))
            if n % 4 == 0:
                await texts.delete(f"doc{(n + 1) % 3}")
            if n % 6 == 0:
                await server.drop("s")

    await asyncio.gather(*(work(server, start) for server in servers for start in range(3)))
    for name in await index.collection("s").documents():
        await index.collection("s").delete(name)
    left = f"SELECT count(*) FROM {index.statements.schema}.text_pieces"
    assert (await index.database.fetch(left))[0][0] == 0
    await servers[1].aclose()


async def test_document_of_many_pieces_is_taken_in_whole(index: PostgresTextIndex) -> None:
    count = AT_ONCE * 2 + 7
    await index.collection("s").add("doc", [f"river number{number}" for number in range(count)])
    assert len(await found(index.collection("s"))) == count
    assert await found(index.collection("s"), f"number{count - 1}") == [("doc", count - 1)]
    assert await index.collection("s").delete("doc") == count


async def test_rare_words_are_found_through_the_index_of_words(index: PostgresTextIndex) -> None:
    statements = index.statements
    await index.collection("s").add("doc", [f"river number{number}" for number in range(2_000)])
    async with index.database.connection() as connection:
        await connection.execute(f"ANALYZE {statements.schema}.text_pieces")
        plan = await connection.fetch(f"EXPLAIN {statements.search}", "s", ["number7"], None, 5)
    assert "text_pieces_by_word" in str(plan)


async def test_no_statement_but_the_list_of_scopes_goes_without_the_scope(index: PostgresTextIndex) -> None:
    statements = index.statements
    kind = type(statements)
    names = [name for name in vars(kind) if isinstance(vars(kind)[name], property) and not name.startswith("_")]
    texts = {name: getattr(statements, name) for name in names if name not in ("schema", "scopes")}
    assert len(texts) == 7
    for name, text in texts.items():
        assert "scope = $1" in text or ("(scope, " in text and "$1" in text), name


async def test_deleted_words_leave_the_files_with_the_vacuum_that_the_readme_names(
    index: PostgresTextIndex, marker: str, holding: Callable[[str], Awaitable[list[str]]]
) -> None:
    schema = index.statements.schema
    texts = index.collection("u.rag")
    await texts.add("stays", ["river"])
    await texts.add("doc", [f"{marker} number {n}" for n in range(30)])
    # The database does this by itself now and then; it must not copy words into its statistics.
    await execute(index, f"ANALYZE {schema}.text_documents, {schema}.text_pieces", "CHECKPOINT")
    assert await holding(marker), "the marker is found where it is"
    await texts.delete("doc")
    assert await found(texts, marker) == []
    rows = await index.database.fetch(f"SELECT words::text FROM {schema}.text_pieces")
    assert marker not in str(rows)
    assert "until REINDEX or VACUUM FULL" in index.leaves
    await execute(index, f"VACUUM FULL {schema}.text_documents, {schema}.text_pieces", "CHECKPOINT")
    assert await holding(marker) == []
    assert await found(texts) == [("stays", 0)]


async def test_closed_index_refuses(pooled: Pooled) -> None:
    index = PostgresTextIndex(pooled())
    await index.collection("s").add("doc", ["river"])
    await index.aclose()
    for doing in (index.collection("s").search("river", 5), index.collection("s").add("doc", ["x"]), index.scopes()):
        with pytest.raises(StorageError, match="closed"):
            await doing
    await index.aclose()


async def test_cancelled_calls_leave_all_connections_usable(index: PostgresTextIndex) -> None:
    texts = index.collection("s")
    await texts.add("doc", ["river"])
    for _ in range(3):
        tasks = [asyncio.create_task(texts.add("doc", ["river " * 50] * 50)) for _ in range(20)]
        await asyncio.sleep(0.02)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    with suppress(StorageError):
        await texts.add("doc", ["river"])
    every = await asyncio.wait_for(asyncio.gather(*(texts.search("river", 5) for _ in range(20))), 60)
    assert {len(hits) for hits in every} == {1}


async def test_nothing_of_a_text_is_logged(
    index: PostgresTextIndex, marker: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await index.collection("s").add("doc", [marker])
    await found(index.collection("s"), marker)
    await execute(index, f"DROP TABLE {index.statements.schema}.text_pieces")
    with pytest.raises(StorageError, match="UndefinedTableError") as failure:
        await found(index.collection("s"), marker)
    with pytest.raises(StorageError):
        await index.collection("s").add("doc", [marker])
    assert marker not in caplog.text + str(failure.value)


async def test_event_loop_is_never_blocked(index: PostgresTextIndex, pooled: Pooled) -> None:
    other = PostgresTextIndex(pooled())
    # While it connects, asyncpg looks for the user's certificates: some calls of stat, once for each connection.
    await asyncio.gather(*(other.scopes() for _ in range(60)))
    with blockbuster_ctx("agentic_postgres"):
        texts = other.collection("s")
        await texts.add("doc", ["river " * 200] * 20)
        await asyncio.gather(*(texts.search("river", 5) for _ in range(20)))
        assert await texts.delete("doc") == 20
        assert await other.health() is None
        await other.aclose()
