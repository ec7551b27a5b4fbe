"""How long an indexer may take over one document: as long as it gets on, and then as long as its size lets one expect.

An indexer that hangs, or waits for something that does, would otherwise hold its place for ever.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from agentic.ports.documents import Page

T = TypeVar("T")
logger = logging.getLogger(__name__)

CHARACTERS_A_SECOND = 2000
"""What the slowest indexer does that tells nothing of its progress before the end."""
GRACE_S = 30.0
"""How long what was cancelled may take to end. What does not end by then is left to itself."""


class Stuck(Exception):
    """There was no progress for longer than there may be."""


class Patience:
    """What is left of the time for the next step; each step that is told renews it."""

    def __init__(self, seconds: float, pages: Sequence[Page] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds + sum(len(page.text) for page in pages) / CHARACTERS_A_SECOND
        self._clock = clock
        self._part = 0.0
        self._until = clock() + self.seconds

    @property
    def left(self) -> float:
        """Seconds, 0 where none are left."""
        return max(0.0, self._until - self._clock())

    def told(self, part: float) -> None:
        """Take down how much is done. What was told before is no progress."""
        if part > self._part:
            self._part = part
            self._until = self._clock() + self.seconds

    async def see(self, work: Coroutine[Any, Any, T], late: Callable[[], object]) -> T:
        """Do it, for as long as patience lasts; then it is cancelled, as it is with the caller. Raises Stuck.

        ``late`` is called at the end of what does not end when it is cancelled.
        """
        task = asyncio.create_task(work)
        try:
            while not task.done() and self.left:
                await asyncio.wait([task], timeout=self.left)
            if not task.done():
                raise Stuck
            return task.result()
        finally:
            task.cancel()
            try:
                await ended(task, self.left + GRACE_S)
            finally:
                if not task.done():
                    logger.error("[Documents] An indexer does not end though it is cancelled, and is left to itself")
                    task.add_done_callback(lambda _: late())


async def ended(task: asyncio.Task[Any], within_s: float = math.inf) -> None:
    """Wait for a task's end, whatever comes of it, also while this one is being cancelled, for so many seconds."""
    until = time.monotonic() + within_s
    cancelled = None
    while not task.done() and (left := until - time.monotonic()) > 0:
        try:
            await asyncio.wait([task], timeout=None if left == math.inf else left)
        except asyncio.CancelledError as error:
            cancelled = error
    # What it raised is looked at by whoever waits for more than its end.
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    if cancelled is not None:
        raise cancelled
