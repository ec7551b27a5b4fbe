"""What was written is flushed to disk before its writer is told, or at once after it."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentic_storage_sqlite import writer
from agentic_storage_sqlite.backend import SqliteStorage
from agentic_storage_sqlite.database import flush_file

LEFT_TO_US, BY_SQLITE = 1, 2
"""What ``PRAGMA synchronous`` says where SQLite flushes no commit, and where it flushes each."""


@pytest.fixture
async def relaxed(tmp_path: Path) -> AsyncIterator[SqliteStorage]:
    storage = SqliteStorage(tmp_path / "agentic.db", flush="after")
    yield storage
    await storage.aclose()


async def synchronous(storage: SqliteStorage, *, erases: bool = False) -> int:
    return int(
        await storage._write(lambda connection: connection.execute("PRAGMA synchronous").fetchone()[0], erases=erases)
    )


async def test_writer_is_told_while_the_disk_is_busy(relaxed: SqliteStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[Path] = []
    busy = threading.Event()

    def slow(path: Path) -> None:
        busy.wait()
        flush_file(path)
        flushed.append(path)

    monkeypatch.setattr(writer, "flush_file", slow)
    try:
        assert await relaxed.save("note", 1) == 1
        assert flushed == []
        stored = await relaxed.load("note")
        assert stored is not None, "everybody sees it already"
        assert stored.value == 1
    finally:
        busy.set()
    await relaxed.aclose()
    assert flushed == [relaxed.path.with_name("agentic.db-wal")]


async def test_what_is_written_together_is_flushed_once(
    relaxed: SqliteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr(writer, "flush_file", flushed.append)
    await asyncio.gather(*(relaxed.append("log", [number]) for number in range(20)))
    await relaxed.aclose()
    assert len(flushed) == 1


async def test_what_erases_is_flushed_before_it_is_told(
    relaxed: SqliteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr(writer, "flush_file", flushed.append)
    await relaxed.save("note", 1)
    assert await synchronous(relaxed) == LEFT_TO_US
    assert await synchronous(relaxed, erases=True) == BY_SQLITE
    assert await relaxed.delete("note")
    await relaxed.aclose()
    assert len(flushed) == 2, "of the two writes that erase nothing"


async def test_disk_that_cannot_flush_is_waited_for_from_then_on(
    relaxed: SqliteStorage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(path: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(writer, "flush_file", failing)
    await relaxed.save("note", 1)
    assert await synchronous(relaxed) == BY_SQLITE, "SQLite's own flush tells each writer what is wrong"
    assert "Not flushed, each write waits for the disk from now on: Input/output error" in caplog.text


async def test_all_is_flushed_before_where_that_was_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr(writer, "flush_file", flushed.append)
    storage = SqliteStorage(tmp_path / "agentic.db", flush="before")
    assert await synchronous(storage) == BY_SQLITE
    await storage.aclose()
    assert flushed == []
