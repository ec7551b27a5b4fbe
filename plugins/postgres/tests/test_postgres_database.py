"""What storage and full text do alike when the database, the network or rights are at fault, and what they share."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any, TypeAlias

import pytest

from agentic import NotConfigured, StorageError
from agentic.testing.postgres import PASSWORD, Postgres
from agentic_postgres import agentic_storage_backends, agentic_text_indexes, database, migrations, pool
from agentic_postgres.pool import Pool
from agentic_postgres.settings import Settings
from agentic_postgres.storage.backend import PostgresStorage
from agentic_postgres.texts.index import PostgresTextIndex

Pooled = Callable[[], Pool]
Kept: TypeAlias = PostgresStorage | PostgresTextIndex
WAITING = "SELECT pid FROM pg_locks WHERE NOT granted AND relation IN ($1::text::regclass, $2::text::regclass)"
HOOKS = (agentic_storage_backends, agentic_text_indexes)


@pytest.fixture(params=[PostgresStorage, PostgresTextIndex], ids=["storage", "texts"])
def use(request: pytest.FixtureRequest) -> type[Kept]:
    """What the database is used for."""
    kind: type[Kept] = request.param
    return kind


@asynccontextmanager
async def opened(use: type[Kept], pool: Pool) -> AsyncIterator[Kept]:
    kept = use(pool)
    try:
        yield kept
    finally:
        await kept.aclose()


async def write(kept: Kept, name: str = "doc") -> None:
    if isinstance(kept, PostgresStorage):
        await kept.save(name, "river")
    else:
        await kept.collection("s").add(name, ["river"])


async def names(kept: Kept) -> list[str]:
    """Of all that was written."""
    if isinstance(kept, PostgresStorage):
        return [stored.key for stored in await kept.list("")]
    return [hit.doc_id for hit in await kept.collection("s").search("river", 1000)]


async def execute(kept: Kept, statement: str) -> None:
    async with kept.database.connection() as connection:
        await connection.execute(statement)


async def comes_true(asked: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """What it answers, once that is something."""
    async with asyncio.timeout(30):
        while True:
            if answer := await asked():
                return answer
            await asyncio.sleep(0.01)


async def works(kept: Kept) -> bool:
    return await kept.health() is None


async def test_restarted_database_is_found_again_by_readers_writers_and_those_who_wait(
    postgres: Postgres, pooled: Pooled
) -> None:
    both = pooled()
    async with opened(PostgresStorage, both) as storage, opened(PostgresTextIndex, both) as index:
        assert isinstance(storage, PostgresStorage) and isinstance(index, PostgresTextIndex)
        texts = index.collection("s")
        await texts.add("doc", ["river"])
        await storage.save("doc", {"text": "x"})
        waiting = asyncio.create_task(storage.read("log", wait_s=60))
        await asyncio.gather(*(storage.save(f"k/{n}", n) for n in range(8)))
        await asyncio.gather(*(texts.search("river", 5) for _ in range(8)))
        for how in (signal.SIGINT, signal.SIGKILL):
            await asyncio.to_thread(postgres.stop, how)
            for doing in (
                storage.save("x", 1),
                storage.load("doc"),
                storage.append("log", [1]),
                texts.add("x", ["river"]),
                texts.search("river", 5),
                texts.delete("doc"),
                texts.documents(),
            ):
                with pytest.raises(
                    StorageError, match=r"does not answer\. Start the database, or correct POSTGRES_URL"
                ) as failure:
                    await doing
                assert failure.value.retry_after_s == database.AGAIN_S
            assert "does not answer" in str(await storage.health())
            assert "does not answer" in str(await index.health())
            await asyncio.to_thread(postgres.start)
            await comes_true(partial(works, storage))
            await comes_true(partial(works, index))
            stored = await storage.load("doc")
            assert stored is not None and stored.value == {"text": "x"}
            assert await names(index) == ["doc"]
            await storage.save("x", 1)
            await texts.add("doc", ["", "river"])
            if waiting.done():
                # A reader that looked while the server was away was told so.
                assert isinstance(waiting.exception(), StorageError)
                waiting = asyncio.create_task(storage.read("log", wait_s=60))
        await storage.append("log", ["after"])
        async with asyncio.timeout(20):
            with suppress(StorageError):
                assert await waiting == ["after"]
        assert await storage.read("log", wait_s=20) == ["after"]
        assert [hit.number for hit in await texts.search("river", 5)] == [1]


async def test_connection_cut_between_two_calls_is_not_noticed(use: type[Kept], pooled: Pooled) -> None:
    async with opened(use, pooled()) as kept, opened(use, pooled()) as other:
        await write(kept)
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'agentic'"
        await execute(other, f"{cut} AND pid <> pg_backend_pid()")
        assert await names(kept) == ["doc"]
        await write(kept, "more")
        assert sorted(await names(kept)) == ["doc", "more"]


async def test_read_that_is_cut_off_in_the_middle_is_asked_again_and_a_write_is_told(
    use: type[Kept], pooled: Pooled
) -> None:
    """A write may have been made: who repeats it must know what it does."""
    async with opened(use, pooled()) as kept, opened(use, pooled()) as other:
        await write(kept)
        reading = await cut_off(names(kept), other)
        assert await reading == ["doc"]
        writing = await cut_off(write(kept, "more"), other)
        with pytest.raises(StorageError, match="does not answer"):
            await writing
        assert await names(kept) == ["doc"]


async def cut_off(doing: Coroutine[Any, Any, Any], other: Kept) -> asyncio.Task[Any]:
    """Begin it while tables are locked, and end the connection that waits for one of them."""
    schema = other.statements.schema
    async with other.database.transaction() as connection:
        await connection.execute(f"LOCK TABLE {schema}.documents, {schema}.text_documents IN ACCESS EXCLUSIVE MODE")
        task = asyncio.create_task(doing)
        waiting = partial(connection.fetchval, WAITING, f"{schema}.documents", f"{schema}.text_documents")
        pid = await comes_true(waiting)
        assert await connection.fetchval("SELECT pg_terminate_backend($1, 30000)", pid)
    return task


@pytest.mark.parametrize(
    ("change", "fix"),
    [
        (("/postgres", "/nowhere"), "no such database. Make it, or correct POSTGRES_URL"),
        ((PASSWORD, "wrong"), "refuses the password. Correct POSTGRES_URL"),
        (("owner", "nobody"), "refuses the password. Correct POSTGRES_URL"),
    ],
)
async def test_wrong_url_is_told_with_its_fix_and_without_the_password(
    use: type[Kept], postgres: Postgres, change: tuple[str, str], fix: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with opened(use, Pool(postgres.url.replace(*change))) as kept:
        with pytest.raises(StorageError, match=fix) as failure:
            await names(kept)
        assert failure.value.retry_after_s is None, "somebody has to correct it first"
        assert fix in str(await kept.health())
        assert PASSWORD not in str(failure.value) + caplog.text


async def test_server_that_never_answers_is_told_to_all_who_wait_at_once(
    use: type[Kept], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They wait for one attempt, not one after the other for an attempt of their own."""
    connected = []

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.append(writer)
        await reader.read()
        writer.close()

    monkeypatch.setattr(pool, "CONNECT_S", 0.5)
    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, opened(use, Pool(f"postgresql://a:b@127.0.0.1:{port}/c")) as kept:
        told = await asyncio.gather(*(names(kept) for _ in range(20)), return_exceptions=True)
        assert len(connected) == 1
        assert {str(one).partition("failed: ")[2] for one in told} == {
            f"127.0.0.1:{port} does not answer in time. Look for locks and load on it, or correct POSTGRES_URL."
        }


async def test_database_that_stalls_is_told_of_soon_and_works_again_when_it_goes_on(
    use: type[Kept], postgres: Postgres, pooled: Pooled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the time to connect nor that of statements that wait for locks is spent on it."""
    monkeypatch.setattr(pool, "COMMAND_S", 1.0)
    monkeypatch.setattr(pool, "CANCEL_S", 0.5)
    async with opened(use, pooled()) as kept:
        await write(kept)
        for doing in (lambda: names(kept), lambda: write(kept, "more")):
            with frozen(postgres):
                async with asyncio.timeout(pool.CONNECT_S):
                    with pytest.raises(StorageError, match="does not answer in time") as failure:
                        await doing()
            assert failure.value.retry_after_s == database.AGAIN_S
            await comes_true(partial(works, kept))
        assert "doc" in await names(kept)


async def test_who_waits_for_a_lock_has_more_time_than_others(
    use: type[Kept], pooled: Pooled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "COMMAND_S", 1.0)
    async with opened(use, pooled()) as kept, opened(use, pooled()) as other:
        await write(kept)
        schema = other.statements.schema
        async with other.database.transaction() as connection:
            await connection.execute(f"LOCK TABLE {schema}.documents, {schema}.text_documents IN EXCLUSIVE MODE")
            removing = asyncio.create_task(remove(kept))
            await asyncio.sleep(1.5)
            assert not removing.done()
        await removing
        assert await names(kept) == []


async def remove(kept: Kept) -> None:
    if isinstance(kept, PostgresStorage):
        await kept.delete("doc")
    else:
        await kept.collection("s").delete("doc")


@contextmanager
def frozen(postgres: Postgres) -> Iterator[None]:
    """Its processes do nothing meanwhile, while their connections stay open."""
    first = int((postgres.data / "postmaster.pid").read_text("utf-8").split()[0])
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(first)], capture_output=True, text=True, check=True)
    processes = [first, *map(int, listed.stdout.split())]
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)


async def make_role(owner: Kept, name: str) -> None:
    await execute(owner, f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")


async def test_user_who_may_not_make_the_schema_is_told_what_to_grant(
    use: type[Kept], postgres: Postgres, schema: str
) -> None:
    async with opened(use, Pool(postgres.url)) as owner:
        await make_role(owner, schema)
    async with opened(use, Pool(postgres.url.replace("owner", schema), schema=schema)) as kept:
        with pytest.raises(StorageError, match="Grant CREATE on the database"):
            await write(kept)


async def test_user_with_the_rights_on_the_schema_needs_no_more(
    use: type[Kept], postgres: Postgres, pooled: Pooled, schema: str
) -> None:
    async with opened(use, pooled()) as owner:
        await write(owner, "first")
        await make_role(owner, schema)
        await execute(
            owner,
            f"GRANT USAGE ON SCHEMA {schema} TO {schema};"
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {schema}",
        )
    async with opened(use, Pool(postgres.url.replace("owner", schema), schema=schema)) as kept:
        await write(kept)
        assert sorted(await names(kept)) == ["doc", "first"]
        if isinstance(kept, PostgresStorage):
            assert await kept.append("log", [1]) == 1
            assert await kept.delete_under("log/") == 0
            assert await kept.delete("log") is True
        else:
            assert await kept.drop("s") == 2


async def test_user_who_owns_the_schema_needs_no_rights_on_the_database(
    use: type[Kept], postgres: Postgres, schema: str
) -> None:
    async with opened(use, Pool(postgres.url)) as owner:
        await make_role(owner, schema)
        await execute(owner, f"CREATE SCHEMA {schema} AUTHORIZATION {schema}")
    async with opened(use, Pool(postgres.url.replace("owner", schema), schema=schema)) as kept:
        await write(kept)
        assert await names(kept) == ["doc"]


async def test_read_only_database_is_told(use: type[Kept], pooled: Pooled) -> None:
    async with opened(use, pooled()) as kept, opened(use, pooled()) as read_only:
        await write(kept)
        await execute(kept, "ALTER ROLE owner SET default_transaction_read_only = on")
        try:
            assert "read-only" in str(await read_only.health())
            with pytest.raises(StorageError, match=r"read-only\. Point POSTGRES_URL at the primary"):
                await write(read_only)
        finally:
            await execute(kept, "ALTER ROLE owner RESET default_transaction_read_only")


async def test_database_that_is_locked_for_too_long_is_told_and_asked_once(
    use: type[Kept], pooled: Pooled, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(use, pooled()) as kept:
        await write(kept)
        monkeypatch.setattr(pool, "COMMAND_S", 1.0)
        schema = kept.statements.schema
        async with opened(use, pooled()) as hasty, kept.database.transaction() as connection:
            await hasty.health()
            await connection.execute(f"LOCK TABLE {schema}.documents, {schema}.text_documents IN ACCESS EXCLUSIVE MODE")
            told = await asyncio.gather(write(hasty), names(hasty), return_exceptions=True)
            assert [str(one).partition(" failed: ")[2].partition(" does")[2] for one in told] == [
                " not answer in time. Look for locks and load on it, or correct POSTGRES_URL."
            ] * 2
        assert await names(kept) == ["doc"]


async def test_newer_schema_is_refused_with_the_command_that_helps(use: type[Kept], pooled: Pooled) -> None:
    async with opened(use, pooled()) as kept, opened(use, pooled()) as other:
        await write(kept)
        await execute(kept, f"INSERT INTO {kept.statements.schema}.versions VALUES (99)")
        with pytest.raises(StorageError, match=r"pip install -U agentic-plugin-postgres$"):
            await names(other)
        assert "newer" in str(await other.health())


async def test_many_servers_may_make_the_schema_at_once(pooled: Pooled) -> None:
    async with AsyncExitStack() as stack:
        kinds = [PostgresStorage, PostgresTextIndex] * 3
        servers = [await stack.enter_async_context(opened(kind, pooled())) for kind in kinds]
        await asyncio.gather(*(write(one, f"doc{n}") for n, one in enumerate(servers)))
        assert sorted(await names(servers[0])) == ["doc0", "doc2", "doc4"]
        assert sorted(await names(servers[1])) == ["doc1", "doc3", "doc5"]


async def test_schema_of_an_older_version_is_brought_up_to_date_with_all_that_it_holds(
    pooled: Pooled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had no full text, and let the database make statistics, which copied values."""
    async with opened(PostgresStorage, pooled()) as storage:
        known = f"SELECT count(*) FROM pg_stats WHERE schemaname = '{storage.statements.name}' AND attname = 'value'"
        monkeypatch.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:1])
        assert isinstance(storage, PostgresStorage)
        for n in range(20):
            await storage.save(f"k/{n}", "correct horse battery staple")
            await storage.append("log", ["correct horse battery staple"])
        await execute(storage, f"ANALYZE {storage.statements.schema}.documents, {storage.statements.schema}.items")
        assert (await storage.database.fetch(known))[0][0] == 2
        monkeypatch.undo()
        newer = pooled()
        async with opened(PostgresTextIndex, newer) as index, opened(PostgresStorage, newer) as again:
            await write(index)
            assert await names(index) == ["doc"]
            assert len(await names(again)) == 20
            await execute(again, f"ANALYZE {storage.statements.schema}.documents, {storage.statements.schema}.items")
            assert (await again.database.fetch(known))[0][0] == 0


async def test_failed_migration_leaves_the_schema_as_it_was(pooled: Pooled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        migrations, "MIGRATIONS", [*migrations.MIGRATIONS[:2], "CREATE TABLE {schema}.x (); SELECT 1/0"]
    )
    async with opened(PostgresStorage, pooled()) as storage:
        with pytest.raises(StorageError, match="DivisionByZeroError"):
            await names(storage)
        monkeypatch.undo()
        # The same one tries again at its next call.
        await write(storage)
        assert await names(storage) == ["doc"]


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
async def test_database_of_another_encoding_is_enough_for_storage_and_refused_by_full_text(
    postgres: Postgres, schema: str, encoding: str
) -> None:
    """Keys and values are bytes to the database; words are not."""
    async with opened(PostgresStorage, Pool(postgres.url)) as owner:
        await execute(owner, f"CREATE DATABASE {schema} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    other = Pool(postgres.url.replace("/postgres", f"/{schema}"))
    async with opened(PostgresStorage, other) as storage, opened(PostgresTextIndex, other) as index:
        await write(storage, "漢/\x00é")
        assert await names(storage) == ["漢/\x00é"]
        with pytest.raises(StorageError, match=rf"encoding is UTF8, and this one's is {encoding}\. Make another one"):
            await write(index)


async def test_both_uses_share_their_connections_and_each_is_closed_by_itself(pooled: Pooled) -> None:
    both = pooled()
    async with opened(PostgresStorage, both) as storage:
        async with opened(PostgresTextIndex, both) as index:
            await write(storage)
            await write(index)
            connections = await both.join(storage.database)
            assert connections.get_size() == 1
        with pytest.raises(StorageError, match=r"Full text \(postgres\) is closed"):
            await names(index)
        assert await names(storage) == ["doc"]
        assert not connections.is_closing()
    with pytest.raises(StorageError, match=r"Storage \(postgres\) is closed"):
        await names(storage)
    assert connections.is_closing()
    async with opened(PostgresStorage, both) as later:
        assert await names(later) == ["doc"]


async def test_full_text_that_waits_leaves_connections_to_the_storage(
    pooled: Pooled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CONNECT_S", 0.5)
    both = pooled()
    async with (
        opened(PostgresTextIndex, pooled()) as other,
        opened(PostgresTextIndex, both) as index,
        opened(PostgresStorage, both) as storage,
    ):
        await write(index)
        await write(storage)
        async with other.database.transaction() as connection:
            await connection.execute(f"LOCK TABLE {other.statements.schema}.text_documents IN ACCESS EXCLUSIVE MODE")
            searching = [asyncio.create_task(names(index)) for _ in range(both.connections)]
            told = (await asyncio.wait(searching, return_when=asyncio.FIRST_EXCEPTION))[0]
            with pytest.raises(StorageError, match=r"its 5 connections have all been at work for too long"):
                await next(iter(told))
            await write(storage)
            assert await names(storage) == ["doc"]
        answers = await asyncio.gather(*searching, return_exceptions=True)
        assert [answer for answer in answers if not isinstance(answer, StorageError)] == [["doc"]] * 5


async def test_full_text_alone_takes_all_connections_until_a_storage_comes(pooled: Pooled) -> None:
    both = pooled()
    async with opened(PostgresTextIndex, both) as index, opened(PostgresStorage, both) as storage:
        async with AsyncExitStack() as at_work:
            for _ in range(both.connections):
                await at_work.enter_async_context(index.database.connection())
        await write(storage)
        async with AsyncExitStack() as at_work:
            for _ in range(both.connections // 2):
                await at_work.enter_async_context(index.database.connection())
            more = asyncio.create_task(names(index))
            assert await names(storage) == ["doc"]
            assert not more.done()
        assert await more == []


async def test_storage_without_a_free_connection_says_so_and_goes_on_when_there_is_one(
    postgres: Postgres, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Pool(postgres.url, schema=schema, connections=2)
    async with opened(PostgresStorage, small) as storage:
        await write(storage)
        monkeypatch.setattr(pool, "CONNECT_S", 0.3)
        both = await small.join(storage.database)
        async with small.connection(both), small.connection(both):
            with pytest.raises(StorageError, match=r"its 2 connections .* raise POSTGRES_CONNECTIONS"):
                await names(storage)
        assert await names(storage) == ["doc"]


async def test_closed_while_it_connects_it_is_closed_with_that_connection(use: type[Kept], pooled: Pooled) -> None:
    kept = use(pooled())
    doing = asyncio.create_task(write(kept))

    async def opening() -> Any:
        return kept.database.pool._opening

    connecting = await comes_true(opening)
    await kept.aclose()
    with pytest.raises(StorageError, match="closed"):
        await doing
    assert (await connecting).is_closing()
    await kept.aclose()


async def test_calls_that_wait_for_their_turn_when_it_is_closed_open_nothing_anew(
    use: type[Kept], postgres: Postgres, schema: str
) -> None:
    kept = use(Pool(postgres.url, schema=schema, connections=2))
    await write(kept)
    calls = [asyncio.create_task(names(kept)) for _ in range(40)]
    for _ in range(3):
        await asyncio.sleep(0)
    await kept.aclose()
    told = await asyncio.gather(*calls, return_exceptions=True)
    closed = [one for one in told if isinstance(one, StorageError) and "closed" in str(one)]
    assert len(closed) + told.count(["doc"]) == 40
    assert closed
    assert kept.database.pool._opening is None and not kept.database.pool._users


@pytest.mark.parametrize("hook", HOOKS)
def test_without_its_url_it_is_not_configured_and_says_what_to_set(hook: Callable[..., Any]) -> None:
    found = hook(Settings())
    assert isinstance(found, NotConfigured)
    assert "POSTGRES_URL" in found.fix


def test_installed_it_changes_no_default_and_both_have_one_pool() -> None:
    settings = Settings.model_validate({"postgres_url": "postgresql://a:b@127.0.0.1:1/c", "postgres_connections": 3})
    found = [hook(settings) for hook in HOOKS]
    assert [type(one) for one in found] == [PostgresStorage, PostgresTextIndex]
    assert [one.rank for one in found] == [0, 0]
    assert found[0].database.pool is found[1].database.pool
    assert found[0].database.pool.connections == 3


async def test_what_is_not_chosen_neither_connects_nor_imports_the_library() -> None:
    program = """
import asyncio, os, sys
from agentic.catalog.load import load
from agentic.catalog.settings import read_settings
os.environ["POSTGRES_URL"] = "postgresql://a:b@127.0.0.1:1/c"
[plugin] = [plugin for plugin in load(read_settings()).plugins if plugin.name == "postgres"]
assert {one.kind for one in plugin.capabilities} == {"storage_backend", "text_index"}, plugin
for one in plugin.capabilities:
    asyncio.run(one.object.aclose())
assert "asyncpg" not in sys.modules
"""
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("wrong", [{"postgres_url": "mysql://a:b@c/d"}, {"postgres_schema": 'x"; DROP'}])
def test_wrong_settings_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"postgresql://|pattern"):
        Settings.model_validate(wrong)
