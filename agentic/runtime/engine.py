"""The engine: opens a run, lets the router choose its agent, ends it, and stores it before its last byte."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from agentic import content
from agentic.errors import AgenticError, Cancelled, Conflict, RateLimited
from agentic.events import Entry, Resumed, RunFinished, RunStarted
from agentic.identity.limits import Meter
from agentic.messages import Json
from agentic.models.directory import Directory
from agentic.ports.space import Principal
from agentic.runtime.budget import Budget, Limits
from agentic.runtime.casting import Casting
from agentic.runtime.conversations import Conversations, Turn
from agentic.runtime.ending import failure, log_end, outcome
from agentic.runtime.equipment import Equipment
from agentic.runtime.files import file_key
from agentic.runtime.journal import Finish, Journal
from agentic.runtime.opening import Opening
from agentic.runtime.place import Place, kept_nowhere, place_of
from agentic.runtime.presence import Presence
from agentic.runtime.record import answer, failed, session_of, so_far, trace
from agentic.runtime.request import RunRequest
from agentic.runtime.resume import Left, claim, refusal
from agentic.runtime.router import Route, Router
from agentic.runtime.run import LiveRun
from agentic.runtime.spaces import Scope, of_user

logger = logging.getLogger(__name__)

LONGEST_QUEUE = 16
"""Runs of one session that may wait for the one at work."""
SUSPENDED = (
    "The server stops. It goes on with this run when it is started again; the conversation will have the answer."
)


class Engine:
    """Runs requests. One an application; holds nothing of a run but while it lives."""

    def __init__(
        self,
        equipment: Equipment,
        router: Router,
        directory: Directory,
        everything: Scope,
        limits: Limits,
        *,
        presence: Presence,
        meter: Meter,
    ) -> None:
        self._router = router
        self._casting = Casting(equipment, router, directory)
        self._everything = everything
        self._limits = limits
        self._presence = presence
        self._meter = meter
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._running: dict[asyncio.Task[None], LiveRun] = {}

    async def start(self, request: RunRequest, principal: Principal) -> LiveRun:
        """Open a run and set it going.

        Raises ModelNotFound for an agent that is not installed, SessionNotFound for a session that is not this
        principal's, and RateLimited where too many of its runs wait or the principal has used up what they may; see
        :class:`Meter`. Whatever fails later ends the run with RunFailed, and is recorded unless storage has failed.
        """
        route = self._router.read(request.model)
        conversations = self.conversations(principal)
        place = await self._place(request, principal, conversations)
        if not place.new and len(self.of_session(place.session_id, principal)) > LONGEST_QUEUE:
            raise RateLimited("Too many requests of this conversation wait for their turn.", retry_after_s=1)
        await self._meter.check_tokens(principal)
        # Nothing is waited for between this and the run's being counted itself.
        self._meter.check_runs(principal, len(self.at_work(principal)))
        live = LiveRun(self._presence.new_run_id(), request, principal, place.session_id, Budget(self._limits))
        live.channel.emit(
            RunStarted(live.started_at, live.session_id, request.model, request.traceparent, request.asked)
        )
        logger.info("[Engine] Run started: run=%s user=%s session=%s", live.id, principal.id, live.session_id)
        content.log("[Engine] Request: run=%s: %s", live.id, request.messages[-1].text if request.messages else "")
        self._presence.begin()
        self._set_going(live, lambda: self._answer(live, route, conversations, place))
        return live

    def go_on(self, left: Left) -> None:
        """Go on with a run that another server has left open, or that could not be stored here.

        It waits for its turn, and until the server at work on it is gone. Where there is nothing left to do for it by
        then, nothing is done.
        """
        if self.is_running(left.run_id):
            return
        live = LiveRun(left.run_id, left.request, left.principal, left.session_id, Budget(self._limits))
        live.agent, live.shortlist = left.agent, left.shortlist
        live.is_open = True
        self._set_going(live, lambda: self._answer_again(live, left))

    def is_running(self, run_id: str) -> bool:
        """Whether a run works or waits here."""
        return any(live.id == run_id for live in self._running.values())

    def of_session(self, session_id: str, principal: Principal) -> list[LiveRun]:
        """The runs of a session that work or wait for their turn here."""
        return [live for live in self._running.values() if live.owns(session_id, principal)]

    def turn(self, session_id: str, principal: Principal) -> AbstractAsyncContextManager[None]:
        """Hold a session's turn: wait for its runs, and let those that come wait."""
        return self._turns.setdefault(f"{principal.id}/{session_id}", asyncio.Lock())

    async def explain(self, request: RunRequest, principal: Principal) -> Json:
        """What :meth:`start` would decide now, and why; see :func:`explained`. Nothing is run or stored.

        Raises what the run would fail with: ModelNotFound, SessionNotFound, BadRequest, or a ModelError. An installed
        router is asked as it would be, which may call the model.
        """
        route = self._router.read(request.model)
        conversations = self.conversations(principal)
        place = await self._place(request, principal, conversations)
        turn = await conversations.turn(place.session_id, request.messages, new=place.new)
        # It is never set going: whoever judges the task needs a run to look at, and its budget and log to use.
        unborn = LiveRun(self._presence.new_run_id(), request, principal, place.session_id, Budget(self._limits))
        return await self._casting.explain(unborn, route, turn)

    def read_model(self, model: str) -> Route:
        """What a ``model`` value asks for, see :meth:`Router.read`."""
        return self._router.read(model)

    def conversations(self, principal: Principal) -> Conversations:
        """The principal's conversations."""
        return Conversations(of_user(self._everything, principal), principal.id)

    def open_file(self, run_id: str, name: str, principal: Principal, start: int = 0) -> AsyncIterator[bytes]:
        """The bytes of a file that a run of this principal has made. Raises NotFound at the first step."""
        return of_user(self._everything, principal).blobs.open(file_key(run_id, name), start)

    async def delete_conversation(self, session_id: str, principal: Principal) -> Json:
        """Delete a conversation with its runs, see :meth:`Conversations.delete`.

        What is at work on it is cancelled and waited for, or it would store its answer after the rest was gone.
        """
        for live in self.of_session(session_id, principal):
            live.cancel()
        async with self.turn(session_id, principal):
            return await self.conversations(principal).delete(session_id)

    async def get_trace(self, run_id: str, principal: Principal) -> list[Json]:
        """The events of a run of this principal: the stored ones, or those so far. Raises NotFound."""
        live = self.at_work(principal).get(run_id)
        # Nothing is told of an answer before its request is stored; a run that waits for its turn has none yet.
        if live is not None and (live.opening is None or await live.opening.wait()) and live.channel.last is None:
            told = so_far(live)
            # One that waits to be gone on with has not read its log yet.
            if told:
                return told
        return await trace(of_user(self._everything, principal).storage, run_id)

    def at_work(self, principal: Principal) -> dict[str, LiveRun]:
        """The runs of this principal that have not ended, by id."""
        alive = (live for live in self._running.values() if live.channel.last is None)
        return {live.id: live for live in alive if live.principal.id == principal.id}

    async def approve(self, run_id: str, call_id: str, principal: Principal, *, approved: bool, reason: str) -> None:
        """Approve or deny a call that waits, see :meth:`Approvals.answer`.

        Raises NotFound where this principal has no such run, and Conflict where the call does not wait.
        """
        live = self.at_work(principal).get(run_id)
        if live is None:
            await session_of(of_user(self._everything, principal).storage, run_id)
            raise Conflict("The run has ended: none of its calls waits for approval any more.")
        live.approvals.answer(call_id, approved=approved, by=principal.name, reason=reason)

    def suspend_all(self) -> None:
        """Stop what runs, because the server stops: what has a checkpoint is gone on with after the next start."""
        for live in self._running.values():
            live.suspend()

    def owners(self) -> set[str]:
        """The ids of the users for whom runs work or wait here."""
        return {live.principal.id for live in self._running.values()}

    async def end_all(self, user_id: str) -> None:
        """End what runs here for a user, and wait until it is stored."""
        theirs = [task for task, live in self._running.items() if live.principal.id == user_id]
        for task in theirs:
            self._running[task].cancel()
        if theirs:
            await asyncio.wait(theirs)

    async def aclose(self) -> None:
        """Cancel what runs, and wait until it is stored."""
        for live in self._running.values():
            live.cancel()
        if self._running:
            await asyncio.wait(list(self._running))
        await self._presence.aclose()

    def _set_going(self, live: LiveRun, answering: Callable[[], Awaitable[Entry]]) -> None:
        task = asyncio.create_task(self._supervise(live, answering), name=live.id)
        self._running[task] = live
        task.add_done_callback(self._running.pop)

    async def _place(self, request: RunRequest, principal: Principal, conversations: Conversations) -> Place:
        """Where the request's turn goes, see :func:`place_of`."""
        return await place_of(request, conversations, lambda session_id: self.of_session(session_id, principal))

    async def _supervise(self, live: LiveRun, answering: Callable[[], Awaitable[Entry]]) -> None:
        """See a run through: its turn, its agent's work, its end, its record."""
        async with self.turn(live.session_id, live.principal):
            try:
                last = await answering()
            except Exception as error:  # noqa: BLE001 - every run ends with exactly one last event
                last = live.channel.conclude(failure(live, error))
            live.channel.close(last)
            live.accepted.set()
        log_end(live, last.event)
        if content.is_allowed():
            content.log("[Engine] Answer: run=%s: %s", live.id, live.text)

    async def _answer(self, live: LiveRun, route: Route, conversations: Conversations, place: Place) -> Entry:
        """A run from its request to its record."""
        journal = Journal(live, conversations.owned, self._everything, self._presence)
        turn = await place.turn(conversations, live.request)
        finish: Finish = kept_nowhere
        if live.request.keep:
            live.opening = opening = Opening(
                conversations, live.session_id, turn, new=place.new, run_id=live.id, failed=live.cancel
            )
            finish = opening.finish
            if live.request.lasting:
                await journal.show()
        live.accepted.set()
        return await self._see_through(live, journal, self._casting.work(live, journal, route, turn), finish)

    async def _answer_again(self, live: LiveRun, left: Left) -> Entry:
        """A run from its checkpoint to its record."""
        past = await claim(live, self._everything, self._presence)
        if past is None:
            return live.channel.conclude(RunFinished("cancelled"))
        live.accepted.set()
        conversations = self.conversations(live.principal)
        journal = Journal(live, conversations.owned, self._everything, self._presence, past)
        if past.last is not None:
            await conversations.finish_once(live.session_id, live.id, answer(live, past.last))
            await journal.close()
            return past.last
        live.channel.note(Resumed(time.time(), past.since))
        await journal.flush()
        logger.info("[Engine] Run resumed: run=%s session=%s try=%d", live.id, live.session_id, past.tries)
        route = Route(left.agent, left.model, reason="it was at work when its server ended")
        refused = refusal(left, past)
        turn = Turn(left.messages, (), 0)
        working = _refuse(refused) if refused else self._casting.work(live, journal, route, turn)
        return await self._see_through(live, journal, working, partial(conversations.finish, live.session_id))

    async def _see_through(
        self, live: LiveRun, journal: Journal, working: Coroutine[Any, Any, None], finish: Finish
    ) -> Entry:
        """Let the agent work, and store what came of it, or what it takes to go on."""
        event = await outcome(live, working, self._limits.seconds)
        if live.suspended:
            await journal.release()
            return live.channel.conclude(failed(Cancelled(SUSPENDED), live.budget.usage))
        last = live.channel.conclude(event)
        await self._meter.spend(live.principal, live.budget.usage.total)
        await journal.store(last, finish)
        return last


async def _refuse(error: AgenticError) -> None:
    raise error
