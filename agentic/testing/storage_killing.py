"""The part of the storage kit about processes that are killed while they write, and several that write at once."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentic.ports.storage import StorageBackend

Reopen = Callable[[], StorageBackend] | None
Writer = str | None
ROUNDS = 5
WORKERS = 8
PAGE = 1000
_WRITER = """
import asyncio, os, sys
{maker}

async def work(storage, key, text):
    count = 0
    while True:
        count += 1
        await storage.save(key, {{"count": count, "text": text}})
        await storage.append(key, [count, count])
        os.write(1, f"{{key}} {{count}}\\n".encode())

async def main(name):
    storage = make()
    await asyncio.gather(*(work(storage, f"{{name}}/{{n}}", "x" * 2000) for n in range({workers})))

asyncio.run(main(sys.argv[1]))
"""


class KilledStorageConformance:
    """What holds after ``kill -9``. :class:`agentic.testing.storage.StorageConformance` includes it.

    The fixture ``maker`` gives lines of Python that define ``make()``, which opens one more backend on the same data.
    """

    @pytest.fixture
    def maker(self) -> Writer:
        """Source of a function ``make`` for processes of their own; None where there is no such thing."""
        return None

    async def test_killed_under_load_it_has_lost_nothing_acknowledged(
        self, backend: StorageBackend, reopen: Reopen, maker: Writer, tmp_path: Path
    ) -> None:
        if maker is None or reopen is None:
            pytest.skip("the fixtures `maker` and `reopen` are not given")
        for number in range(ROUNDS):
            kept = await killed_writer(maker, f"round{number}", 20 + 30 * number, tmp_path)
            await _holds(backend, kept)
        other = reopen()
        try:
            await _holds(other, kept)
            assert len(await other.list("", limit=PAGE)) == ROUNDS * WORKERS
        finally:
            await other.aclose()

    async def test_several_processes_write_at_once(
        self, backend: StorageBackend, maker: Writer, tmp_path: Path
    ) -> None:
        if maker is None:
            pytest.skip("the fixture `maker` is not given")
        writing = asyncio.gather(*(killed_writer(maker, name, 100, tmp_path) for name in ("one", "two")))
        mine = 0
        while not writing.done():
            mine = await backend.save("mine", mine, if_version=mine)
        for kept in await writing:
            await _holds(backend, kept)
        assert mine > 1


async def killed_writer(maker: str, name: str, lines: int, folder: Path) -> dict[str, int]:
    """Let a process write until it has told of so many, kill it, and return what it told: each key's last count."""
    program = folder / "writer.py"
    await asyncio.to_thread(program.write_text, _WRITER.format(maker=maker, workers=WORKERS), "utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(program), name, stdout=asyncio.subprocess.PIPE, env=environment
    )
    assert process.stdout is not None
    told = [await process.stdout.readline() for _ in range(lines)]
    process.kill()
    told += (await process.stdout.read()).splitlines(keepends=True)
    await process.wait()
    whole = [line.split() for line in told if line.endswith(b"\n")]
    assert len(whole) >= lines, "the writer ended by itself"
    return {key.decode(): int(count) for key, count in whole}


async def _holds(storage: StorageBackend, kept: dict[str, int]) -> None:
    """What was told is there, and at most one save and one whole append more."""
    for key, count in kept.items():
        stored = await storage.load(key)
        assert stored is not None
        assert count <= stored.value["count"] == stored.version <= count + 1
        items: list[Any] = []
        while page := await storage.read(key, after=len(items)):
            items += page
        assert items in [[n for n in range(1, most + 1) for _ in range(2)] for most in (count, count + 1)]
