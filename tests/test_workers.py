"""Worker processes: killed when they are slow, replaced when they die, and blind to the environment."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
from collections.abc import AsyncIterator

import pytest

from agentic import ToolError, ToolRetry
from agentic.workers import NoWorker, Words, WorkerPool

WORDS = Words(busy="all are busy", slow="too slow", died="it died", absent="it did not start")


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    made = WorkerPool("tests.odd_worker", timeout_s=3, memory_mb=1024, words=WORDS, size=1, variables={"SEEN": "1"})
    # Tests count from when there is a worker.
    await made.ask({"do": "nothing"})
    yield made
    await made.aclose()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("act", ["sleep", "spin"])
async def test_slow_worker_is_killed_and_the_next_request_gets_another(pool: WorkerPool, act: str) -> None:
    first = int(await pool.ask({"do": "pid"}))
    with pytest.raises(ToolError, match="too slow"):
        await pool.ask({"do": act})
    assert await pool.ask({"do": "pid"}) != str(first)
    assert not is_alive(first)


async def test_cancelled_request_kills_its_worker(pool: WorkerPool) -> None:
    pid = int(await pool.ask({"do": "pid"}))
    asking = asyncio.create_task(pool.ask({"do": "spin"}))
    await asyncio.sleep(0.1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await pool.ask({"do": "nothing"})
    assert not is_alive(pid)


async def test_worker_that_dies_is_told_of_and_replaced(pool: WorkerPool) -> None:
    with pytest.raises(ToolError, match="it died"):
        await pool.ask({"do": "die"})
    assert await pool.ask({"do": "nothing"}) == "done"


async def test_what_the_work_refuses_reaches_whoever_asked(pool: WorkerPool) -> None:
    with pytest.raises(ToolRetry, match="once more"):
        await pool.ask({"do": "retry"})
    with pytest.raises(ToolError, match="not like this"):
        await pool.ask({"do": "refuse"})


async def test_worker_out_of_memory_answers_and_ends(pool: WorkerPool) -> None:
    before = await pool.ask({"do": "pid"})
    with pytest.raises(ToolError, match="too big"):
        await pool.ask({"do": "memory"})
    assert await pool.ask({"do": "pid"}) != before


async def test_request_waits_for_a_free_worker_only_so_long(pool: WorkerPool) -> None:
    first = asyncio.create_task(pool.ask({"do": "sleep"}))
    await asyncio.sleep(0.3)
    second = asyncio.create_task(pool.ask({"do": "sleep"}))
    await asyncio.sleep(0)
    with pytest.raises(ToolError, match="all are busy"):
        await pool.ask({"do": "nothing"})
    told = await asyncio.gather(first, second, return_exceptions=True)
    assert [str(error) for error in told] == ["too slow", "too slow"]


async def test_module_that_does_not_start_is_told_of() -> None:
    pool = WorkerPool("tests.no_such_worker", timeout_s=5, memory_mb=1024, words=WORDS)
    with pytest.raises(NoWorker, match="it did not start"):
        await pool.ask({"do": "nothing"})
    await pool.aclose()


async def test_machine_that_starts_no_process_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(subprocess, "Popen", full)
    pool = WorkerPool("tests.odd_worker", timeout_s=3, memory_mb=1024, words=WORDS)
    with pytest.raises(NoWorker, match="it did not start"):
        await pool.ask({"do": "nothing"})
    await pool.aclose()


async def test_time_counts_from_when_the_work_begins_and_not_from_the_start_of_a_worker() -> None:
    pool = WorkerPool("tests.odd_worker", timeout_s=1.6, memory_mb=1024, words=WORDS, variables={"START_S": "1.6"})
    assert await pool.ask({"do": "nap"}) == "done"
    await pool.aclose()


async def test_payload_goes_whole_and_prints_go_nowhere(pool: WorkerPool) -> None:
    assert await pool.ask({"do": "measure"}, b"x\n" * 100_000) == "200000"
    assert await pool.ask({"do": "print"}) == "quiet"


async def test_workers_see_no_secret(pool: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = (await pool.ask({"do": "environment"})).split()
    assert "SEEN" in seen
    assert set(seen) <= {"SEEN", "PYTHONPATH", "PYTHONHASHSEED", "LD_LIBRARY_PATH", "LC_CTYPE"}
