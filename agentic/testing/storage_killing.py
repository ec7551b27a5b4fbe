"""The part of the storage kit about processes that are killed while they write, and several that write at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from agentic.ports.storage import StorageBackend
from agentic.testing.killed_writers import KilledWriter

Reopen = Callable[[], StorageBackend] | None
Writer = str | None
ROUNDS = 5
_FIRST_ONES = [[n < made for n in range(3)] for made in range(4)]
WORKERS = 8
PAGE = 1000
_WRITER = f"""
import asyncio, os

async def work(storage, key, text):
    count = 0
    while True:
        count += 1
        await storage.save(key, {{"count": count, "text": text}})
        await storage.append(key, [count, count])
        os.write(1, f"{{key}} {{count}}\\n".encode())

async def write(name):
    storage = make()
    await asyncio.gather(*(work(storage, f"{{name}}/{{n}}", "x" * 2000) for n in range({WORKERS})))

def write_for_ever():
    asyncio.run(write(asked.strip()))
"""

_ORDERED = f"""
import asyncio, os

async def work(storage, name):
    count = 0
    while True:
        count += 1
        key = f"{{name}}/{{count}}"
        await storage.in_order(
            storage.save(key, count), storage.append(key, ["x" * 2000]), storage.append(f"after/{{key}}", [count])
        )
        os.write(1, f"{{name}} {{count}}\\n".encode())

async def write(name):
    storage = make()
    await asyncio.gather(*(work(storage, f"{{name}}-{{n}}") for n in range({WORKERS})))

def write_for_ever():
    asyncio.run(write(asked.strip()))
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
        self, backend: StorageBackend, reopen: Reopen, maker: Writer
    ) -> None:
        if maker is None or reopen is None:
            pytest.skip("the fixtures `maker` and `reopen` are not given")
        async with KilledWriter(maker + _WRITER) as writer:
            for number in range(ROUNDS):
                kept = await _killed(writer, f"round{number}", 20 + 30 * number)
                await _holds(backend, kept)
        other = reopen()
        try:
            await _holds(other, kept)
            assert len(await other.list("", limit=PAGE)) == ROUNDS * WORKERS
        finally:
            await other.aclose()

    async def test_killed_among_writes_in_order_it_has_none_without_those_before(
        self, backend: StorageBackend, maker: Writer
    ) -> None:
        if maker is None:
            pytest.skip("the fixture `maker` is not given")
        async with KilledWriter(maker + _ORDERED) as writer:
            for number in range(ROUNDS):
                for name, count in (await _killed(writer, f"round{number}", 10 + 7 * number)).items():
                    for one in (count, count + 1):
                        key = f"{name}/{one}"
                        made = [await backend.load(key), await backend.read(key), await backend.read(f"after/{key}")]
                        assert [bool(each) for each in made] in _FIRST_ONES
                        assert made[2] or one > count, "what was told is all there"

    async def test_several_processes_write_at_once(self, backend: StorageBackend, maker: Writer) -> None:
        if maker is None:
            pytest.skip("the fixture `maker` is not given")
        program = maker + _WRITER
        mine = 0
        async with KilledWriter(program) as one, KilledWriter(program) as two:
            writing = asyncio.gather(_killed(one, "one", 100), _killed(two, "two", 100))
            while not writing.done():
                mine = await backend.save("mine", mine, if_version=mine)
                # The others are at work, and need the processor.
                await asyncio.sleep(0.01)
        for kept in await writing:
            await _holds(backend, kept)
        assert mine > 1


async def _killed(writer: KilledWriter, name: str, lines: int) -> dict[str, int]:
    """Let one write until it has told of so many, kill it, and return what it told: each key's last count."""
    told, _ = await writer.lines(lines, name)
    return {key.decode(): int(count) for key, count in (line.split() for line in told)}


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
