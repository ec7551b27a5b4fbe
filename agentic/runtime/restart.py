"""What a server does about servers that are gone: it goes on with their open runs, and tells of those that were cut.

A run that kept no checkpoint wrote nothing for this while it was at work. A request whose run began in a process that
is gone, and that has no answer, was cut: its run gets a record that says so, its conversation the mark of an incomplete
answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, replace
from datetime import datetime

from agentic.errors import Cancelled, Conflict, StorageError
from agentic.events import Entry, Event, RunFailed, RunFinished, RunStarted, entry_from_json, entry_to_json
from agentic.identity.limits import Meter
from agentic.identity.users import User, Users
from agentic.messages import Json, Message
from agentic.ports.paging import every, whole_log
from agentic.ports.space import Principal
from agentic.ports.storage import StorageBackend
from agentic.runtime.conversations import CONVERSATIONS, RUNS, unanswered, written
from agentic.runtime.engine import Engine
from agentic.runtime.journal import OPEN
from agentic.runtime.presence import Presence
from agentic.runtime.record import failed
from agentic.runtime.resume import left_runs
from agentic.runtime.spaces import Scope, of_user

logger = logging.getLogger(__name__)

PAGE = 100
CUT = "The server ended while it was answering, and this run has kept nothing from which it could go on. Ask again."


@dataclass(slots=True, eq=False)
class Restart:
    """Looks for what other servers have left behind. One a server; commands that only ask do without.

    ``run_s``: the longest run.
    """

    engine: Engine
    everything: Scope
    presence: Presence
    users: Users
    meter: Meter
    run_s: float

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(self.presence.lease_s / 2)
            await self.look()

    async def look(self) -> None:
        """Set going what was left open, and tell of what was cut. What fails is tried again at the next look."""
        self.presence.begin()
        try:
            await self._go_on()
            await self._tell_of_cut()
        except StorageError as error:
            logger.warning("[Restart] Not looked through: %s", error.message)
        except Exception:
            # It must not end the watch: the next look may find what is to be done.
            logger.exception("[Restart] Not looked through")

    async def _go_on(self) -> None:
        async for left in left_runs(self.everything, skip=self.engine.is_running):
            user = await self.users.get(left.principal.id)
            if user is not None:
                principal = replace(left.principal, allowance=self.meter.allowance(user.limits))
                left = replace(left, principal=principal, shut_out=user.disabled)  # noqa: PLW2901
            self.engine.go_on(left)

    async def _tell_of_cut(self) -> None:
        gone = await self.presence.gone()
        if not gone:
            return
        # No run of theirs can be opened any more, so that this list holds until the end.
        open_runs = {one.key.removeprefix(OPEN) async for one in every(self.everything.storage, OPEN)}
        users = await self.users.list()
        for server, last_sign in gone.items():
            since = last_sign - self.run_s - self.presence.lease_s
            told = [await self._tell_user(user, server, since, open_runs) for user in users]
            if all(told):
                await self.presence.forget(server)

    async def _tell_user(self, user: User, server: str, since: float, open_runs: Collection[str]) -> bool:
        """False where a session is at work, which is not waited for here."""
        principal = Principal(user.id, user.name, user.role)
        storage = of_user(self.everything, principal).storage
        is_whole = True
        async for session_id in _sessions_since(storage, since):
            if self.engine.of_session(session_id, principal):
                is_whole = False
                continue
            async with self.engine.turn(session_id, principal):
                await _mark_cut(storage, session_id, server, open_runs)
        return is_whole


async def _sessions_since(storage: StorageBackend, moment: float) -> AsyncIterator[str]:
    """The sessions of a user that have had a request at or after ``moment`` (wall time), newest first."""
    after: str | None = None
    while page := await storage.list(CONVERSATIONS, after=after, limit=PAGE, newest_first=True):
        for stored in page:
            if stored.updated < moment:
                return
            yield stored.key.removeprefix(CONVERSATIONS)
        after = page[-1].key


async def _mark_cut(storage: StorageBackend, session_id: str, server: str, open_runs: Collection[str]) -> None:
    """Tell of the runs of a session that ended with ``server``; the caller holds the session's turn.

    What another server has done meanwhile is left as it is.
    """
    key = CONVERSATIONS + session_id
    log = await whole_log(storage, key)
    for run_id, request in unanswered(log).items():
        if run_id in open_runs or not run_id.startswith(f"run_{server}"):
            continue
        mark = written(Message("assistant"), run_id=run_id, incomplete=True)
        try:
            await _record(storage, run_id, session_id, request)
            await storage.append(key, [mark], if_length=len(log))
        except Conflict:
            logger.info("[Restart] Changed meanwhile: run=%s", run_id)
            continue
        log.append(mark)
        logger.warning("[Restart] Run ended with its server: run=%s session=%s", run_id, session_id)


async def _record(storage: StorageBackend, run_id: str, session_id: str, request: Json) -> None:
    """End the log of a run; one that has none gets a short one."""
    log = await whole_log(storage, RUNS + run_id)
    past = [entry_from_json(item) for item in log]
    if past and isinstance(past[-1].event, (RunFinished, RunFailed)):
        return
    began = datetime.fromisoformat(request["timestamp"]).timestamp()
    number, at = (past[-1].number, past[-1].at) if past else (0, 0.0)
    missing: list[Event] = [] if past else [RunStarted(at=began, session_id=session_id, model="")]
    ends = [*missing, failed(Cancelled(CUT))]
    items = [entry_to_json(Entry(number + n, at, event)) for n, event in enumerate(ends, 1)]
    await storage.append(RUNS + run_id, items, if_length=len(log))
