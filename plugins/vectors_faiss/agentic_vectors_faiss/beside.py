"""Other cores for a part of a search, where they have nothing else to do."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

T = TypeVar("T")
MOST = 3
"""Threads at most, as memory hands out no more to a fifth core."""


class Beside:
    """Threads that take over work whose end the caller waits for. They start when they are first needed.

    FAISS splits one search over threads in a way that makes them spin while they wait. These sleep, and what none of
    them has begun when the caller comes to it, it does itself: on a busy machine, or after a fork, which leaves threads
    behind, nobody waits for them.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._guard = threading.Lock()
        self._started: list[_Helper] = []
        self._idle: deque[_Helper] = deque()
        self._closed = False

    def do(self, works: Sequence[Callable[[], T]]) -> list[T]:
        """Do all of it, side by side so far as threads are idle. Raises what the first of them raised that did."""
        first, *others = (_Job(work) for work in works)
        for job in others:
            if not self._hand_over(job):
                break
        for job in (first, *others):
            job.begin()
        for job in others:
            job.wait()
        return [job.result() for job in (first, *others)]

    def close(self) -> None:
        """End the threads; what is asked of it from now on, the caller does alone."""
        with self._guard:
            self._closed = True
            started, self._started = self._started, []
        self._idle.clear()
        for helper in started:
            helper.jobs.put(None)
        for helper in started:
            helper.thread.join()

    def _hand_over(self, job: _Job[T]) -> bool:
        """Whether there is a thread for it."""
        try:
            helper = self._idle.pop()
        except IndexError:
            started = self._start()
            if started is None:
                return False
            helper = started
        helper.jobs.put(job)
        return True

    def _start(self) -> _Helper | None:
        with self._guard:
            if self._closed or len(self._started) >= self.most:
                return None
            try:
                helper = _Helper(self._idle)
            except RuntimeError:
                # The system has no thread to give: as good as one that is busy.
                return None
            self._started.append(helper)
            return helper


class _Job(Generic[T]):
    """A piece of work that is done once, by whoever comes first."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._begun, self._done = threading.Lock(), threading.Lock()
        self._done.acquire()
        self._result: T
        self._error: BaseException | None = None

    def begin(self) -> None:
        """Do it, unless another has begun."""
        if not self._begun.acquire(blocking=False):
            return
        try:
            self._result = self._work()
        except BaseException as error:  # noqa: BLE001 - it is raised where the work was asked for
            self._error = error
        finally:
            self._done.release()

    def wait(self) -> None:
        """Until it is done, well or not."""
        self._done.acquire()

    def result(self) -> T:
        """What came of it. Raises what it raised."""
        if self._error is not None:
            try:
                raise self._error
            finally:
                # It holds this frame, which would hold it.
                self._error = None
        return self._result


class _Helper:
    """One thread, idle or with one job."""

    def __init__(self, idle: deque[_Helper]) -> None:
        self.jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._idle = idle
        self.thread = threading.Thread(target=self._run, name="vectors-beside", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        one_core()
        while (job := self.jobs.get()) is not None:
            job.begin()
            del job
            self._idle.append(self)


def one_core() -> None:
    """For this thread: FAISS's own wait for one another by spinning, which on a busy machine outlasts the search."""
    import faiss

    faiss.omp_set_num_threads(1)


def other_cores() -> int:
    """How many threads may help: as many as there are cores for this process, but for the caller's own."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return min(cores - 1, MOST)
