"""When a turn is stored: its request before anybody reads of the answer, its answer before the last event."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from agentic.messages import Json
from agentic.runtime.conversations import Conversations, Turn, Write

PATIENCE_S = 0.05


@dataclass(slots=True, eq=False)
class Opening:
    """Stores the request of a run, once somebody wants to read of it or after PATIENCE_S.

    A first answer that is there sooner is stored together with its request: one write to disk instead of two. Later
    turns are stored at once, since another process may have gone on with the conversation, and should be told early.
    ``failed`` is called where the request cannot be stored.
    """

    conversations: Conversations
    session_id: str
    turn: Turn
    new: bool
    run_id: str
    # Let go of at the end: the run, which holds this, is what it belongs to.
    failed: Callable[[], None] | None
    _task: asyncio.Task[None] | None = field(default=None, init=False)
    _timer: asyncio.TimerHandle | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.new:
            self._timer = asyncio.get_running_loop().call_later(PATIENCE_S, self._begin)
        else:
            self._begin()

    @property
    def is_stored(self) -> bool:
        """Whether the request is stored, with its answer or without."""
        task = self._task
        return task is not None and task.done() and not task.cancelled() and task.exception() is None

    async def wait(self) -> bool:
        """Wait until the request is stored; False if that has failed."""
        await asyncio.wait([self._begin()])
        return self.is_stored

    async def settled(self) -> None:
        """Wait for the request where it is being stored. What is stored after that needs one write to disk in all."""
        if self._task is not None:
            await asyncio.wait([self._task])

    def finish(self, answer: Sequence[Json], *more: Write) -> Awaitable[None]:
        """Store the answer, and the request where nobody has wanted that yet. Raises what storing raises.

        ``more`` is stored in the same write to disk where that can be, and never without the conversation's head.
        """
        return self._begin(answer, *more) if self._task is None else self._follow(self._task, answer, *more)

    async def _follow(self, request: asyncio.Task[None], answer: Sequence[Json], *more: Write) -> None:
        try:
            await request
        except BaseException:
            for write in more:
                write.close()
            raise
        length = self.turn.length + len(self.turn.past) + len(self.turn.new)
        finish = self.conversations.finish(self.session_id, answer, length=length)
        for end in await asyncio.gather(finish, *more, return_exceptions=True):
            if isinstance(end, BaseException):
                raise end

    def _begin(self, answer: Sequence[Json] = (), *more: Write) -> asyncio.Task[None]:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is None:
            self._task = asyncio.create_task(
                self.conversations.begin(
                    self.session_id, self.turn, *more, new=self.new, run_id=self.run_id, answer=answer
                )
            )
            self._task.add_done_callback(self._begun)
        return self._task

    def _begun(self, _: asyncio.Task[None]) -> None:
        failed, self.failed = self.failed, None
        if failed is not None and not self.is_stored:
            failed()
