"""A few warm workers: one analysis each, ended when it takes too long, and replaced when they die."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from agentic import Json, ToolError
from agentic_data_analysis.process import Process, WorkerDied

logger = logging.getLogger(__name__)
_STARTING_S = 30
_LEAST_S = 0.5
T = TypeVar("T")


class Pool:
    """At most ``size`` workers, started when they are first needed.

    ``timeout_s`` holds for an analysis together with its wait for a free worker.
    """

    def __init__(self, timeout_s: float, memory_mb: int, size: int = 2) -> None:
        self.timeout_s = timeout_s
        self.memory_mb = memory_mb
        self._size = size
        self._idle: list[Process] = []
        self._free = asyncio.Semaphore(size)
        self._threads: ThreadPoolExecutor | None = None

    @property
    def idle_pids(self) -> tuple[int, ...]:
        """The ids of the processes that wait for work."""
        return tuple(worker.pid for worker in self._idle)

    async def compute(self, request: Json, data: str) -> Json:
        """The worker's answer. Raises ToolError when time, memory or the worker itself ran out."""
        asked = time.monotonic()
        try:
            async with asyncio.timeout(self.timeout_s):
                await self._free.acquire()
        except TimeoutError:
            raise ToolError("Other analyses take all workers. Try again in a moment.") from None
        try:
            worker = await self._worker()
            waited = time.monotonic() - asked
            return await self._ask(worker, request, data, max(self.timeout_s - waited, _LEAST_S))
        finally:
            self._free.release()

    async def aclose(self) -> None:
        """End the idle workers."""
        idle, self._idle = self._idle, []
        for worker in idle:
            await self._in_thread(worker.end)
        if self._threads is not None:
            self._threads.shutdown(wait=False)
            self._threads = None

    async def _worker(self) -> Process:
        """A worker that is ready: one that idles, or a new one."""
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
            logger.warning("[DataAnalysis] Worker: an idle one was gone; starting another")
            await self._in_thread(worker.end)
        return await self._start()

    async def _start(self) -> Process:
        started = time.monotonic()
        starting = self._executor().submit(Process, self.timeout_s, self.memory_mb)
        try:
            worker = await asyncio.wrap_future(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(_end_started)
            raise
        try:
            await self._answer_of(worker, worker.read, _STARTING_S)
        except (WorkerDied, TimeoutError) as error:
            logger.error("[DataAnalysis] Worker: did not start: %s", error)
            raise ToolError("The analysis could not be started; the server's log says more.") from error
        logger.info("[DataAnalysis] Worker: started in %.1f s", time.monotonic() - started)
        return worker

    async def _ask(self, worker: Process, request: Json, data: str, seconds: float) -> Json:
        try:
            said = await self._answer_of(worker, lambda: worker.ask(request, data), seconds)
        except TimeoutError:
            logger.info("[DataAnalysis] Analysis: stopped after %.1f s", seconds)
            raise ToolError(
                f"The analysis did not finish within {self.timeout_s:g} s and was stopped. Give fewer rows or columns."
            ) from None
        except WorkerDied as error:
            logger.warning("[DataAnalysis] Worker: ended in mid-analysis with code %d", error.code)
            raise ToolError(
                "The analysis was cut off: it took too much memory or time. Give fewer rows or columns."
            ) from None
        if said.get("last"):
            await self._in_thread(worker.end)
        else:
            self._idle.append(worker)
        return said

    async def _answer_of(self, worker: Process, act: Callable[[], Json], seconds: float) -> Json:
        """What the worker says within some seconds; otherwise, and when cancelled, it is killed.

        Raises TimeoutError or WorkerDied.
        """
        waiting = self._executor().submit(act)
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.wrap_future(waiting)
        except (TimeoutError, asyncio.CancelledError):
            worker.kill()
            self._executor().submit(worker.end)
            raise

    async def _in_thread(self, act: Callable[[], T]) -> T:
        return await asyncio.wrap_future(self._executor().submit(act))

    def _executor(self) -> ThreadPoolExecutor:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._size * 2, thread_name_prefix="data-analysis")
        return self._threads


def _end_started(starting: Future[Process]) -> None:
    """End a worker whose start was cancelled before anybody got to hold it."""
    if not starting.cancelled() and starting.exception() is None:
        starting.result().end()
