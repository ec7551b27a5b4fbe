"""Killed in the middle of writing, the store has kept whatever it had acknowledged, whole, and clears the rest."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from agentic.testing.blobs import pieces_of, whole
from agentic_blobs_files.store import FileBlobs

WRITER = Path(__file__).with_name("blobs_files_writer.py")


async def test_killed_under_load_it_has_lost_nothing_acknowledged_and_halved_nothing(tmp_path: Path) -> None:
    left = 0
    for number in range(5):
        kept = await _killed_writer(tmp_path, 0.1 + number * 0.03)
        assert kept
        left += len(_files(tmp_path / ".incoming"))
        store = FileBlobs(tmp_path)
        for key, count in kept.items():
            data = await whole(store, key)
            assert len(data) == 3 * 1024 * 1024
            assert data == data[:8] * (len(data) // 8), "two files in one"
            # What was renamed but not yet told may be there as well.
            assert count <= int(data[:8]) <= count + 1
        assert len(await store.list("f/")) >= len(kept)
        await store.aclose()
        assert _files(tmp_path / ".incoming") == []
    assert left, "the process was killed in the middle of a file"


async def test_only_what_a_crash_has_left_is_cleared(tmp_path: Path) -> None:
    incoming = tmp_path / ".incoming"
    (incoming / "deleted" / "deep").mkdir(parents=True)
    (incoming / "deleted" / "deep" / "a.txt").write_text("half removed")
    (incoming / "left").write_text("half written")
    first = FileBlobs(tmp_path)
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def waiting() -> AsyncIterator[bytes]:
        yield b"x" * 2_000_000
        reached.set()
        await go_on.wait()

    putting = asyncio.create_task(first.put("k", waiting()))
    await reached.wait()
    being_written = await _only_one(incoming)
    second = FileBlobs(tmp_path)
    await second.put("other", pieces_of(b"x"))
    await second.aclose()
    assert await _only_one(incoming) == being_written
    go_on.set()
    assert await putting == 2_000_000
    await first.aclose()
    assert _files(incoming) == []


async def _only_one(folder: Path) -> Path:
    """The one file that is left in the folder within a second."""
    for _ in range(50):
        if len(_files(folder)) == 1:
            break
        await asyncio.sleep(0.02)
    [one] = _files(folder)
    return one


def _files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def _killed_writer(root: Path, seconds: float) -> dict[str, int]:
    """Let a process write, kill it, and return what it had told to be kept: the last count of each key."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(WRITER), str(root), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    lines = [await process.stdout.readline()]
    await asyncio.sleep(seconds)
    process.kill()
    lines += (await process.stdout.read()).splitlines(keepends=True)
    await process.wait()
    whole_lines = [line.split() for line in lines if line.endswith(b"\n")]
    return {key.decode(): int(count) for key, count in whole_lines}
