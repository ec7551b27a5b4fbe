"""A run's log in the making: events are stamped, kept in order, and drained by one reader in batches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence

from agentic.errors import RunEnded
from agentic.events import Entry, Event


class Channel:
    """Stamps events with number and time and hands them to a reader as they come.

    Writers never wait. ``conclude`` makes the last event; from then on ``emit`` raises RunEnded and no entry is added.
    ``close`` hands the last event to the reader, once all is stored. ``past`` is what stands of the log of a run that
    goes on, ``end`` that log's last entry: numbers and time go on from there.
    """

    def __init__(self, past: Sequence[Entry] = (), end: Entry | None = None) -> None:
        self.entries: list[Entry] = list(past)
        self.last: Entry | None = None
        self.ended = asyncio.Event()
        self._ahead = end.number - len(past) if end else 0
        self._began = time.perf_counter() - (end.at if end else 0)
        self._drained = 0
        self._sealed = False
        self._concluded = False
        self._waiter: asyncio.Future[None] | None = None
        self._followers: list[asyncio.Future[None]] = []

    def emit(self, event: Event) -> None:
        """Add an event to the log."""
        if self._sealed:
            raise RunEnded("the run has ended")
        self._add(event)

    def note(self, event: Event) -> None:
        """Add what the kernel has seen, also after ``seal``; after the last event there is no place for it."""
        if not self._concluded:
            self._add(event)

    def seal(self) -> None:
        """Refuse events from now on, but for the last one."""
        self._sealed = True

    def conclude(self, event: Event) -> Entry:
        """The log's last entry, which is not in it before ``close``. May be made anew if the run ends otherwise."""
        self._sealed = self._concluded = True
        return self._stamped(event)

    def close(self, last: Entry) -> None:
        """End the log with ``last``; the reader gets what is left and then the end."""
        self.last = last
        self.entries.append(last)
        self.ended.set()
        self._wake()

    async def batches(self, *, quiet_s: float | None = None) -> AsyncIterator[Sequence[Entry]]:
        """Entries as they come, each batch holding all that have come since the one before.

        An empty batch tells of ``quiet_s`` seconds of silence.
        """
        loop = asyncio.get_running_loop()
        silence = _Silence(loop, self._wake, quiet_s)
        try:
            while not (self.ended.is_set() and self._drained == len(self.entries)):
                if self._drained == len(self.entries):
                    self._waiter = loop.create_future()
                    silence.begins()
                    await self._waiter
                batch = self.entries[self._drained :]
                self._drained += len(batch)
                yield batch
        finally:
            silence.stop()

    async def follow(self, *, quiet_s: float) -> AsyncIterator[Sequence[Entry]]:
        """All entries from the first on, as ``batches`` gives them, for any number who read along."""
        told = 0
        while not (self.ended.is_set() and told == len(self.entries)):
            if told == len(self.entries):
                waiter = asyncio.get_running_loop().create_future()
                self._followers.append(waiter)
                await asyncio.wait([waiter], timeout=quiet_s)
            batch = self.entries[told:]
            told += len(batch)
            yield batch

    def _add(self, event: Event) -> None:
        self.entries.append(self._stamped(event))
        self._wake()

    def _stamped(self, event: Event) -> Entry:
        return Entry(self._ahead + len(self.entries) + 1, time.perf_counter() - self._began, event)

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        if self._followers:
            followers, self._followers = self._followers, []
            for follower in followers:
                if not follower.done():
                    follower.set_result(None)


class _Silence:
    """Calls ``tell`` when a silence has lasted ``limit_s`` seconds; None: never.

    One timer serves all silences: most end long before it is due.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, tell: Callable[[], None], limit_s: float | None) -> None:
        self._loop = loop
        self._tell = tell
        self._limit_s = limit_s
        self._due: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begins(self) -> None:
        """A silence begins; it is told of unless another has begun by then."""
        if self._limit_s is None:
            return
        self._due = self._loop.time() + self._limit_s
        if self._timer is None:
            self._timer = self._loop.call_at(self._due, self._ring)

    def stop(self) -> None:
        """Tell nothing any more."""
        self._due = None
        if self._timer is not None:
            self._timer.cancel()

    def _ring(self) -> None:
        self._timer = None
        if self._due is None:
            return
        if self._due <= self._loop.time():
            self._due = None
            self._tell()
        else:
            self._timer = self._loop.call_at(self._due, self._ring)
