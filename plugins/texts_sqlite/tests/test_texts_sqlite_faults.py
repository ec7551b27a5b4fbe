"""What the index does when a file, the disk, another process or its caller is at fault."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import stat
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agentic import StorageError, Texts
from agentic.testing.killed_writers import files_with
from agentic_texts_sqlite import agentic_text_indexes
from agentic_texts_sqlite.index import SqliteTextIndex
from agentic_texts_sqlite.scope import Scope

resource = pytest.importorskip("resource")


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[SqliteTextIndex]:
    index = SqliteTextIndex(tmp_path / "texts", busy_s=0.2)
    yield index
    await index.aclose()


@pytest.fixture
def texts(index: SqliteTextIndex) -> Texts:
    return index.collection("u.rag")


def file_of(index: SqliteTextIndex) -> Path:
    return index.root / "u.rag.db"


async def on_writer(index: SqliteTextIndex, statement: str) -> Any:
    def run(scope: Scope) -> Any:
        assert scope._writer is not None
        return scope._writer.connection.execute(statement).fetchall()

    return await index.write("u.rag", run)


async def test_full_disk_fails_with_what_to_do_and_keeps_what_was_there(index: SqliteTextIndex, texts: Texts) -> None:
    await texts.add("doc", ["river"])
    await on_writer(index, "PRAGMA max_page_count = 60")
    big = [f"river {number} " + "word " * 200 for number in range(500)]
    for doc in ("doc", "other"):
        with pytest.raises(StorageError, match=r"texts/u.rag.db.* the disk is full"):
            await texts.add(doc, big)
    assert [(hit.doc_id, hit.number) for hit in await texts.search("river", 9)] == [("doc", 0)]
    await on_writer(index, "PRAGMA max_page_count = 100000")
    await texts.add("doc", big)
    assert len(await texts.search("river", 1000)) == 500


async def test_disk_that_refuses_writes_recovers_by_itself(index: SqliteTextIndex, texts: Texts) -> None:
    await texts.add("doc", ["river"])
    big = ["river " + "word " * 2000 for _ in range(100)]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(StorageError, match="Full text"):
            await texts.add("doc", big)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(await texts.search("river", 9)) == 1
    await texts.add("doc", big)
    assert len(await texts.search("river", 1000)) == 100


@pytest.mark.parametrize("kind", ["no database", "cut", "overwritten"])
async def test_damaged_file_is_named_with_what_to_do_and_can_be_dropped(
    index: SqliteTextIndex, texts: Texts, kind: str
) -> None:
    await texts.add("doc", [f"river {number}" for number in range(500)])
    await index.aclose()
    path = file_of(index)
    whole = path.read_bytes()
    path.write_bytes(
        {
            "no database": b"something else entirely" * 1000,
            "cut": whole[: len(whole) // 8 * 3],
            "overwritten": whole[:4096] + b"\xa5" * (len(whole) - 4096),
        }[kind]
    )
    again = SqliteTextIndex(index.root)
    for doing in (again.collection("u.rag").search("river", 5), again.collection("u.rag").add("new", ["river"])):
        with pytest.raises(StorageError, match=r"u.rag.db.*agentic documents reindex"):
            await doing
    await again.drop("u.rag")
    await again.collection("u.rag").add("doc", ["river"])
    assert len(await again.collection("u.rag").search("river", 5)) == 1
    await again.aclose()


async def test_newer_file_is_refused_with_the_command_that_helps(index: SqliteTextIndex, texts: Texts) -> None:
    index.root.mkdir()
    connection = sqlite3.connect(file_of(index))
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    for doing in (texts.search("x", 1), texts.add("doc", ["x"])):
        with pytest.raises(StorageError, match="pip install -U agentic-plugin-texts-sqlite"):
            await doing


async def test_lock_held_too_long_is_told_and_gone_with_the_lock(index: SqliteTextIndex, texts: Texts) -> None:
    await texts.add("doc", ["river"])
    other = sqlite3.connect(file_of(index), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="locked for too long"):
        await texts.add("doc", ["bank"])
    assert len(await texts.search("river", 5)) == 1, "searches go on meanwhile"
    other.execute("ROLLBACK")
    other.close()
    await texts.add("doc", ["bank"])
    assert await texts.search("river", 5) == []


async def test_delete_that_a_reader_keeps_from_its_end_says_so_and_ends_the_next_time(
    index: SqliteTextIndex, texts: Texts
) -> None:
    await texts.add("doc", ["river"])
    await texts.add("secret", ["confidential"])
    reader = sqlite3.connect(file_of(index), isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM documents").fetchall()
    with pytest.raises(StorageError, match="Delete it once more"):
        await texts.delete("secret")
    assert list(await texts.documents()) == ["doc"]
    reader.execute("COMMIT")
    reader.close()
    assert await texts.delete("secret") == 0
    assert await files_with(index.root, b"confidential") == []


async def test_log_that_a_crash_left_is_emptied_with_the_next_start(index: SqliteTextIndex, tmp_path: Path) -> None:
    """Killed between the deletion and the emptying of the log, the text is in there until then."""
    texts = index.collection("u.rag")
    await texts.add("doc", ["river"])
    await texts.add("secret", ["confidential"])
    crashed = tmp_path / "crashed" / "texts"
    await asyncio.to_thread(shutil.copytree, index.root, crashed)
    assert await files_with(crashed, b"confidential") == [str(crashed / "u.rag.db-wal")]
    connection = sqlite3.connect(crashed / "u.rag.db", isolation_level=None)
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("DELETE FROM pieces WHERE text LIKE 'conf%'")
    connection.execute("INSERT INTO pieces (pieces) VALUES ('optimize')")
    crashed_again = tmp_path / "crashed again" / "texts"
    await asyncio.to_thread(shutil.copytree, crashed, crashed_again)
    connection.close()
    assert await files_with(crashed_again, b"confidential")
    restarted = SqliteTextIndex(crashed_again)
    await restarted.scopes()
    await restarted.collection("another").add("doc", ["x"])
    assert await files_with(crashed_again, b"confidential") == []
    await restarted.aclose()


async def test_folder_that_cannot_be_made_is_an_error_of_storage(index: SqliteTextIndex, texts: Texts) -> None:
    index.root.write_text("a file where the folder should be")
    for doing in (texts.add("doc", ["x"]), texts.search("x", 1)):
        with pytest.raises(StorageError, match=r"Not a directory|File exists"):
            await doing
    assert "exists" in str(await index.health())


async def test_files_longest_unused_are_closed_and_opened_again(tmp_path: Path) -> None:
    index = SqliteTextIndex(tmp_path, open_files=3)
    for number in range(8):
        await index.collection(f"s{number}").add("doc", ["river"])
    assert list(index._scopes) == ["s5", "s6", "s7"]
    found = await asyncio.gather(*(index.collection(f"s{number % 8}").search("river", 5) for number in range(40)))
    assert [len(hits) for hits in found] == [1] * 40
    await index.aclose()
    assert not list(index.root.glob("*-wal"))


async def test_file_is_taken_away_with_its_last_document(index: SqliteTextIndex, texts: Texts) -> None:
    await texts.add("a", ["river"])
    await texts.add("b", ["river"])
    await texts.delete("a")
    assert file_of(index).exists()
    await texts.delete("b")
    assert [path.name for path in index.root.iterdir()] == [".lock"]


async def test_file_taken_away_by_hand_is_made_anew(index: SqliteTextIndex, texts: Texts) -> None:
    await texts.add("a", ["river"])
    for path in index.root.glob("u.rag.db*"):
        path.unlink()
    assert await texts.search("river", 5) == []
    await texts.add("b", ["river"])
    assert list(await texts.documents()) == ["b"]


async def test_room_of_what_was_deleted_is_given_back(index: SqliteTextIndex, texts: Texts) -> None:
    await texts.add("small", ["river"])
    await texts.add("big", ["word " * 2000] * 100)
    before = sum(path.stat().st_size for path in index.root.glob("u.rag.db*"))
    await texts.delete("big")
    assert file_of(index).stat().st_size < before / 5


async def test_file_and_folder_are_for_their_owner_alone(index: SqliteTextIndex, texts: Texts) -> None:
    await texts.add("doc", ["river"])
    assert stat.S_IMODE(index.root.stat().st_mode) == 0o700
    for path in index.root.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name


async def test_acknowledged_is_flushed_and_deleted_is_overwritten(index: SqliteTextIndex, texts: Texts) -> None:
    await texts.add("doc", ["river"])
    for name, value in (("journal_mode", "wal"), ("synchronous", 2), ("secure_delete", 1), ("auto_vacuum", 1)):
        assert await on_writer(index, f"PRAGMA {name}") == [(value,)]


async def test_closed_index_refuses_and_leaves_no_thread(index: SqliteTextIndex, texts: Texts) -> None:
    await texts.add("doc", ["river"])
    await index.aclose()
    for doing in (texts.search("river", 5), texts.add("doc", ["x"])):
        with pytest.raises(StorageError, match="closed"):
            await doing
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("texts-")]


async def test_strange_files_are_passed_over(index: SqliteTextIndex, texts: Texts) -> None:
    await texts.add("doc", ["river"])
    for name in ("README", "Capital.db", "..db", "notes.db.bak", ".health.db"):
        (index.root / name).write_text("by hand")
    assert list(await index.scopes()) == ["u.rag"]


def test_hook_makes_nothing_before_the_first_use(tmp_path: Path) -> None:
    index = agentic_text_indexes(settings=None, data_dir=tmp_path / "data")
    assert (index.name, index.rank) == ("sqlite", 10)
    assert not (tmp_path / "data").exists()


def test_one_object_serves_several_event_loops(tmp_path: Path) -> None:
    index = SqliteTextIndex(tmp_path)
    texts = index.collection("s")
    for number in range(2):
        asyncio.run(texts.add(f"doc{number}", ["river"]))
    assert len(asyncio.run(texts.search("river", 5))) == 2
    asyncio.run(index.aclose())
