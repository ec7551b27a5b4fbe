"""What the backend does when the file, the disk or its caller is at fault."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from agentic import Conflict, StorageError
from agentic_storage_sqlite import agentic_storage_backends
from agentic_storage_sqlite.backend import SqliteStorage
from agentic_storage_sqlite.settings import Settings

resource = pytest.importorskip("resource")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "agentic.db"


@pytest.fixture
async def storage(path: Path) -> AsyncIterator[SqliteStorage]:
    storage = SqliteStorage(path, busy_s=0.2)
    yield storage
    await storage.aclose()


def _write_nonsense(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"something else entirely" * 1000)


def _remove(path: Path) -> None:
    path.unlink()


async def test_full_disk_fails_what_does_not_fit_and_nothing_else(storage: SqliteStorage) -> None:
    await storage.save("first", 1)
    await storage._write(lambda connection: connection.execute("PRAGMA max_page_count = 40").fetchall())
    big = "x" * 1_000_000
    results = await asyncio.gather(
        storage.save("small", 1),
        storage.save("big", big),
        storage.append("log", [1, big]),
        storage.append("log", [2]),
        return_exceptions=True,
    )
    assert results[0] == results[3] == 1
    for failed in results[1:3]:
        assert isinstance(failed, StorageError)
        assert "disk is full" in failed.message
    assert await storage.read("log") == [2]
    assert await storage.load("big") is None
    await storage._write(lambda connection: connection.execute("PRAGMA max_page_count = 1000000").fetchall())
    assert await storage.save("big", big) == 1


async def test_disk_that_refuses_writes_recovers_by_itself(storage: SqliteStorage) -> None:
    await storage.save("before", 1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        results = await asyncio.gather(
            *(storage.save(f"k{n}", "x" * 200_000) for n in range(3)), return_exceptions=True
        )
        fault = await storage.health()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert all(isinstance(result, StorageError) for result in results)
    assert fault is None or "agentic.db" in fault
    assert await storage.save("k0", "x" * 200_000) == 1
    assert await storage.health() is None
    assert [stored.key for stored in await storage.list("")] == ["before", "k0"]


async def test_newer_file_is_refused_with_the_command_that_helps(path: Path, storage: SqliteStorage) -> None:
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    for doing in (storage.load("x"), storage.save("x", 1)):
        with pytest.raises(StorageError, match="pip install -U agentic-plugin-storage-sqlite"):
            await doing
    assert "newer" in str(await storage.health())


async def test_file_that_is_no_database_is_named_as_such(path: Path, storage: SqliteStorage) -> None:
    _write_nonsense(path)
    with pytest.raises(StorageError, match="not an SQLite database"):
        await storage.save("x", 1)
    _remove(path)
    assert await storage.save("x", 1) == 1, "it works as soon as the fault is gone"


async def test_folder_that_cannot_be_made_is_an_error_of_storage(path: Path, storage: SqliteStorage) -> None:
    path.parent.write_text("a file where the folder should be")
    with pytest.raises(StorageError, match=r"Not a directory|File exists"):
        await storage.load("x")


async def test_lock_held_too_long_is_told_and_gone_with_the_lock(path: Path, storage: SqliteStorage) -> None:
    await storage.save("x", 1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="locked for too long"):
        await storage.save("x", 2)
    stored = await storage.load("x")
    assert stored is not None
    assert stored.value == 1, "readers go on meanwhile"
    other.execute("ROLLBACK")
    other.close()
    assert await storage.save("x", 2) == 2


def _replace(path: Path) -> None:
    """As who puts a backup back."""
    backup = path.with_name("backup.db")
    with closing(sqlite3.connect(backup)) as database:
        database.execute("CREATE TABLE other (x)")
    backup.replace(path)


@pytest.mark.parametrize(
    ("damage", "said"), [(_remove, "is gone: put the file back"), (_replace, "was replaced while the server runs")]
)
async def test_file_taken_away_takes_no_writes_that_would_be_lost(
    path: Path, storage: SqliteStorage, damage: Callable[[Path], None], said: str
) -> None:
    await storage.save("x", 1)
    damage(path)
    with pytest.raises(StorageError, match=f"{said}.*[Rr]estart the server|{said} and restart the server"):
        await storage.save("x", 2)
    assert said in str(await storage.health())


async def test_log_file_taken_away_loses_nothing(path: Path, storage: SqliteStorage) -> None:
    """Whoever tidies up may take it for a leftover. A kill would follow: nothing is closed in order here."""
    for n in range(3):
        await storage.append("log", [n])
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink()
    with pytest.raises(StorageError, match=r"has lost its agentic\.db-wal .* What that held is saved: restart"):
        await storage.append("log", [3])
    assert "agentic.db-wal" in str(await storage.health())
    copied = path.with_name("as-it-is-on-the-disk.db")
    # By another process: this one would give up its locks on a file with closing it.
    copying = await asyncio.create_subprocess_exec("cp", path, copied)
    assert await copying.wait() == 0
    later = SqliteStorage(copied)
    assert await later.read("log") == [0, 1, 2]
    await later.aclose()


async def test_conflicts_in_one_batch_spoil_nobody_else(storage: SqliteStorage) -> None:
    await storage.save("taken", 1)
    tries = [storage.save("taken" if n % 2 else f"free{n}", n, if_version=0) for n in range(40)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert [type(result) for result in results] == [int, Conflict] * 20


async def test_argument_beyond_sqlite_fails_alone(storage: SqliteStorage) -> None:
    results = await asyncio.gather(
        storage.save("a", 1), storage.save("b", 1, if_version=2**70), storage.save("c", 1), return_exceptions=True
    )
    assert results[0] == results[2] == 1
    assert isinstance(results[1], OverflowError)
    with pytest.raises(OverflowError):
        await storage.read("a", after=2**70)
    assert (await storage.load("c")) is not None


async def test_prefix_without_its_slash_is_refused(storage: SqliteStorage) -> None:
    with pytest.raises(ValueError, match="ends in '/'"):
        await storage.list("user/1")


async def test_closed_storage_refuses_and_wakes_its_readers(storage: SqliteStorage) -> None:
    reader = asyncio.create_task(storage.read("log", wait_s=60))
    await asyncio.sleep(0.05)
    await storage.aclose()
    with pytest.raises(StorageError, match="closed"):
        await asyncio.wait_for(reader, 5)
    with pytest.raises(StorageError, match="closed"):
        await storage.load("x")


async def test_closing_writes_what_is_pending_and_empties_the_log_file(path: Path, storage: SqliteStorage) -> None:
    pending = [asyncio.create_task(storage.save(f"k{n}", n)) for n in range(100)]
    await asyncio.sleep(0)
    await storage.aclose()
    assert await asyncio.gather(*pending) == [1] * 100
    assert not path.with_name("agentic.db-wal").exists()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("sqlite-")]


@pytest.mark.parametrize("busy", [False, True], ids=["quiet", "under load"])
async def test_deleted_text_leaves_the_disk(path: Path, storage: SqliteStorage, busy: bool) -> None:
    for key in ("u/1", "u/2/a", "u/2/b/c"):
        await storage.save(key, "correct horse battery staple")
        await storage.append(key, ["correct horse battery staple"] * 100)
    await storage.delete("u/1")
    assert await storage.delete_under("u/2/") == 2
    for step in range(200):
        await asyncio.sleep(0.05)
        if busy:
            await storage.save("other", step)
        if not _holding(path.parent, b"battery"):
            return
    pytest.fail("deleted text is still in the files after ten seconds")


def _holding(folder: Path, text: bytes) -> list[Path]:
    return [file for file in folder.iterdir() if text in file.read_bytes()]


async def test_file_and_folder_are_for_their_owner_alone(path: Path, storage: SqliteStorage) -> None:
    await storage.save("x", 1)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


async def test_values_beyond_orjson_come_back_equal(storage: SqliteStorage) -> None:
    values = [10**30 + 1, {"half an emoji": "\ud83d"}, [1.5, -(2**64) - 1]]
    await storage.append("log", values)
    assert await storage.read("log") == values
    for refused in ({1: "a"}, float, {"x": {2, 3}}):
        with pytest.raises((TypeError, ValueError)):
            await storage.save("x", refused)


def test_hook_makes_nothing_before_the_first_use(tmp_path: Path) -> None:
    storage = agentic_storage_backends(settings=Settings(), data_dir=tmp_path / "data")
    assert storage.name == "sqlite"
    assert not (tmp_path / "data").exists()


def test_one_object_serves_several_event_loops(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path / "agentic.db")
    for expected in (1, 2):
        assert asyncio.run(storage.save("x", 1)) == expected
    asyncio.run(storage.aclose())


async def test_newest_of_a_folder_are_found_without_sorting(storage: SqliteStorage) -> None:
    for key in ("u/1/a", "u/1/b", "u/2/a"):
        await storage.save(key, 1)
    plan = "EXPLAIN QUERY PLAN SELECT rowid FROM documents WHERE parent = 'u/1/' ORDER BY updated DESC, key LIMIT 5"
    rows = await storage._read(lambda connection: connection.execute(plan).fetchall())
    assert "COVERING INDEX documents_by_updated" in rows[0][3]
    assert len(rows) == 1


async def test_acknowledged_is_flushed_and_deleted_is_overwritten(storage: SqliteStorage) -> None:
    settings = ("journal_mode", "synchronous", "secure_delete", "foreign_keys")
    values = [
        await storage._write(lambda connection, name=name: connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in settings
    ]
    assert values == ["wal", 2, 1, 1]


async def test_writes_of_one_turn_of_the_loop_share_one_flush(storage: SqliteStorage) -> None:
    flushes: list[str] = []

    def watch(connection: sqlite3.Connection) -> None:
        connection.set_trace_callback(lambda statement: flushes.append(statement) if statement == "COMMIT" else None)

    await storage._write(watch)
    flushes.clear()
    dawdling = asyncio.get_running_loop().create_future()

    async def dawdle() -> None:
        # The thread that writes has all the time to begin without the second one.
        time.sleep(0.1)  # noqa: ASYNC251
        dawdling.set_result(None)

    await asyncio.gather(storage.save("a", 1), dawdle(), storage.append("b", [1]), storage.save("c", 1))
    assert dawdling.done()
    assert flushes == ["COMMIT"]


async def test_what_was_asked_for_before_the_closing_is_done(storage: SqliteStorage, path: Path) -> None:
    saving = asyncio.create_task(storage.save("x", 1))
    loading = asyncio.create_task(storage.load("x"))
    await asyncio.sleep(0)
    await storage.aclose()
    assert await asyncio.wait_for(saving, 30) == 1
    await asyncio.wait_for(loading, 30)


async def test_event_loop_is_never_blocked(storage: SqliteStorage) -> None:
    with blockbuster_ctx():
        await storage.save("x", "x" * 1_000_000)
        await asyncio.gather(*(storage.append("log", [n]) for n in range(50)))
        assert len(await storage.read("log")) == 50
        assert await storage.read("log", after=50, wait_s=0.05) == []
        assert len(await storage.list("")) == 1
        assert await storage.delete("x") is True
        assert await storage.health() is None
        await storage.aclose()
