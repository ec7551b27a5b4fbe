"""The engine: opens a run, lets the router choose its agent, ends it, and stores it before its last byte."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Coroutine
from functools import partial
from typing import Any

from agentic import content
from agentic.errors import AgenticError, BadRequest, BudgetExceeded, Conflict, ModelError, NotFound, RateLimited
from agentic.events import Decided, EndReason, Event, ModelFinished, Notice, RunFailed, RunFinished, RunStarted
from agentic.messages import Json
from agentic.models.directory import Chosen, Directory
from agentic.ports.space import Principal
from agentic.runtime.budget import Budget, Limits
from agentic.runtime.conversations import Conversations, Turn, brought
from agentic.runtime.equipment import Equipment
from agentic.runtime.files import file_key, links
from agentic.runtime.opening import Opening
from agentic.runtime.raised import raised
from agentic.runtime.record import Records, so_far
from agentic.runtime.request import RunRequest
from agentic.runtime.router import Route, Router, explained
from agentic.runtime.run import LiveRun
from agentic.runtime.spaces import Scope, of_user
from agentic.runtime.turns import Turns

logger = logging.getLogger(__name__)

LONGEST_QUEUE = 16
"""Runs of one session that may wait for the one at work."""


class Engine:
    """Runs requests. One an application; holds nothing of a run but while it lives."""

    def __init__(
        self, equipment: Equipment, router: Router, directory: Directory, everything: Scope, limits: Limits
    ) -> None:
        self._equipment = equipment
        self._router = router
        self._directory = directory
        self._everything = everything
        self._limits = limits
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
        live = LiveRun(request, principal, session_id or self.conversations(principal).new_id(), Budget(self._limits))
        live.channel.emit(
            RunStarted(
                at=live.started_at, session_id=live.session_id, model=request.model, traceparent=request.traceparent
            )
        )
        logger.info("[Engine] Run started: run=%s user=%s session=%s", live.id, principal.id, live.session_id)
        content.log("[Engine] Request: run=%s: %s", live.id, request.messages[-1].text if request.messages else "")
        task = asyncio.create_task(self._supervise(live, route, new=new), name=live.id)
        self._running[task] = live
        task.add_done_callback(self._running.pop)
        return live

    async def explain(self, request: RunRequest, principal: Principal) -> Json:
        """What :meth:`start` would decide now, and why; see :func:`explained`. Nothing is run or stored.

        Raises what the run would fail with: ModelNotFound, SessionNotFound, BadRequest, or a ModelError. An installed
        router is asked as it would be, which may call the model.
        """
        route = self._router.read(request.model)
        session_id = await self._session(request, principal)
        turn = await self.conversations(principal).turn(session_id or "", request.messages, new=session_id is None)
        chosen = await self._model(request, route, turn)
        # It is never set going: whoever judges the task needs a run to look at, and its budget and log to use.
        unborn = LiveRun(request, principal, session_id or "", Budget(self._limits))
        task = await self._equipment.task(unborn, chosen, turn, bidding=route.bidding)
        _, decided = await self._router.choose(route, task, self._equipment.router_model(unborn, chosen))
        return explained(decided, task, chosen.id)

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
        async with self._turns.turn(_turn_key(session_id, principal)):
            return await self.conversations(principal).delete(session_id)

    async def get_trace(self, run_id: str, principal: Principal) -> list[Json]:
        """The events of a run of this principal: the stored ones, or those so far. Raises NotFound."""
        live = self.at_work(principal).get(run_id)
        # Nothing is told of an answer before its request is stored; a run that waits for its turn has none yet.
        if live is not None and (live.opening is None or await live.opening.wait()) and live.channel.last is None:
            return so_far(live)
        return await Records(of_user(self._everything, principal).storage).trace(run_id)

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
            await Records(of_user(self._everything, principal).storage).session_of(run_id)
            raise Conflict("The run has ended: none of its calls waits for approval any more.")
        live.approvals.answer(call_id, approved=approved, by=principal.name, reason=reason)

    def cancel_all(self) -> None:
        """Cancel what runs; what there is of it will be stored."""
        for live in self._running.values():
            live.cancel()

    async def aclose(self) -> None:
        """Cancel what runs, and wait until it is stored."""
        self.cancel_all()
        if self._running:
            await asyncio.wait(list(self._running))

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
        run_id = next((message.tool_call_id.rpartition("-")[0] for message in brought(request.messages)), "")
        if not run_id:
            return None
        try:
            session_id = await Records(of_user(self._everything, principal).storage).session_of(run_id)
            await conversations.head(session_id)
        except NotFound:
            return None
        return session_id

    async def _supervise(self, live: LiveRun, route: Route, *, new: bool) -> None:
        """See a run through: its turn, its agent's work, its end, its record."""
        conversations = self.conversations(live.principal)
        records = Records(of_user(self._everything, live.principal).storage)
        async with self._turns.turn(_turn_key(live.session_id, live.principal)):
            try:
                turn = await conversations.turn(live.session_id, live.request.messages, new=new)
                live.opening = opening = Opening(
                    conversations, live.session_id, turn, new=new, run_id=live.id, failed=live.cancel
                )
                last = live.channel.conclude(await self._outcome(live, self._work(live, route, turn)))
                await records.store(live, last, opening)
            except Exception as error:  # noqa: BLE001 - every run ends with exactly one last event
                last = live.channel.conclude(self._failure(live, error))
            live.channel.close(last)
        _log_end(live, last.event)
        if content.is_allowed():
            content.log("[Engine] Answer: run=%s: %s", live.id, live.text)

    async def _outcome(self, live: LiveRun, working: Coroutine[Any, Any, None]) -> Event:
        """Wait until the agent is done, or is ended, and say how it came out."""
        work = asyncio.ensure_future(working)
        live.attach(work)
        live.clock.start(self._limits.seconds, partial(live.end, "length", live.budget.time_is_up))
        await asyncio.wait([work, live.abandoned], return_when=asyncio.FIRST_COMPLETED)
        live.clock.stop()
        if not work.done():
            logger.error("[Engine] Agent does not let go and is left behind: run=%s agent=%s", live.id, live.agent)
        error = raised(work)
        if live.ended_early is not None:
            return _finished(live, *live.ended_early)
        if isinstance(error, BudgetExceeded):
            return _finished(live, "length", error.message)
        if error is not None:
            return self._failure(live, error)
        return _finished(live, "length" if _last_finish(live) == "length" else "stop", "")

    async def _work(self, live: LiveRun, route: Route, turn: Turn) -> None:
        """Resolve the model, decide on the agent, and let it act."""
        chosen = await self._model(live.request, route, turn)
        task = await self._equipment.task(live, chosen, turn, bidding=route.bidding)
        agent, decided = await self._router.choose(route, task, self._equipment.router_model(live, chosen))
        live.agent = decided.agent
        live.channel.emit(decided)
        # A stranger's agent may put the user's words into its reason.
        bids = " ".join(f"{bid['agent']}={bid['fitness']}" for bid in decided.bids)
        logger.info(
            "[Router] Agent selected: run=%s agent=%s by=%s bids: %s",
            live.id, decided.agent, decided.router, bids or "none",
        )  # fmt: skip
        if chosen.info.notice:
            live.channel.emit(Notice(chosen.info.notice))
            logger.info("[Engine] %s", chosen.info.notice)
        try:
            await agent.run(self._equipment.agent_run(live, chosen, task, turn))
        except ModelError:
            # What is known of the model may be out of date, such as whether it takes tools.
            self._directory.doubt(chosen)
            raise
        except SystemExit as error:
            # Out of a task it would end the server.
            raise RuntimeError("the agent called sys.exit") from error

    async def _model(self, request: RunRequest, route: Route, turn: Turn) -> Chosen:
        """The model that the run is to have. Raises BadRequest where it cannot do what the request asks of it."""
        chosen = await (self._directory.find(route.model) if route.model else self._directory.default())
        if request.wishes.answer_schema is not None and not chosen.info.schema:
            raise BadRequest(f"The model '{chosen.id}' cannot be held to a response_format.", param="response_format")
        if not chosen.info.vision and any(message.images for message in turn.messages):
            raise BadRequest(f"The model '{chosen.id}' takes no pictures; ask one that does.", param="messages")
        return chosen

    def _failure(self, live: LiveRun, error: BaseException) -> RunFailed:
        """The event for an error; what is no AgenticError is a bug, logged with its trace and not told."""
        if not isinstance(error, AgenticError):
            logger.error("[Engine] Run failed: run=%s agent=%s", live.id, live.agent, exc_info=error)
            error = AgenticError(f"The run failed inside the server ({type(error).__name__}). Its log says more.")
        return RunFailed(
            status=error.status,
            message=error.message,
            error_type=error.type,
            code=error.code,
            param=error.param,
            retry_after_s=error.retry_after_s,
            usage=live.budget.usage,
        )


def _turn_key(session_id: str, principal: Principal) -> str:
    return f"{principal.id}/{session_id}"


def _finished(live: LiveRun, reason: EndReason, told: str) -> RunFinished:
    if told:
        live.channel.note(Notice(told))
        live.tell(told)
    # What goes on at the client's is not done yet.
    if reason in ("stop", "length") and (made := links(live.channel.entries, live.text)):
        live.tell(made)
    return RunFinished(reason, live.budget.usage)


def _last_finish(live: LiveRun) -> str:
    """How the agent's last model call ended; a router's calls come before the decision."""
    for entry in reversed(live.channel.entries):
        if isinstance(entry.event, Decided):
            break
        if isinstance(entry.event, ModelFinished):
            return entry.event.finish
    return ""


def _log_end(live: LiveRun, last: Event) -> None:
    took = (time.time() - live.started_at) * 1000
    if isinstance(last, RunFailed):
        logger.warning("[Engine] Run failed: run=%s status=%d code=%s ms=%.0f", live.id, last.status, last.code, took)
    elif isinstance(last, RunFinished):
        logger.info("[Engine] Run finished: run=%s reason=%s ms=%.0f", live.id, last.reason, took)
