"""A run while it lives: the agent's side (:class:`AgentRun`) and the reader's (:class:`LiveRun`)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agentic.errors import AgenticError, BudgetExceeded
from agentic.events import Citation, CitationAdded, EndReason, Entry, Notice, Progress, TextDelta, ThinkingDelta
from agentic.messages import Json, Message, ToolCall
from agentic.ports.agent import Task
from agentic.ports.model import Model
from agentic.ports.run import Run, Tools
from agentic.ports.space import Principal, Space
from agentic.runtime.approval import Approvals
from agentic.runtime.budget import Budget, Clock
from agentic.runtime.channel import Channel
from agentic.runtime.opening import Opening
from agentic.runtime.replay import Replay
from agentic.runtime.request import RunRequest

PAUSE_S = 0.05
"""Seconds that an agent is kept waiting for a refusal, so that one that tries again for ever harms nobody."""
GRACE_S = 5.0
"""Seconds that a cancelled agent has to let go; then its run ends without it."""


class AgentRun(Run):
    """The handles of one run, as its agent holds them. After the end each of them raises RunEnded."""

    def __init__(
        self,
        live: LiveRun,
        *,
        task: Task,
        messages: Sequence[Message],
        model: Model,
        tools: Tools,
        space: Space,
        checkpoint: Callable[[Json], Awaitable[None]],
    ) -> None:
        self.id = live.id
        self.task = task
        self.messages = messages
        self.principal: Principal = live.principal
        self.options: Mapping[str, Any] = live.request.options
        self.budget: Budget = live.budget
        self.model = model
        self.tools = tools
        self.space = space
        self.restored = live.restored
        self._live = live
        self._checkpoint = checkpoint
        self._channel = live.channel

    def say(self, text: str) -> None:
        """See :class:`agentic.ports.run.Run`."""
        if _checked(text):
            self._channel.emit(TextDelta(text))

    def think(self, text: str) -> None:
        """See :class:`agentic.ports.run.Run`."""
        if _checked(text):
            self._channel.emit(ThinkingDelta(text))

    def cite(self, citation: Citation) -> None:
        """See :class:`agentic.ports.run.Run`."""
        self._channel.emit(CitationAdded(citation))

    def notice(self, text: str) -> None:
        """See :class:`agentic.ports.run.Run`."""
        self._channel.emit(Notice(text))
        self._live.tell(text)

    def draft(self, text: str) -> None:
        """See :class:`agentic.ports.run.Run`."""
        self._live.draft = (_checked(text), len(self._channel.entries))

    def progress(self, step: str, title: str, state: str) -> None:
        """See :class:`agentic.ports.run.Run`."""
        self._channel.emit(Progress(step, title, state))

    async def checkpoint(self, data: Json) -> None:
        """See :class:`agentic.ports.run.Run`."""
        await self._checkpoint(data)


class LiveRun:
    """One request being answered, as the server holds it: its events as they come, and the means to stop it.

    ``is_plain``: only a model was named, and what it says is the answer, be it nothing.
    ``shortlist``: the server's tools that it is offered, where there are too many for all of them.
    ``accepted``: its turn has come and its request is being stored, or it has ended before.
    ``is_open``: it has a checkpoint in storage. ``suspended``: it was ended here, to be gone on with after a restart;
    ``restored``, ``replay`` and ``spent_s`` (seconds of work) are what one that goes on has of its past. ``draft``: an
    answer that is held back, and how long the log was then.
    """

    def __init__(self, run_id: str, request: RunRequest, principal: Principal, session_id: str, budget: Budget) -> None:
        self.id = run_id
        self.request = request
        self.principal = principal
        self.session_id = session_id
        self.budget = budget
        self.started_at = time.time()
        self.agent = ""
        self.is_plain = False
        self.model_id = ""
        self.shortlist: frozenset[str] | None = None
        self.is_open = False
        self.suspended = False
        self.restored: Json | None = None
        self.replay = Replay()
        self.spent_s = 0.0
        self.calls = 0
        self.channel = Channel()
        self.clock = Clock()
        self.approvals = Approvals(self.channel, self.clock)
        self.draft = ("", 0)
        self.ended_early: tuple[EndReason, str] | None = None
        self.opening: Opening | None = None
        self.accepted = asyncio.Event()
        self.abandoned: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._work: asyncio.Task[None] | None = None

    def take_over(self, channel: Channel) -> None:
        """Go on with the log that another server has begun."""
        self.channel = channel
        self.approvals = Approvals(channel, self.clock)

    @property
    def text(self) -> str:
        """The answer so far."""
        return "".join(entry.event.text for entry in self.channel.entries if isinstance(entry.event, TextDelta))

    def tell(self, text: str) -> None:
        """Add a remark below the answer, unless the client will parse the answer."""
        if self.request.wishes.answer_schema is None:
            self._add(text)

    def give_draft(self) -> None:
        """Give the answer that was held back, unless more has been said since."""
        text, since = self.draft
        if text and not any(isinstance(entry.event, TextDelta) for entry in self.channel.entries[since:]):
            self._add(text)

    def _add(self, text: str) -> None:
        """Add a paragraph to the answer."""
        said = self.text
        blank = "\n\n"[: 2 - min(2, len(said) - len(said.rstrip("\n")))] if said else ""
        self.channel.note(TextDelta(blank + text))

    async def is_stored(self) -> bool:
        """Wait until the request is stored; False if that has failed."""
        return self.opening is None or await self.opening.wait()

    async def is_begun(self) -> bool:
        """Wait for the run's turn and until its request is stored; False if it has ended before."""
        await self.accepted.wait()
        return self.is_open or (self.opening is not None and await self.opening.wait())

    def owns(self, session_id: str, principal: Principal) -> bool:
        """Whether this run is a turn of that session of that principal."""
        return self.session_id == session_id and self.principal.id == principal.id

    def new_call_id(self) -> str:
        """The next tool call's id: stable, and telling of which run it is."""
        self.calls += 1
        return f"{self.id}-{self.calls}"

    def claim(self, call: ToolCall) -> ToolCall:
        """The call under an id of this run, by which the client's next request is known to go on from here."""
        return call if call.id.startswith(f"{self.id}-") else replace(call, id=self.new_call_id())

    async def batches(self, *, quiet_s: float | None = None) -> AsyncIterator[Sequence[Entry]]:
        """The log as it grows, to its last event; empty batches tell of silence.

        Nothing comes before the request itself has been stored; if that fails, only the last event does.
        """
        async for batch in self.channel.batches(quiet_s=quiet_s):
            if not batch or await self.is_stored():
                yield batch
            elif batch[-1] is self.channel.last:
                yield batch[-1:]

    async def log(self) -> Sequence[Entry]:
        """The whole log, when the run has ended."""
        await self.channel.ended.wait()
        return self.channel.entries

    def cancel(self) -> None:
        """Stop the run: nobody wants its answer any more. It is recorded as cancelled."""
        self.end("cancelled", "")

    def suspend(self) -> None:
        """Stop the run with its server: one that has a checkpoint is gone on with later, any other is over."""
        self.suspended = self.is_open and self.ended_early is None
        self.cancel()

    def end(self, reason: EndReason, told: str) -> None:
        """End the run by cancelling its agent; the first reason stands. ``told`` is said to the user."""
        if self.ended_early is not None or self.channel.ended.is_set():
            return
        self.ended_early = (reason, told)
        self.channel.seal()
        if self._work is not None:
            self._work.cancel()
            asyncio.get_running_loop().call_later(GRACE_S, self._abandon)

    async def refuse(self, error: AgenticError) -> None:
        """Do what is due before a handle raises ``error``: a limit that was hit ends the run, whatever its agent does.

        An agent that catches the error and tries again at once must not keep the event loop from everybody else.
        """
        if isinstance(error, BudgetExceeded):
            self.end("length", error.message)
        await asyncio.sleep(PAUSE_S)

    def attach(self, work: asyncio.Task[None]) -> None:
        """Take the task that does the agent's work, so that ``end`` can cancel it."""
        self._work = work
        if self.ended_early is not None:
            work.cancel()

    def _abandon(self) -> None:
        if not self.abandoned.done():
            self.abandoned.set_result(None)


def _checked(text: str) -> str:
    """The text; raises TypeError for anything else, before it is stored and breaks whoever reads it."""
    if not isinstance(text, str):
        raise TypeError(f"an agent says text, not {type(text).__name__}")
    return text
