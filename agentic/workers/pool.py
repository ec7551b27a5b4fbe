"""A few warm workers: one request each, ended when it takes too long, and replaced when they die."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from agentic.errors import ToolError, ToolRetry
from agentic.messages import Json
from agentic.workers.process import Process, WorkerDied

logger = logging.getLogger(__name__)
_STARTING_S = 30
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a model is told where no answer comes: all workers ``busy``, too ``slow``, it ``died``, it is ``absent``."""

    busy: str
    slow: str
    died: str
    absent: str


class NoWorker(ToolError):
    """No process could be started, so that nothing was tried: at another time it may go well."""


class WorkerPool:
    """At most ``size`` workers, started when they are first needed.

    ``module`` is run with ``python -m`` and calls :func:`agentic.workers.serve`. ``timeout_s`` holds for the
    work on a request, and as long at most does one wait for a free worker; the start of a worker has a limit of its
    own. ``memory_mb`` bounds a worker's address space. Of the environment workers see ``variables`` alone, and what
    finding libraries needs.
    """

    def __init__(
        self,
        module: str,
        *,
        timeout_s: float,
        memory_mb: int,
        words: Words,
        size: int = 2,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.timeout_s = timeout_s
        self._module = module
        self._words = words
        self._variables = variables or {}
        self.memory_mb = memory_mb
        self._size = size
        self._idle: list[Process] = []
        self._free = asyncio.Semaphore(size)
        self._threads: ThreadPoolExecutor | None = None

    @property
    def idle_pids(self) -> tuple[int, ...]:
        """The ids of the processes that wait for work."""
        return tuple(worker.pid for worker in self._idle)

    @property
    def longest_s(self) -> float:
        """Seconds after which a request is answered at the latest: its wait, a start, its work."""
        return 2 * self.timeout_s + _STARTING_S

    async def ask(self, request: Json, payload: bytes = b"") -> str:
        """The worker's answer. Raises the ToolError or ToolRetry that its work raised.

        Raises ToolError as well when time, memory or the worker itself ran out; NoWorker where none could be started.
        """
        try:
            async with asyncio.timeout(self.timeout_s):
                await self._free.acquire()
        except TimeoutError:
            raise ToolError(self._words.busy) from None
        try:
            said = await self._ask(await self._worker(), request, payload)
        finally:
            self._free.release()
        if "retry" in said:
            raise ToolRetry(said["retry"])
        if "error" in said:
            raise ToolError(said["error"])
        answer: str = said["answer"]
        return answer

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
            logger.warning("[Workers] %s: an idle one was gone; starting another", self._module)
            await self._in_thread(worker.end)
        return await self._start()

    async def _start(self) -> Process:
        started = time.monotonic()
        starting = self._executor().submit(Process, self._module, self.timeout_s, self.memory_mb, self._variables)
        try:
            worker = await asyncio.wrap_future(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(_end_started)
            raise
        except OSError as error:
            logger.error("[Workers] %s: did not start: %s", self._module, error)
            raise NoWorker(self._words.absent) from error
        try:
            await self._answer_of(worker, worker.read, _STARTING_S)
        except (WorkerDied, TimeoutError) as error:
            logger.error("[Workers] %s: did not start: %s", self._module, error)
            raise NoWorker(self._words.absent) from error
        logger.info("[Workers] %s: started in %.1f s", self._module, time.monotonic() - started)
        return worker

    async def _ask(self, worker: Process, request: Json, payload: bytes) -> Json:
        try:
            said = await self._answer_of(worker, lambda: worker.ask(request, payload), self.timeout_s)
        except TimeoutError:
            logger.info("[Workers] %s: stopped after %.1f s", self._module, self.timeout_s)
            raise ToolError(self._words.slow) from None
        except WorkerDied as error:
            logger.warning("[Workers] %s: ended in the middle of its work with code %d", self._module, error.code)
            raise ToolError(self._words.died) from None
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
            self._threads = ThreadPoolExecutor(self._size * 2, thread_name_prefix="workers")
        return self._threads


def _end_started(starting: Future[Process]) -> None:
    """End a worker whose start was cancelled before anybody got to hold it."""
    if not starting.cancelled() and starting.exception() is None:
        starting.result().end()
