"""Going on after a restart: runs that servers have left open, taken over by one server and brought to their end.

Every server looks for them at its start and from then on. A run is taken by a write that only one server can make; its
log says so before anything else is done. A run that takes the server down with it is tried MOST_TRIES times.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from agentic.errors import AgenticError, Conflict, Forbidden, ModelUnavailable
from agentic.events import (
    ApprovalGiven,
    ApprovalNeeded,
    Entry,
    ModelFinished,
    ModelStarted,
    Resumed,
    RunFailed,
    RunFinished,
    ToolCallStarted,
    entry_from_json,
)
from agentic.messages import Message, message_from_json
from agentic.ports.paging import every, whole_log
from agentic.ports.space import Principal
from agentic.ports.storage import Stored
from agentic.runtime.budget import Budget
from agentic.runtime.channel import Channel
from agentic.runtime.conversations import RUNS
from agentic.runtime.journal import OPEN, Past, open_record
from agentic.runtime.presence import Presence
from agentic.runtime.replay import Replay, last_call_number, standing, without_said
from agentic.runtime.request import RunRequest, request_from_json
from agentic.runtime.run import LiveRun
from agentic.runtime.spaces import Scope, of_user

logger = logging.getLogger(__name__)

Found = TypeVar("Found")

MOST_TRIES = 2
LONGEST_PAUSE_S = 0.5
PAUSE_S = 1.0
PATIENCE_S = 60.0
"""Seconds that a run which goes on gives its model's server, which may have been started together with this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A run that was left open: what its agent worked on, and with which agent, model and tools.

    ``shortlist`` is None where all tools were offered; ``shut_out``: its user has been disabled since.
    """

    run_id: str
    principal: Principal
    session_id: str
    request: RunRequest
    messages: tuple[Message, ...]
    agent: str
    model: str
    shortlist: frozenset[str] | None = None
    shut_out: bool = False


async def left_runs(everything: Scope, skip: Callable[[str], bool]) -> AsyncIterator[Left]:
    """The open runs of all users, without those whose id ``skip`` knows.

    What is left of one whose conversation was deleted is removed.
    """
    async for record in every(everything.storage, OPEN):
        run_id = record.key.removeprefix(OPEN)
        if skip(run_id):
            continue
        try:
            left = await _left(everything, run_id, record)
        except (KeyError, TypeError, ValueError):
            # Of another version, perhaps; it must not keep the others from going on.
            logger.exception("[Resume] Not read: run=%s", run_id)
            continue
        if left is not None:
            yield left


async def _left(everything: Scope, run_id: str, record: Stored) -> Left | None:
    principal = Principal(**record.value["user"])
    kept = await of_user(everything, principal).storage.load(f"{RUNS}{run_id}/request")
    if kept is None:
        # Between its last two writes a run looks like this as well, and then its record is gone by now.
        await everything.storage.delete(record.key)
        return None
    return Left(
        run_id=run_id,
        principal=principal,
        session_id=record.value["session_id"],
        request=request_from_json(kept.value["request"]),
        messages=tuple(message_from_json(message) for message in kept.value["messages"]),
        agent=kept.value["agent"],
        model=kept.value["model"],
        shortlist=None if (names := kept.value["shortlist"]) is None else frozenset(names),
    )


async def claim(live: LiveRun, everything: Scope, presence: Presence) -> Past | None:
    """Make an open run this server's, and give it its past; waits while another server is at work on it.

    None where there is nothing left to go on with: it has ended meanwhile, or was cancelled while it waited.
    """
    while live.ended_early is None:
        record = await everything.storage.load(OPEN + live.id)
        if record is None:
            return None
        server = record.value["server"]
        if server == presence.id or not await presence.is_alive(server):
            await presence.show()
            tries = record.value["tries"] + 1
            mine = open_record(live.principal, live.session_id, presence.id, tries)
            try:
                await everything.storage.save(record.key, mine, if_version=record.version)
            except Conflict:
                continue
            return await _past(live, everything, tries)
        await asyncio.sleep(min(presence.lease_s / 10, LONGEST_PAUSE_S))
    return None


async def _past(live: LiveRun, everything: Scope, tries: int) -> Past | None:
    storage = of_user(everything, live.principal).storage
    log = await whole_log(storage, RUNS + live.id)
    kept = await storage.load(f"{RUNS}{live.id}/checkpoint")
    if not log or kept is None:
        await everything.storage.delete(OPEN + live.id)
        return None
    entries = standing([entry_from_json(item) for item in log])
    since = kept.value["number"]
    if isinstance(entries[-1].event, (RunFinished, RunFailed)):
        # All that may be missing is the answer in the conversation.
        live.take_over(Channel(entries[:-1], entries[-1]))
        return Past(length=len(log), tries=tries, since=since, last=entries[-1])
    restore(live, entries, kept.value)
    return Past(length=len(log), tries=tries, since=since)


def restore(live: LiveRun, entries: list[Entry], checkpoint: Mapping[str, Any]) -> None:
    """Give a run its past: what it has said, called and spent until its server ended."""
    started: Any = entries[0].event
    live.started_at = started.at
    live.restored = checkpoint["data"]
    live.replay = Replay(entries, checkpoint["number"])
    live.calls = max(checkpoint["calls"], last_call_number(entries))
    live.spent_s = _seconds_of_work(entries)
    live.take_over(Channel(without_said(entries, checkpoint["number"]), entries[-1]))
    for entry in entries:
        _count(live.budget, entry)


def refusal(left: Left, past: Past) -> AgenticError | None:
    """Why a run is ended instead of being gone on with."""
    if past.tries > MOST_TRIES:
        return AgenticError(
            f"The server has ended during this run, and again each of the {MOST_TRIES} times it was gone on with."
        )
    if left.shut_out:
        return Forbidden("The server ended during this run, and its user has been disabled since.")
    return None


async def patiently(find: Callable[[], Awaitable[Found]], patience_s: float) -> Found:
    """What ``find`` gives; asked again for ``patience_s`` seconds where it raises ModelUnavailable."""
    until = time.monotonic() + patience_s
    while True:
        try:
            return await find()
        except ModelUnavailable:
            if time.monotonic() >= until:
                raise
            await asyncio.sleep(PAUSE_S)


def _seconds_of_work(entries: Sequence[Entry]) -> float:
    """How long a run has worked: while a person is asked its clock stands still."""
    worked, before = 0.0, 0.0
    asked: set[str] = set()
    for entry in entries:
        if not asked:
            worked += entry.at - before
        before = entry.at
        if isinstance(entry.event, ApprovalNeeded):
            asked.add(entry.event.id)
        elif isinstance(entry.event, ApprovalGiven):
            asked.discard(entry.event.id)
        elif isinstance(entry.event, Resumed):
            # What waited then is asked about anew.
            asked.clear()
    return worked


def _count(budget: Budget, entry: Entry) -> None:
    """What was spent counts on, as far as the log knows of it."""
    if isinstance(entry.event, ModelStarted):
        budget.model_calls += 1
    elif isinstance(entry.event, ModelFinished):
        budget.spend(entry.event.usage)
    elif isinstance(entry.event, ToolCallStarted):
        budget.tool_calls += 1
