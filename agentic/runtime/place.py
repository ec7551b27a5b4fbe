"""Where a request's turn goes: in a conversation that is there, or in a new one, which may branch off from another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from agentic.errors import Conflict, NotFound
from agentic.messages import Json, Message
from agentic.runtime.conversations import Conversations, Turn
from agentic.runtime.joining import brought
from agentic.runtime.record import session_of
from agentic.runtime.request import RunRequest
from agentic.runtime.run import LiveRun

OfSession = Callable[[str], Sequence[LiveRun]]
"""The runs of a session of the principal's that work or wait for their turn here."""


@dataclass(frozen=True, slots=True)
class Place:
    """A session, ``new`` or not; ``past`` is what a new one begins with, as it is stored elsewhere."""

    session_id: str
    new: bool
    past: Sequence[Json] = ()

    async def turn(self, conversations: Conversations, request: RunRequest) -> Turn:
        """What the request adds here. Its instructions are for the model, and not stored. Raises Conflict."""
        turn = await conversations.turn(
            self.session_id, request.messages, new=self.new, past=self.past, after=request.after
        )
        if not request.instructions:
            return turn
        return replace(turn, messages=(Message("system", request.instructions), *turn.messages))


async def place_of(request: RunRequest, conversations: Conversations, of_session: OfSession) -> Place:
    """Where the request's turn goes.

    Raises SessionNotFound for a session that the principal has not, NotFound for a run that is none of theirs, and
    Conflict for one whose end must be waited for.
    """
    if request.after:
        return await _after(request, conversations, of_session)
    if request.session_id is None and not request.keep:
        return Place(conversations.new_id(), new=True)
    session_id = await _session(request, conversations, of_session)
    if session_id is None:
        return Place(conversations.new_id(), new=True)
    if request.keep:
        return Place(session_id, new=False)
    return Place(conversations.new_id(), new=True, past=await conversations.log(session_id))


async def kept_nowhere(_: Sequence[Json]) -> None:
    """Add an answer to no conversation."""


async def _session(request: RunRequest, conversations: Conversations, of_session: OfSession) -> str | None:
    """The session that the request goes on with, checked; None for a new one.

    A client that brings results of calls that a run gave it need not name the session: its call ids do.
    """
    session_id = request.session_id
    if session_id is not None:
        # A new session's first run may still be storing it.
        if not of_session(session_id):
            await conversations.head(session_id)
        return session_id
    run_id = next((message.tool_call_id.rpartition("-")[0] for message in brought(request.messages)), "")
    if not run_id:
        return None
    try:
        session_id = await session_of(conversations.owned.storage, run_id)
        await conversations.head(session_id)
    except NotFound:
        return None
    return session_id


async def _after(request: RunRequest, conversations: Conversations, of_session: OfSession) -> Place:
    """The conversation of the run that the request goes on after, or a new one where that has gone on since."""
    session_id = request.session_id
    if session_id is None:
        session_id = await session_of(conversations.owned.storage, request.after)
    others = [live for live in of_session(session_id) if live.id != request.after]
    if any(live.id == request.after and live.channel.last is None for live in of_session(session_id)):
        if others or not request.keep:
            raise Conflict("The run that this goes on after is still at work: wait for its end.")
        return Place(session_id, new=False)
    log = await conversations.log(session_id)
    end = max((n for n, item in enumerate(log, 1) if item.get("run_id") == request.after), default=0)
    if not end:
        raise NotFound(f"There is no run '{request.after[:64]}'.")
    if request.keep and not others and end == len(log):
        return Place(session_id, new=False)
    return Place(conversations.new_id(), new=True, past=log[:end])
