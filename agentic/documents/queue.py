"""Places for work, shared out among users in turn: one with a thousand documents keeps nobody else waiting."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from agentic.documents.jobs import Job


def in_turn(jobs: Sequence[Job]) -> Sequence[Job]:
    """The entries so that each user has one, the oldest first, then each a second one, and so on."""
    seen: Counter[str] = Counter()
    rounds: list[tuple[int, int]] = []
    jobs = sorted(jobs, key=lambda job: job.document_id, reverse=True)
    for n, job in enumerate(jobs):
        rounds.append((seen[job.user_id], n))
        seen[job.user_id] += 1
    return [jobs[n] for _, n in sorted(rounds)]


class Queue:
    """So many places; whoever waits gets one in the order of coming among the user's own, and users take turns."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @property
    def has_room(self) -> bool:
        """Whether whoever came now would have a place at once."""
        return self._free > 0

    @asynccontextmanager
    async def place(self, user_id: str) -> AsyncIterator[None]:
        """A place for as long as this lasts."""
        await self._take(user_id)
        try:
            yield
        finally:
            self._give()

    async def _take(self, user_id: str) -> None:
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(user_id, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give()
            raise

    def _give(self) -> None:
        """Hand a place to the next user's next, or keep it."""
        while self._waiting:
            user_id = next(iter(self._waiting))
            turns = self._waiting.pop(user_id)
            turn = turns.popleft()
            if turns:
                self._waiting[user_id] = turns
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
