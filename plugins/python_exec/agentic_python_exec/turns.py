"""Whose program runs next where more are asked for than may run at once: nobody's wait for all those of another."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """Places for ``places`` programs at once.

    A free one goes to the user of whom the fewest programs run, among such to whose last turn is the longest ago, and
    of theirs to the one that came first.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._running: Counter[str] = Counter()
        self._given = 0
        self._last: dict[str, int] = {}
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def place(self, user: str) -> AsyncIterator[None]:
        """Wait for a place, and hold it."""
        mine = (user, asyncio.get_running_loop().create_future())
        self._waiting.append(mine)
        self._give()
        try:
            await mine[1]
        except asyncio.CancelledError:
            if mine[1].cancelled():
                self._waiting.remove(mine)
                self._forget(user)
            else:
                # It was given in the same moment.
                self._release(user)
            raise
        try:
            yield
        finally:
            self._release(user)

    def _give(self) -> None:
        # Those that were cancelled a moment ago take themselves off the list.
        while self._free and (waiting := [one for one in self._waiting if not one[1].done()]):
            # The first of equals.
            user, given = chosen = min(waiting, key=lambda one: (self._running[one[0]], self._last.get(one[0], 0)))
            self._waiting.remove(chosen)
            self._free -= 1
            self._running[user] += 1
            self._given += 1
            self._last[user] = self._given
            given.set_result(None)

    def _release(self, user: str) -> None:
        self._free += 1
        self._running[user] -= 1
        self._give()
        self._forget(user)

    def _forget(self, user: str) -> None:
        """Of whoever runs and waits for nothing, nothing is kept."""
        if not self._running[user]:
            del self._running[user]
            if all(one[0] != user for one in self._waiting):
                self._last.pop(user, None)
