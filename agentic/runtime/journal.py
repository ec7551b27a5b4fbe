"""How a run comes into storage: whole at its end, or piece by piece from its first checkpoint on.

A run that keeps no checkpoint is written once, or, where it is lasting, at its beginning and its end. One that does is
*open* from then on: ``open_runs/{id}`` tells every server of it, ``runs/{id}/request`` and ``runs/{id}/checkpoint`` of
its user hold what it takes to go on, and its log grows as it works. Each piece is appended at the length this process
knows of, so that a run which another server has taken over cannot be written here any more.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from agentic.errors import Cancelled, Conflict, SessionNotFound, StorageError
from agentic.events import Checkpointed, Entry, entry_to_json
from agentic.messages import Json, Message, dump, message_to_json
from agentic.ports.space import Principal
from agentic.ports.storage import StorageBackend
from agentic.runtime.conversations import RUNS, Conversations
from agentic.runtime.presence import Presence
from agentic.runtime.record import answer, coalesce
from agentic.runtime.request import request_to_json
from agentic.runtime.run import LiveRun
from agentic.runtime.spaces import Scope

OPEN = "open_runs/"
Finish = Callable[[Sequence[Json]], Awaitable[None]]
"""Adds the answer, as it is stored, to the conversation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What a run that goes on has in storage: the length of its log, and how often it has been tried again.

    ``since`` is the number of the checkpoint that it goes on from; ``last`` the end of a log that has one already.
    """

    length: int
    tries: int
    since: int
    last: Entry | None = None


class Journal:
    """Writes one run, into what is kept for its user, ``owned``; that it is open is told to all servers.

    Its methods raise StorageError, Cancelled where another server goes on with the run, and SessionNotFound where its
    conversation is gone.
    """

    def __init__(
        self, live: LiveRun, owned: Scope, everything: Scope, presence: Presence, past: Past | None = None
    ) -> None:
        self._live = live
        self.owned = owned
        self._storage: StorageBackend = owned.storage
        self._conversations = Conversations(owned, live.principal.id)
        self._everything = everything.storage
        self._presence = presence
        self._messages: Sequence[Message] = ()
        self._length = past.length if past else 0
        self._tries = past.tries if past else 0
        self._kept = len(live.channel.entries) if past else 0
        self._in_pieces = past is not None
        self._lock = asyncio.Lock()
        live.is_open = past is not None

    def began(self, messages: Sequence[Message]) -> None:
        """Take the messages that the run's agent sees."""
        self._messages = messages

    async def show(self) -> None:
        """Begin the log in storage now: every server knows of the run then, and of its being cut."""
        if await self._live.is_stored():
            await self._presence.show()
            self._in_pieces = True
            await self._whole(self._append())

    async def checkpoint(self, data: Json) -> None:
        """See :meth:`agentic.ports.run.Run.checkpoint`."""
        if not isinstance(data, dict):
            raise TypeError(f"a checkpoint is a JSON object, not {type(data).__name__}")
        if not self._live.request.keep:
            return
        kept = json.loads(dump(data))
        self._in_pieces = True
        self._live.channel.emit(Checkpointed())
        number = self._live.channel.entries[-1].number
        await self._whole(self._checkpoint({"data": kept, "number": number, "calls": self._live.calls}))

    async def flush(self) -> None:
        """Write what has happened since the last write, if the run is open."""
        if self._live.is_open:
            await self._whole(self._append())

    async def store(self, last: Entry, finish: Finish) -> None:
        """Write the end: the log with ``last``, and the answer, which ``finish`` adds to the conversation.

        Of a run that the conversation does not know of, or whose conversation is gone, nothing is kept: no deletion
        would find it.
        """
        if not self._live.request.keep:
            await self._conversations.forget_run(self._live.session_id, self._live.id)
            return
        try:
            await self._store(last, finish)
        except (Conflict, SessionNotFound) as error:
            await self._conversations.forget_run(self._live.session_id, self._live.id)
            await self._everything.delete(OPEN + self._live.id)
            if isinstance(error, SessionNotFound):
                raise Cancelled("The conversation was deleted meanwhile. Nothing of this answer is kept.") from None
            raise

    async def _store(self, last: Entry, finish: Finish) -> None:
        said = answer(self._live, last)
        if self._in_pieces:
            await self._whole(self._append(last))
            await finish(said)
            await self.close()
            return
        opening = self._live.opening
        assert opening is not None, "what goes on from an earlier one's end is in pieces"
        await opening.settled()
        log = [entry_to_json(entry) for entry in coalesce([*self._live.channel.entries, last])]
        await opening.finish(said, self._storage.append(RUNS + self._live.id, log))

    async def close(self) -> None:
        """Remove what was kept for going on. The record of the open run goes last: until then all this is done anew."""
        await self._storage.delete_under(f"{RUNS}{self._live.id}/")
        await self._everything.delete(OPEN + self._live.id)

    async def release(self) -> None:
        """Leave the run to whichever server goes on with it; that this one ends does not count as a failed try."""
        await self.flush()
        await self._everything.save(OPEN + self._live.id, self._record("", max(0, self._tries - 1)))

    async def _checkpoint(self, checkpoint: Json) -> None:
        live = self._live
        place = f"{RUNS}{live.id}"
        if not live.is_open:
            if live.opening is None or not await live.opening.wait():
                raise StorageError("The request could not be stored.")
            await self._presence.show()
            await self._storage.save(f"{place}/request", self._request())
        await self._append()
        await self._storage.save(f"{place}/checkpoint", checkpoint)
        if not live.is_open:
            await self._everything.save(OPEN + live.id, self._record(self._presence.id, self._tries))
            live.is_open = True

    async def _append(self, *more: Entry) -> None:
        entries = self._live.channel.entries
        end = len(entries)
        log = [entry_to_json(entry) for entry in coalesce([*entries[self._kept : end], *more])]
        if not log:
            return
        try:
            self._length = await self._storage.append(RUNS + self._live.id, log, if_length=self._length)
        except Conflict:
            await self._conversations.head(self._live.session_id)
            raise Cancelled("Another server goes on with this run. Its answer will be in the conversation.") from None
        self._kept = end

    async def _whole(self, writing: Coroutine[Any, Any, None]) -> None:
        """One write after the other; one that has begun is brought to its end, also where its agent is cancelled."""

        async def write() -> None:
            async with self._lock:
                await writing

        task = asyncio.create_task(write())
        # An agent that is cancelled meanwhile does not ask how it went; the write that follows tells.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.shield(task)

    def _request(self) -> Json:
        live = self._live
        return {
            "request": request_to_json(live.request),
            "messages": [message_to_json(message) for message in self._messages],
            "agent": live.agent,
            "model": live.model_id,
            "shortlist": None if live.shortlist is None else sorted(live.shortlist),
        }

    def _record(self, server: str, tries: int) -> Json:
        return open_record(self._live.principal, self._live.session_id, server, tries)


def open_record(principal: Principal, session_id: str, server: str, tries: int) -> Json:
    """The record of an open run: whose it is, which server works on it, how often it was tried again."""
    user = {"id": principal.id, "name": principal.name, "role": principal.role, "via": principal.via}
    return {"user": user, "session_id": session_id, "server": server, "tries": tries}
