"""Sandboxes kept ready: each serves one program and is thrown away, while the next gets ready."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from agentic import ToolError
from agentic_python_exec.backends import start_of
from agentic_python_exec.choice import Chosen, choose
from agentic_python_exec.limits import Limits, limits_of
from agentic_python_exec.outcome import Outcome, Request
from agentic_python_exec.processes import allowed
from agentic_python_exec.runtime import PRELOAD
from agentic_python_exec.sandbox import Sandbox, SandboxEnded, SandboxFailed, Spawner
from agentic_python_exec.settings import Settings
from agentic_python_exec.turns import Turns

logger = logging.getLogger(__name__)
T = TypeVar("T")
_STARTING_S = 60
_GRACE_S = 10


class Pool:
    """Runs programs; at most PYTHON_EXEC_PARALLEL at once, from PYTHON_EXEC_WARM ready sandboxes.

    ``preload`` are modules that a sandbox has imported before it is given a program.
    """

    def __init__(self, settings: Settings, data_dir: Path, *, preload: tuple[str, ...] = PRELOAD) -> None:
        self.limits: Limits = limits_of(settings)
        self._settings = settings
        self._data_dir = data_dir
        self._preload = preload
        self._turns = Turns(settings.python_exec_parallel)
        self._ready: deque[Sandbox] = deque()
        self._choosing: asyncio.Task[Chosen] | None = None
        self._filling: set[asyncio.Task[None]] = set()
        self._ending: set[Future[None]] = set()
        self._spawner = Spawner()
        self._threads = ThreadPoolExecutor(
            settings.python_exec_parallel * 2 + settings.python_exec_warm + 2, thread_name_prefix="python-exec"
        )
        self._closed = False

    @property
    def is_ready(self) -> bool:
        """Whether a back end was chosen already."""
        return self._choosing is not None and _succeeded(self._choosing)

    @property
    def idle_pids(self) -> tuple[int, ...]:
        """The ids of the processes that wait for a program."""
        return tuple(sandbox.pid for sandbox in self._ready)

    async def choice(self) -> Chosen:
        """The back end in use; the first call makes the runtime and tests back ends. Raises ToolError."""
        if self._choosing is None or (self._choosing.done() and not _succeeded(self._choosing)):
            self._choosing = asyncio.create_task(
                self._in_thread(lambda: choose(self._settings, self._data_dir, self._spawner))
            )
        # A caller that goes away takes no other caller's runtime with it.
        return await asyncio.shield(self._choosing)

    async def run(self, request: Request, user: str = "") -> Outcome:
        """Run a program of a user's, and wait for its end.

        Raises ToolError where there is no sandbox, or it failed.
        """
        chosen = await self.choice()
        async with self._turns.place(user):
            sandbox = await self._take(chosen)
            try:
                return await self._watched(sandbox, request, chosen)
            except SandboxEnded:
                logger.warning("[Sandbox] Ended from outside: process %d", sandbox.pid)
                return Outcome(reason="killed")
            except SandboxFailed as error:
                logger.error("[Sandbox] Failed: %s", error.message)
                raise ToolError(f"The sandbox failed: {error.message}") from error
            finally:
                self._retire(sandbox)
                self._refill(chosen)

    async def aclose(self) -> None:
        """End all sandboxes and threads. May be called again."""
        if self._closed:
            return
        self._closed = True
        for task in self._filling:
            task.cancel()
        await asyncio.gather(*self._filling, return_exceptions=True)
        while self._ready:
            self._retire(self._ready.popleft())
        await asyncio.gather(*map(asyncio.wrap_future, list(self._ending)), return_exceptions=True)
        if self._choosing is not None:
            await asyncio.wait([self._choosing])
            if _succeeded(self._choosing):
                await self._in_thread(self._choosing.result().release)
        self._threads.shutdown(wait=False)
        self._spawner.close()

    async def _watched(self, sandbox: Sandbox, request: Request, chosen: Chosen) -> Outcome:
        def run() -> Outcome:
            return sandbox.run(request, allowed(chosen.backend, self.limits.processes))

        try:
            async with asyncio.timeout(self.limits.wall + _GRACE_S):
                return await self._in_thread(run)
        except TimeoutError:
            sandbox.kill()
            raise SandboxFailed("it did not answer in time") from None
        except asyncio.CancelledError:
            sandbox.kill()
            raise

    async def _take(self, chosen: Chosen) -> Sandbox:
        while self._ready:
            sandbox = self._ready.popleft()
            if sandbox.alive:
                return sandbox
            logger.warning("[Sandbox] Gone while idle: process %d; another is taken", sandbox.pid)
            self._retire(sandbox)
        try:
            return await self._start(chosen)
        except SandboxFailed as error:
            logger.error("[Sandbox] Not started: %s", error.message)
            raise ToolError(f"The sandbox could not be started: {error.message}") from error

    async def _start(self, chosen: Chosen) -> Sandbox:
        """A sandbox that is ready. Raises SandboxFailed; a cancelled start leaves nothing behind."""

        def spawn() -> Sandbox:
            start = start_of(chosen.backend, chosen.runtime, self.limits, chosen.runs.folder, self._preload)
            return Sandbox(self._spawner, start, self.limits)

        spawning = self._threads.submit(spawn)
        try:
            sandbox = await asyncio.wrap_future(spawning)
        except asyncio.CancelledError:
            spawning.add_done_callback(_end_started)
            raise
        except OSError as error:
            raise SandboxFailed(f"its folder cannot be made ({error.strerror})") from error
        try:
            async with asyncio.timeout(_STARTING_S):
                await self._in_thread(sandbox.wait_until_ready)
        except TimeoutError:
            self._retire(sandbox)
            raise SandboxFailed(f"it was not ready after {_STARTING_S} s") from None
        except BaseException:
            self._retire(sandbox)
            raise
        return sandbox

    def _refill(self, chosen: Chosen) -> None:
        missing = self._settings.python_exec_warm - len(self._ready) - len(self._filling)
        for _ in range(0 if self._closed else missing):
            task = asyncio.create_task(self._fill(chosen))
            self._filling.add(task)
            task.add_done_callback(self._filling.discard)

    async def _fill(self, chosen: Chosen) -> None:
        try:
            self._ready.append(await self._start(chosen))
        except SandboxFailed as error:
            # The next program starts one for itself, and tells its user if that fails too.
            logger.warning("[Sandbox] Not started beforehand: %s", error.message)

    def _retire(self, sandbox: Sandbox) -> None:
        """End a sandbox, at once; cleaning up after it is a thread's work."""
        sandbox.kill()
        ending = self._threads.submit(sandbox.end)
        self._ending.add(ending)
        ending.add_done_callback(self._ended)

    def _ended(self, ending: Future[None]) -> None:
        self._ending.discard(ending)
        if not ending.cancelled() and (error := ending.exception()) is not None:
            logger.error("[Sandbox] Not cleaned up: %s", type(error).__name__, exc_info=error)

    async def _in_thread(self, act: Callable[[], T]) -> T:
        return await asyncio.wrap_future(self._threads.submit(act))


def _succeeded(task: asyncio.Task[Chosen]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def _end_started(starting: Future[Sandbox]) -> None:
    """End a sandbox whose start was cancelled before anybody got to hold it."""
    if not starting.cancelled() and starting.exception() is None:
        starting.result().end()
