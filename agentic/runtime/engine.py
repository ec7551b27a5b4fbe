"""The engine: opens a run, lets the router choose its agent, ends it, and stores it before its last byte."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

from agentic import content
from agentic.errors import AgenticError, BadRequest, BudgetExceeded, Cancelled, ModelError, NotFound, RateLimited
from agentic.events import Entry, Event, Notice, Resumed, RunFinished, RunStarted
from agentic.messages import Json
from agentic.models.directory import Chosen, Directory
from agentic.ports.space import Principal
from agentic.runtime.budget import Budget, Limits
from agentic.runtime.conversations import Conversations, Turn
from agentic.runtime.ending import failure, finished, last_finish, log_end, raised
from agentic.runtime.equipment import Equipment
from agentic.runtime.files import file_key
from agentic.runtime.journal import Finish, Journal
from agentic.runtime.opening import Opening
from agentic.runtime.presence import Presence
from agentic.runtime.record import Records, answer, failed
from agentic.runtime.request import RunRequest
from agentic.runtime.resume import PATIENCE_S, Claims, Left, patiently, refusal
from agentic.runtime.router import Route, Router
from agentic.runtime.run import LiveRun
from agentic.runtime.spaces import Scope, of_user
from agentic.runtime.turns import Turns

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
    ) -> None:
        self._equipment = equipment
        self._router = router
        self._directory = directory
        self._everything = everything
        self._limits = limits
        self._presence = presence
        self._claims = Claims(everything, presence)
        self._turns = Turns()
        self._running: dict[asyncio.Task[None], LiveRun] = {}

    async def start(self, request: RunRequest, principal: Principal) -> LiveRun:
        """Open a run and set it going.

        Raises ModelNotFound for an agent that is not installed, SessionNotFound for a session that is not this
        principal's, and RateLimited where too many of its runs wait. Whatever fails later ends the run with RunFailed,
        and is recorded unless storage itself has failed.
        """
        route = self._router.read(request.model)
        session_id = await self._session(request, principal)
        if session_id is not None and len(self._at_work(session_id, principal)) > LONGEST_QUEUE:
            raise RateLimited("Too many requests of this conversation wait for their turn.", retry_after_s=1)
        new = session_id is None
        session_id = session_id or self.conversations(principal).new_id()
        live = LiveRun(self._presence.new_run_id(), request, principal, session_id, Budget(self._limits))
        live.channel.emit(
            RunStarted(
                at=live.started_at, session_id=live.session_id, model=request.model, traceparent=request.traceparent
            )
        )
        logger.info("[Engine] Run started: run=%s user=%s session=%s", live.id, principal.id, live.session_id)
        content.log("[Engine] Request: run=%s: %s", live.id, request.messages[-1].text if request.messages else "")
        self._presence.begin()
        self._set_going(live, lambda: self._answer(live, route, new=new))
        return live

    def go_on(self, left: Left) -> None:
        """Go on with a run that another server has left open, or that could not be stored here.

        It waits for its turn, and until the server at work on it is gone. Where there is nothing left to do for it by
        then, nothing is done.
        """
        if self.is_running(left.run_id):
            return
        live = LiveRun(left.run_id, left.request, left.principal, left.session_id, Budget(self._limits))
        live.agent = left.agent
        live.is_open = True
        self._set_going(live, lambda: self._answer_again(live, left))

    def is_running(self, run_id: str) -> bool:
        """Whether a run works or waits here."""
        return any(live.id == run_id for live in self._running.values())

    def is_at_work(self, session_id: str, principal: Principal) -> bool:
        """Whether a run of the session works or waits here."""
        return bool(self._at_work(session_id, principal))

    def turn(self, session_id: str, principal: Principal) -> AbstractAsyncContextManager[None]:
        """Hold a session's turn: wait for its runs, and let those that come wait."""
        return self._turns.turn(_turn_key(session_id, principal))

    def read_model(self, model: str) -> Route:
        """What a ``model`` value asks for, see :meth:`Router.read`."""
        return self._router.read(model)

    def conversations(self, principal: Principal) -> Conversations:
        """The principal's conversations."""
        return Conversations(of_user(self._everything, principal), principal.id)

    def open_file(self, run_id: str, name: str, principal: Principal) -> AsyncIterator[bytes]:
        """The bytes of a file that a run of this principal has made. Raises NotFound at the first step."""
        return of_user(self._everything, principal).blobs.open(file_key(run_id, name))

    async def delete_conversation(self, session_id: str, principal: Principal) -> Json:
        """Delete a conversation with its runs, see :meth:`Conversations.delete`.

        What is at work on it is cancelled and waited for, or it would store its answer after the rest was gone.
        """
        for live in self._at_work(session_id, principal):
            live.cancel()
        async with self.turn(session_id, principal):
            return await self.conversations(principal).delete(session_id)

    async def get_trace(self, run_id: str, principal: Principal) -> list[Json]:
        """The stored events of a run of this principal. Raises NotFound."""
        return await Records(of_user(self._everything, principal).storage).trace(run_id)

    def suspend_all(self) -> None:
        """Stop what runs, because the server stops: what has a checkpoint is gone on with after the next start."""
        for live in self._running.values():
            live.suspend()

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

    def _at_work(self, session_id: str, principal: Principal) -> list[LiveRun]:
        """The runs of a session that work or wait for their turn."""
        return [live for live in self._running.values() if live.owns(session_id, principal)]

    async def _session(self, request: RunRequest, principal: Principal) -> str | None:
        """The session that the request goes on with, checked; None for a new one.

        A client that brings results of calls that a run gave it need not name the session: its call ids do.
        """
        conversations = self.conversations(principal)
        session_id = request.session_id
        if session_id is not None:
            # A new session's first run may still be storing it.
            if not self._at_work(session_id, principal):
                await conversations.head(session_id)
            return session_id
        if not request.messages or request.messages[-1].role != "tool":
            return None
        run_id = request.messages[-1].tool_call_id.rpartition("-")[0]
        try:
            session_id = await Records(of_user(self._everything, principal).storage).session_of(run_id)
            await conversations.head(session_id)
        except NotFound:
            return None
        return session_id

    async def _supervise(self, live: LiveRun, answering: Callable[[], Awaitable[Entry]]) -> None:
        """See a run through: its turn, its agent's work, its end, its record."""
        async with self.turn(live.session_id, live.principal):
            try:
                last = await answering()
            except Exception as error:  # noqa: BLE001 - every run ends with exactly one last event
                last = live.channel.conclude(failure(live, error))
            live.channel.close(last)
        log_end(live, last.event)
        if content.is_allowed():
            content.log("[Engine] Answer: run=%s: %s", live.id, live.text)

    async def _answer(self, live: LiveRun, route: Route, *, new: bool) -> Entry:
        """A run from its request to its record."""
        conversations = self.conversations(live.principal)
        journal = Journal(live, self._everything, self._presence)
        turn = await conversations.turn(live.session_id, live.request.messages, new=new)
        live.opening = opening = Opening(
            conversations, live.session_id, turn, new=new, run_id=live.id, failed=live.cancel
        )
        return await self._see_through(live, journal, self._work(live, journal, route, turn), opening.finish)

    async def _answer_again(self, live: LiveRun, left: Left) -> Entry:
        """A run from its checkpoint to its record."""
        past = await self._claims.take(live)
        if past is None:
            return live.channel.conclude(RunFinished("cancelled"))
        conversations = self.conversations(live.principal)
        journal = Journal(live, self._everything, self._presence, past)
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
        working = _refuse(refused) if refused else self._work(live, journal, route, turn)
        return await self._see_through(live, journal, working, partial(conversations.finish, live.session_id))

    async def _see_through(
        self, live: LiveRun, journal: Journal, working: Coroutine[Any, Any, None], finish: Finish
    ) -> Entry:
        """Let the agent work, and store what came of it, or what it takes to go on."""
        outcome = await self._outcome(live, working)
        if live.suspended:
            await journal.release()
            return live.channel.conclude(failed(Cancelled(SUSPENDED), live.budget.usage))
        last = live.channel.conclude(outcome)
        await journal.store(last, finish)
        return last

    async def _outcome(self, live: LiveRun, working: Coroutine[Any, Any, None]) -> Event:
        """Wait until the agent is done, or is ended, and say how it came out."""
        work = asyncio.ensure_future(working)
        live.attach(work)
        loop = asyncio.get_running_loop()
        timer = loop.call_later(max(0, self._limits.seconds - live.spent_s), live.end, "length", live.budget.time_is_up)
        await asyncio.wait([work, live.abandoned], return_when=asyncio.FIRST_COMPLETED)
        timer.cancel()
        if not work.done():
            logger.error("[Engine] Agent does not let go and is left behind: run=%s agent=%s", live.id, live.agent)
        error = raised(work)
        if live.ended_early is not None:
            return finished(live, *live.ended_early)
        if isinstance(error, BudgetExceeded):
            return finished(live, "length", error.message)
        if error is not None:
            return failure(live, error)
        return finished(live, "length" if last_finish(live) == "length" else "stop", "")

    async def _model(self, route: Route) -> Chosen:
        return await (self._directory.find(route.model) if route.model else self._directory.default())

    async def _work(self, live: LiveRun, journal: Journal, route: Route, turn: Turn) -> None:
        """Resolve the model, decide on the agent, and let it act."""
        patience_s = PATIENCE_S if live.restored is not None else 0
        chosen = await patiently(lambda: self._model(route), patience_s)
        if live.request.wishes.answer_schema is not None and not chosen.info.schema:
            raise BadRequest(f"The model '{chosen.id}' cannot be held to a response_format.", param="response_format")
        if not chosen.info.vision and any(message.images for message in turn.messages):
            raise BadRequest(f"The model '{chosen.id}' takes no pictures; ask one that does.", param="messages")
        task = self._equipment.task(live, chosen, turn)
        agent, decided = self._router.decide(route, task)
        live.agent = decided.agent
        live.model_id = chosen.id
        live.channel.emit(decided)
        # A stranger's agent may put the user's words into its reason.
        bids = " ".join(f"{bid['agent']}={bid['fitness']}" for bid in decided.bids)
        logger.info("[Router] Agent selected: run=%s agent=%s bids: %s", live.id, decided.agent, bids or "asked for")
        if chosen.info.notice:
            live.channel.emit(Notice(chosen.info.notice))
            logger.info("[Engine] %s", chosen.info.notice)
        try:
            await agent.run(self._equipment.agent_run(live, journal, chosen, task, turn))
        except ModelError:
            # What is known of the model may be out of date, such as whether it takes tools.
            self._directory.doubt(chosen)
            raise
        except SystemExit as error:
            # Out of a task it would end the server.
            raise RuntimeError("the agent called sys.exit") from error


async def _refuse(error: AgenticError) -> None:
    raise error


def _turn_key(session_id: str, principal: Principal) -> str:
    return f"{principal.id}/{session_id}"
