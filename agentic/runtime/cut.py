"""Runs that a server took with it when it ended, and that kept no checkpoint: they are told of, and not gone on with.

Nothing was written for this while they were at work. A request whose run began in a process that is gone, and that has
no answer, was cut: its run gets a record that says so, and its conversation the mark of an incomplete answer.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Collection
from datetime import datetime

from agentic.errors import Cancelled, Conflict
from agentic.events import Entry, Event, RunFailed, RunFinished, RunStarted, entry_from_json, entry_to_json
from agentic.messages import Json, Message
from agentic.ports.paging import whole_log
from agentic.ports.storage import StorageBackend
from agentic.runtime.conversations import PREFIX as CONVERSATIONS
from agentic.runtime.conversations import unanswered, written
from agentic.runtime.record import PREFIX as RUNS
from agentic.runtime.record import failed

logger = logging.getLogger(__name__)

PAGE = 100
CUT = "The server ended while it was answering, and this run has kept nothing from which it could go on. Ask again."


async def sessions_since(storage: StorageBackend, moment: float) -> AsyncIterator[str]:
    """The sessions of a user that have had a request at or after ``moment`` (wall time), newest first."""
    after: str | None = None
    while page := await storage.list(CONVERSATIONS, after=after, limit=PAGE, newest_first=True):
        for stored in page:
            if stored.updated < moment:
                return
            yield stored.key.removeprefix(CONVERSATIONS)
        after = page[-1].key


async def mark_cut(storage: StorageBackend, session_id: str, server: str, open_runs: Collection[str]) -> None:
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
            logger.info("[Cut] Changed meanwhile: run=%s", run_id)
            continue
        log.append(mark)
        logger.warning("[Cut] Run ended with its server: run=%s session=%s", run_id, session_id)


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
