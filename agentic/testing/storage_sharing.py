"""The part of the storage kit about waiting readers, many at once, and several processes on the same data."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from agentic.errors import Conflict
from agentic.ports.storage import StorageBackend

Reopen = Callable[[], StorageBackend] | None


class SharedStorageConformance:
    """What holds while others read and write. :class:`agentic.testing.storage.StorageConformance` includes it."""

    async def test_read_returns_at_once_when_there_are_items(self, backend: StorageBackend) -> None:
        await backend.append("log", [1])
        started = time.monotonic()
        assert list(await backend.read("log", wait_s=30)) == [1]
        assert time.monotonic() - started < 5

    async def test_read_gives_up_after_wait_s(self, backend: StorageBackend) -> None:
        started = time.monotonic()
        assert list(await backend.read("log", wait_s=0.2)) == []
        assert 0.15 < time.monotonic() - started < 5

    async def test_every_waiting_reader_wakes_for_its_own_log(self, backend: StorageBackend) -> None:
        readers = [asyncio.create_task(_timed(backend.read("log", wait_s=20))) for _ in range(3)]
        other = asyncio.create_task(backend.read("other", wait_s=0.4))
        await asyncio.sleep(0.1)
        appended = time.monotonic()
        await backend.append("log", ["x"])
        for items, at in await asyncio.gather(*readers):
            assert list(items) == ["x"]
            assert at - appended < 1
        assert list(await other) == []

    async def test_waiting_reader_wakes_only_for_items_after_its_position(self, backend: StorageBackend) -> None:
        reader = asyncio.create_task(backend.read("log", after=2, wait_s=20))
        await backend.append("log", [1, 2])
        await asyncio.sleep(0.15)
        assert not reader.done()
        await backend.append("log", [3, 4])
        assert list(await asyncio.wait_for(reader, 5)) == [3, 4]

    async def test_cancelled_reader_leaves_storage_working(self, backend: StorageBackend) -> None:
        readers = [asyncio.create_task(backend.read("log", wait_s=60)) for _ in range(20)]
        await asyncio.sleep(0.05)
        for reader in readers:
            reader.cancel()
        started = time.monotonic()
        results = await asyncio.gather(*readers, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)
        assert time.monotonic() - started < 1
        assert await asyncio.wait_for(backend.append("log", [1]), 5) == 1

    async def test_concurrent_load_loses_nothing(self, backend: StorageBackend) -> None:
        async def work(worker: int) -> None:
            for step in range(5):
                await backend.save(f"w/{worker}", step, if_version=step)
                await backend.append("shared", [[worker, step]])
                stored = await backend.load(f"w/{worker}")
                assert stored is not None
                assert (stored.value, stored.version) == (step, step + 1)

        await asyncio.gather(*(work(worker) for worker in range(32)))
        items = [tuple(item) for item in await backend.read("shared")]
        assert sorted(items) == [(worker, step) for worker in range(32) for step in range(5)]
        for worker in range(32):
            assert [step for owner, step in items if owner == worker] == list(range(5))
        assert len(await backend.list("w/")) == 32

    async def test_reopened_storage_sees_everything(self, backend: StorageBackend, reopen: Reopen) -> None:
        other = _other(reopen)
        try:
            await backend.save("doc", {"a": 1})
            await backend.append("log", [1, 2])
            stored = await other.load("doc")
            assert stored is not None
            assert (stored.value, stored.version, list(await other.read("log"))) == ({"a": 1}, 1, [1, 2])
            assert await other.save("doc", "theirs", if_version=1) == 2
            assert await other.delete("log") is True
            mine = await backend.load("doc")
            assert mine is not None
            assert (mine.value, mine.version, list(await backend.read("log"))) == ("theirs", 2, [])
            assert [found.key for found in await backend.list("", newest_first=True)] == ["doc"]
        finally:
            await other.aclose()

    async def test_closed_storage_has_kept_what_was_written(self, backend: StorageBackend, reopen: Reopen) -> None:
        if reopen is None:
            pytest.skip("the fixture `reopen` is not given")
        assert await asyncio.gather(*(backend.append("log", [n]) for n in range(20))) is not None
        await backend.aclose()
        other = reopen()
        try:
            assert sorted(await other.read("log")) == list(range(20))
        finally:
            await other.aclose()

    async def test_append_elsewhere_wakes_a_reader_here(self, backend: StorageBackend, reopen: Reopen) -> None:
        other = _other(reopen)
        try:
            reader = asyncio.create_task(_timed(backend.read("log", wait_s=20)))
            await asyncio.sleep(0.2)
            appended = time.monotonic()
            await other.append("log", ["x"])
            items, at = await reader
            assert list(items) == ["x"]
            assert at - appended < 2
        finally:
            await other.aclose()

    async def test_compare_and_set_holds_between_processes(self, backend: StorageBackend, reopen: Reopen) -> None:
        """Several handles, each in a thread and an event loop of its own, count up one number."""
        if reopen is None:
            pytest.skip("the fixture `reopen` is not given")
        await backend.save("count", 0)
        await asyncio.gather(*(asyncio.to_thread(asyncio.run, _count_up(reopen(), 10)) for _ in range(3)))
        stored = await backend.load("count")
        assert stored is not None
        assert (stored.value, stored.version) == (30, 31)
        assert sorted(await backend.read("count")) == list(range(1, 31))


def _other(reopen: Reopen) -> StorageBackend:
    if reopen is None:
        pytest.skip("the fixture `reopen` is not given")
    return reopen()


async def _timed(reading: Any) -> tuple[Any, float]:
    return await reading, time.monotonic()


async def _count_up(backend: StorageBackend, times: int) -> None:
    try:
        while times:
            stored = await backend.load("count")
            assert stored is not None
            try:
                await backend.save("count", stored.value + 1, if_version=stored.version)
            except Conflict:
                continue
            await backend.append("count", [stored.value + 1])
            times -= 1
    finally:
        await backend.aclose()
