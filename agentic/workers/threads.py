"""Threads for libraries and disks that block: a caller that is cancelled goes on only when nothing is under way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from agentic.errors import StorageError

T = TypeVar("T")


async def to_the_end(threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    """Do it in a thread. A caller that is cancelled goes on only when the thread has let go of what it works on."""
    doing = threads.submit(work)
    try:
        await _end_of(doing)
    except asyncio.CancelledError:
        while not doing.done():
            with suppress(asyncio.CancelledError):
                await _end_of(doing)
        raise
    try:
        return doing.result()
    finally:
        # What was raised holds this frame, which would hold it, and the threads with it.
        del doing


def _end_of(doing: Future[T]) -> asyncio.Future[None]:
    """Done when the thread is; cancelling it stops nothing.

    The loop's own futures for this copy what was found twice, and a shield once more: a third of what a hop costs.
    """
    loop = asyncio.get_running_loop()
    ended = loop.create_future()

    def tell(_: Future[T]) -> None:
        # A loop that is closed has nobody left to tell.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_wake, ended)

    doing.add_done_callback(tell)
    return ended


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


class Threads:
    """At most ``most`` threads, started with the first work, which may come from several event loops.

    ``first`` is done before anything else, ``initializer`` in each thread before its first work; ``closed`` is what
    callers are told who come after the end.
    """

    def __init__(
        self,
        most: int,
        name: str,
        *,
        closed: str,
        first: Callable[[], None] | None = None,
        initializer: Callable[[], None] | None = None,
    ) -> None:
        self._most = most
        self._name = name
        self._refusal = closed
        self._first = first
        self._initializer = initializer
        self._starting = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None
        self._closed = False

    async def do(self, work: Callable[[], T]) -> T:
        """Do it in one of the threads, as :func:`to_the_end` does. Raises StorageError where they are closed."""
        return await to_the_end(self._started(), work)

    async def aclose(self) -> None:
        """Wait for what is being done, and end the threads."""
        with self._starting:
            self._closed = True
            threads = self._threads
        if threads is not None:
            await asyncio.to_thread(threads.shutdown)

    def _started(self) -> ThreadPoolExecutor:
        with self._starting:
            if self._closed:
                raise StorageError(self._refusal)
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._most, self._name, self._initializer)
                if self._first is not None:
                    self._threads.submit(self._first)
            return self._threads
