"""Threads for what blocks: nothing is left under way behind a caller's back, and nothing begins after the end."""

import asyncio
import gc
import threading
import weakref
from concurrent.futures.thread import BrokenThreadPool

import pytest

from agentic.errors import StorageError
from agentic.workers import Threads


async def test_cancelled_caller_goes_on_only_when_the_work_is_done() -> None:
    threads, begun, go = Threads(1, "test", closed="closed"), threading.Event(), threading.Event()
    done: list[str] = []

    def work() -> None:
        begun.set()
        go.wait(30)
        done.append("work")

    calling = asyncio.create_task(threads.do(work))
    assert await asyncio.to_thread(begun.wait, 30)
    for _ in range(2):
        calling.cancel()
        await asyncio.wait([calling], timeout=0.05)
        assert not calling.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert done == ["work"]
    await threads.aclose()


async def test_what_is_first_comes_before_all_other_work_and_once() -> None:
    done: list[str] = []
    threads = Threads(1, "test", closed="closed", first=lambda: done.append("first"))
    assert done == [], "nothing is started before there is work"
    for name in ("one", "two"):
        await threads.do(lambda name=name: done.append(name))  # type: ignore[misc]
    assert done == ["first", "one", "two"]
    await threads.aclose()


async def test_closed_threads_finish_their_work_and_take_no_more() -> None:
    threads, go = Threads(1, "test", closed="The shop is closed."), threading.Event()
    working = asyncio.create_task(threads.do(lambda: go.wait(30)))
    await asyncio.sleep(0)
    closing = asyncio.create_task(threads.aclose())
    await asyncio.sleep(0)
    go.set()
    await closing
    assert await working
    with pytest.raises(StorageError, match="The shop is closed"):
        await threads.do(lambda: None)


async def test_threads_that_had_no_work_close_too() -> None:
    await Threads(1, "test", closed="closed").aclose()


async def test_what_goes_wrong_in_a_thread_reaches_its_caller() -> None:
    threads = Threads(1, "test", closed="closed")
    with pytest.raises(ZeroDivisionError):
        await threads.do(lambda: 1 // 0)
    assert await threads.do(lambda: "goes on") == "goes on"
    await threads.aclose()


async def test_threads_that_cannot_be_started_keep_nobody_waiting() -> None:
    def broken() -> None:
        raise OSError("no library")

    threads = Threads(1, "test", closed="closed", initializer=broken)
    for _ in range(2):
        with pytest.raises(BrokenThreadPool):
            await asyncio.wait_for(threads.do(lambda: None), 30)
    await threads.aclose()


class Fault(OSError):
    pass


async def test_error_is_let_go_of_with_all_that_it_holds() -> None:
    threads = Threads(1, "test", closed="closed")

    def fails() -> None:
        raise Fault

    gc.disable()
    try:
        with pytest.raises(Fault) as caught:
            await threads.do(fails)
        error = weakref.ref(caught.value)
        del caught
        # The thread lets go of its work when it takes the next one.
        await threads.do(lambda: None)
        assert error() is None
    finally:
        gc.enable()
    await threads.aclose()
