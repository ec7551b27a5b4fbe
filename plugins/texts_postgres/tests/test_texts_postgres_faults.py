"""What the index does when the database, the network or its caller is at fault."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress

import pytest
from blockbuster import blockbuster_ctx

from agentic import NotConfigured, StorageError, Texts
from agentic.testing.postgres import PASSWORD, Postgres, running_postgres
from agentic_texts_postgres import agentic_text_indexes, database
from agentic_texts_postgres.index import AT_ONCE, PostgresTextIndex
from agentic_texts_postgres.settings import Settings

Open = Callable[[], PostgresTextIndex]
MARKER = "zyxwvq"


@pytest.fixture
def own_server(postgres: Postgres) -> Iterator[Postgres]:
    """A server that this test may stop as it likes."""
    with running_postgres() as server:
        yield server


@pytest.fixture
async def own_index(own_server: Postgres) -> AsyncIterator[PostgresTextIndex]:
    index = PostgresTextIndex(own_server.url, connections=4)
    yield index
    await index.aclose()


async def execute(index: PostgresTextIndex, statement: str) -> None:
    async with index.database.connection() as connection:
        await connection.execute(statement)


async def found(texts: Texts, query: str = "river") -> list[tuple[str, int]]:
    return sorted((hit.doc_id, hit.number) for hit in await texts.search(query, 1000))


async def until_it_works(index: PostgresTextIndex) -> None:
    async with asyncio.timeout(30):
        while True:
            if await index.health() is None:
                return
            await asyncio.sleep(0.05)


async def test_restarted_database_is_found_again(own_server: Postgres, own_index: PostgresTextIndex) -> None:
    texts = own_index.collection("s")
    await texts.add("kept", ["river"])
    await asyncio.gather(*(texts.search("river", 5) for _ in range(8)))
    for how in (signal.SIGINT, signal.SIGKILL):
        await asyncio.to_thread(own_server.stop, how)
        for doing in (texts.add("x", ["river"]), texts.search("river", 5), texts.delete("kept"), texts.documents()):
            with pytest.raises(StorageError, match=r"does not answer\. Start the database, or correct TEXTS_POSTGRES"):
                await doing
        assert "does not answer" in str(await own_index.health())
        await asyncio.to_thread(own_server.start)
        await until_it_works(own_index)
        assert await found(texts) == [("kept", 0)]
    await texts.add("kept", ["", "river"])
    assert await found(texts) == [("kept", 1)]


async def test_connection_cut_between_two_calls_is_not_noticed_by_those_who_read(
    index: PostgresTextIndex, reopen: Open
) -> None:
    await index.collection("s").add("doc", ["river"])
    other = reopen()
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'agentic'"
    await execute(other, f"{cut} AND pid <> pg_backend_pid()")
    await other.aclose()
    assert await found(index.collection("s")) == [("doc", 0)]
    await index.collection("s").add("doc", ["bank"])
    assert await found(index.collection("s")) == []


@pytest.mark.parametrize(
    ("change", "fix"),
    [
        (("/postgres", "/nowhere"), "no such database. Make it, or correct TEXTS_POSTGRES_URL"),
        ((PASSWORD, "wrong"), "refuses the password. Correct TEXTS_POSTGRES_URL"),
        (("owner", "nobody"), "refuses the password. Correct TEXTS_POSTGRES_URL"),
    ],
)
async def test_wrong_url_is_told_with_its_fix_and_without_the_password(
    postgres: Postgres, change: tuple[str, str], fix: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    index = PostgresTextIndex(postgres.url.replace(*change))
    with pytest.raises(StorageError, match=fix) as failure:
        await index.collection("s").search("river", 5)
    assert fix in str(await index.health())
    assert PASSWORD not in str(failure.value) + caplog.text
    await index.aclose()


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


async def test_database_that_is_locked_for_too_long_is_told(
    index: PostgresTextIndex, reopen: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    await index.collection("s").add("doc", ["river"])
    monkeypatch.setattr(database, "COMMAND_S", 0.5)
    hasty = reopen()
    async with index.database.connection() as connection, connection.transaction():
        await connection.execute(f"LOCK TABLE {index.statements.schema}.text_documents IN EXCLUSIVE MODE")
        with pytest.raises(StorageError, match=r"does not answer in time\. Look for locks and load on it"):
            await hasty.collection("s").add("doc", ["bank"])
    await hasty.aclose()
    assert await found(index.collection("s")) == [("doc", 0)]


async def test_piece_with_more_words_than_the_database_takes_is_told(index: PostgresTextIndex) -> None:
    words = " ".join(f"{number:07}" * 20 for number in range(20_000))
    with pytest.raises(StorageError, match=r"more different words than PostgreSQL indexes \(1 MB\)"):
        await index.collection("s").add("doc", ["river", words])
    assert list(await index.collection("s").documents()) == []


async def test_user_who_may_not_make_the_schema_is_told_what_to_grant(postgres: Postgres, schema: str) -> None:
    owner = PostgresTextIndex(postgres.url)
    await execute(owner, f"CREATE ROLE {schema} LOGIN PASSWORD '{PASSWORD}'")
    await owner.aclose()
    index = PostgresTextIndex(postgres.url.replace("owner", schema), schema=schema)
    with pytest.raises(StorageError, match="Grant CREATE on the database"):
        await index.scopes()
    await index.aclose()


async def test_user_with_the_rights_on_the_schema_needs_no_more(
    postgres: Postgres, index: PostgresTextIndex, schema: str
) -> None:
    await index.scopes()
    name = index.statements.schema
    await execute(
        index,
        f"CREATE ROLE {schema} LOGIN PASSWORD '{PASSWORD}'; GRANT USAGE ON SCHEMA {name} TO {schema}; "
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {name} TO {schema}",
    )
    other = PostgresTextIndex(postgres.url.replace("owner", schema), schema=schema)
    await other.collection("s").add("doc", ["rivers"])
    assert await found(other.collection("s")) == [("doc", 0)]
    assert await other.drop("s") == 1
    await other.aclose()


async def test_read_only_database_is_told(index: PostgresTextIndex, reopen: Open) -> None:
    await index.scopes()
    await execute(index, "ALTER ROLE owner SET default_transaction_read_only = on")
    read_only = reopen()
    try:
        assert "read-only" in str(await read_only.health())
        with pytest.raises(StorageError, match=r"read-only\. Point TEXTS_POSTGRES_URL at the primary"):
            await read_only.collection("s").add("doc", ["river"])
    finally:
        await execute(index, "ALTER ROLE owner RESET default_transaction_read_only")
        await read_only.aclose()


async def test_database_of_another_encoding_is_refused_with_what_to_make(
    postgres: Postgres, index: PostgresTextIndex, schema: str
) -> None:
    await execute(index, f"CREATE DATABASE {schema} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    other = PostgresTextIndex(postgres.url.replace("/postgres", f"/{schema}"))
    with pytest.raises(StorageError, match=r"encoding is UTF8, and this one's is SQL_ASCII\. Make another one"):
        await other.scopes()
    await other.aclose()


async def test_words_do_not_depend_on_the_locale_of_the_database(
    postgres: Postgres, index: PostgresTextIndex, schema: str
) -> None:
    await execute(index, f"CREATE DATABASE {schema} ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0")
    other = PostgresTextIndex(postgres.url.replace("/postgres", f"/{schema}"))
    await other.collection("s").add("doc", ["ÜBERLAUF der Москва", "Invoices of a café"])
    for query, number in (("überlauf", 0), ("москва", 0), ("invoice", 1), ("CAFE", 1)):
        assert await found(other.collection("s"), query) == [("doc", number)], query
    await other.aclose()


async def test_newer_tables_are_refused_with_the_command_that_helps(index: PostgresTextIndex, reopen: Open) -> None:
    await index.scopes()
    await execute(index, f"INSERT INTO {index.statements.schema}.text_versions VALUES (99)")
    other = reopen()
    with pytest.raises(StorageError, match="pip install -U agentic-plugin-texts-postgres"):
        await other.scopes()
    assert "newer" in str(await other.health())
    await other.aclose()


async def test_many_servers_may_make_the_tables_at_once(reopen: Open) -> None:
    servers = [reopen() for _ in range(6)]
    await asyncio.gather(*(one.collection("s").add(f"doc{n}", ["river"]) for n, one in enumerate(servers)))
    assert len(await found(servers[0].collection("s"))) == 6
    await asyncio.gather(*(one.aclose() for one in servers))


async def test_work_of_two_servers_on_the_same_documents_leaves_no_piece_behind(
    index: PostgresTextIndex, reopen: Open
) -> None:
    """A piece that a deletion has overlooked would be found by nobody, and lie there for ever."""
    servers = [index, reopen()]

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
    own_server: Postgres, own_index: PostgresTextIndex
) -> None:
    texts = own_index.collection("u.rag")
    await texts.add("stays", ["river"])
    await texts.add("doc", [f"{MARKER} number {n}" for n in range(30)])
    # The database does this by itself now and then; it must not copy words into its statistics.
    await execute(own_index, "ANALYZE")
    await execute(own_index, "CHECKPOINT")
    assert await asyncio.to_thread(holding, own_server, MARKER), "the marker is found where it is"
    await texts.delete("doc")
    assert await found(texts, MARKER) == []
    rows = await own_index.database.fetch("SELECT words::text FROM agentic.text_pieces")
    assert MARKER not in str(rows)
    assert "until REINDEX or VACUUM FULL" in own_index.leaves
    for statement in ("VACUUM FULL agentic.text_documents", "VACUUM FULL agentic.text_pieces", "CHECKPOINT"):
        await execute(own_index, statement)
    assert await asyncio.to_thread(holding, own_server, MARKER) == []
    assert await found(texts) == [("stays", 0)]


def holding(server: Postgres, marker: str) -> list[str]:
    """The files of tables and indexes that hold a word."""
    tables = [path for path in (server.data / "base").rglob("*") if path.is_file()]
    return [path.name for path in tables if marker.encode() in path.read_bytes()]


async def test_closed_index_refuses(reopen: Open) -> None:
    index = reopen()
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
        tasks = [asyncio.create_task(texts.add("doc", ["river " * 500] * 50)) for _ in range(20)]
        await asyncio.sleep(0.02)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    with suppress(StorageError):
        await texts.add("doc", ["river"])
    every = await asyncio.wait_for(asyncio.gather(*(texts.search("river", 5) for _ in range(20))), 60)
    assert {len(hits) for hits in every} == {1}


async def test_nothing_of_a_text_is_logged(index: PostgresTextIndex, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await index.collection("s").add("doc", [MARKER])
    await found(index.collection("s"), MARKER)
    await execute(index, f"DROP TABLE {index.statements.schema}.text_pieces")
    with pytest.raises(StorageError, match="UndefinedTableError") as failure:
        await found(index.collection("s"), MARKER)
    with pytest.raises(StorageError):
        await index.collection("s").add("doc", [MARKER])
    assert MARKER not in caplog.text + str(failure.value)


def test_without_its_url_it_is_not_configured_and_says_what_to_set() -> None:
    found = agentic_text_indexes(Settings())
    assert isinstance(found, NotConfigured)
    assert "TEXTS_POSTGRES_URL" in found.fix


def test_installed_it_changes_no_default() -> None:
    given = {"texts_postgres_url": "postgresql://a:b@127.0.0.1:1/c"}
    found = agentic_text_indexes(Settings.model_validate(given))
    assert isinstance(found, PostgresTextIndex)
    assert found.rank == 0


@pytest.mark.parametrize("wrong", [{"texts_postgres_url": "mysql://a:b@c/d"}, {"texts_postgres_schema": 'x"; DROP'}])
def test_wrong_settings_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"postgresql://|pattern"):
        Settings.model_validate(wrong)


async def test_event_loop_is_never_blocked(index: PostgresTextIndex, reopen: Open) -> None:
    other = reopen()
    # While it connects, asyncpg looks for the user's certificates: some calls of stat, once for each connection.
    await asyncio.gather(*(other.scopes() for _ in range(60)))
    with blockbuster_ctx("agentic_texts_postgres"):
        texts = other.collection("s")
        await texts.add("doc", ["river " * 20_000] * 20)
        await asyncio.gather(*(texts.search("river", 5) for _ in range(20)))
        assert await texts.delete("doc") == 20
        assert await other.health() is None
        await other.aclose()
