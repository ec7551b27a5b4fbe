"""Processes share one file, come and go, and are killed: none takes anything from the others."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentic_storage_sqlite.backend import SqliteStorage

WRITER = Path(__file__).with_name("sqlite_writer.py")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agentic.db"


@pytest.fixture
async def storage(path: Path) -> AsyncIterator[SqliteStorage]:
    storage = SqliteStorage(path)
    yield storage
    await storage.aclose()


async def _killed_writer(path: Path, name: str, seconds: float) -> dict[str, int]:
    """Let a process write, kill it, and return what it had told to be kept: the last count of each key."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(WRITER), str(path), name, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    lines = [await process.stdout.readline()]
    await asyncio.sleep(seconds)
    process.kill()
    lines += (await process.stdout.read()).splitlines(keepends=True)
    await process.wait()
    whole = [line.split() for line in lines if line.endswith(b"\n")]
    return {key.decode(): int(count) for key, count in whole}


async def test_append_of_another_process_wakes_a_reader(path: Path, storage: SqliteStorage) -> None:
    reader = asyncio.create_task(storage.read("other/0", wait_s=30))
    await _killed_writer(path, "other", 0.2)
    assert (await asyncio.wait_for(reader, 20))[0] == 1
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


VISITOR = """
import asyncio, sys
from pathlib import Path
from agentic_storage_sqlite.backend import SqliteStorage

async def main():
    storage = SqliteStorage(Path(sys.argv[1]))
    await storage.save(f"visitors/{sys.argv[2]}", "was here")
    await storage.aclose()

asyncio.run(main())
"""


async def test_processes_that_come_and_go_take_nothing_with_them(path: Path, storage: SqliteStorage) -> None:
    """The last to leave deletes the write-ahead log, so each must see that this process is still there."""
    for n in range(4):
        await storage.save(f"ours/{n}", n)
        assert await storage.load(f"ours/{n}")
        visitor = await asyncio.create_subprocess_exec(sys.executable, "-c", VISITOR, str(path), str(n))
        assert await visitor.wait() == 0
        await storage.save(f"ours/after/{n}", n)
    await storage.aclose()
    reopened = SqliteStorage(path)
    kept = [stored.key for stored in await reopened.list("")]
    await reopened.aclose()
    wanted = [name for n in range(4) for name in (f"ours/{n}", f"ours/after/{n}", f"visitors/{n}")]
    assert kept == sorted(wanted)
