"""The conversations of one user: stored messages under session ids that the server makes.

A conversation is a document (its head) and a log of messages in the documented form ``{role, content, timestamp}``,
with ``run_id``, ``incomplete``, ``tool_calls``, ``tool_call_id`` and ``name`` where they apply. ``internal`` marks tool
results that the client never saw: they are kept for the model and left out of what users read.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from agentic.errors import Conflict, SessionNotFound, StorageError
from agentic.messages import Json, Message, message_to_json
from agentic.ports.paging import whole_log
from agentic.ports.storage import Stored
from agentic.runtime.joining import answered, join, named
from agentic.runtime.spaces import Scope

SESSION_ID = re.compile(r"[0-9a-f]{24}")
CONVERSATIONS = "conversations/"
RUNS = "runs/"
"""Where the logs of runs lie, and in the store of files what runs have made."""
SUMMARIES = "summaries/"
"""Where what a model has made of a conversation's beginning is kept, see :mod:`agentic.runtime.history`."""
GONE_ON = "The conversation has gone on in between: send the request again."
Write = Coroutine[Any, Any, object]
"""A call of a storage's that writes, not begun yet."""


def timestamp(seconds: float | None = None) -> str:
    """Wall time (default: now) in the documented form, such as ``2025-10-23T12:00:00.123Z``."""
    moment = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def written(message: Message, at: str = "", **marks: object) -> Json:
    """A message as it is stored: ``at`` that time (default: now), with those marks that are set."""
    return {
        **message_to_json(message),
        "timestamp": at or timestamp(),
        **{key: value for key, value in marks.items() if value},
    }


@dataclass(frozen=True, slots=True)
class Turn:
    """What a request adds to a conversation: all messages for the model, those to be stored, and where the log ends.

    ``past`` is what a conversation begins with that branches off from another one, as it is stored there.
    ``at`` is when it came, in the documented form: it may be stored after its answer has been written.
    """

    messages: tuple[Message, ...]
    new: tuple[Message, ...]
    length: int
    past: tuple[Json, ...] = ()
    at: str = field(default_factory=timestamp)


class Conversations:
    """Conversations over what is kept for one user, ``owned``."""

    def __init__(self, owned: Scope, user_id: str) -> None:
        self.owned = owned
        self._storage = owned.storage
        self._user_id = user_id

    def new_id(self) -> str:
        """An id that no conversation has."""
        return secrets.token_hex(12)

    async def head(self, session_id: str) -> Stored:
        """The head of a conversation. Raises SessionNotFound."""
        stored = await self._storage.load(CONVERSATIONS + session_id) if SESSION_ID.fullmatch(session_id) else None
        if stored is None:
            raise SessionNotFound(f"There is no conversation '{session_id[:64]}'.", param="session_id")
        return stored

    async def turn(
        self,
        session_id: str,
        sent: Sequence[Message],
        *,
        new: bool,
        past: Sequence[Json] = (),
        after: str = "",
    ) -> Turn:
        """Join what is stored, or the ``past`` of a new conversation, with what was sent.

        ``after`` is the run that this is to follow: the last one there. Raises Conflict where it is not.
        """
        if new and not past:
            return Turn(answered(named(sent)), tuple(sent), 0)
        kept = past or await self.log(session_id)
        # Somebody else may have gone on after the same run while this one waited.
        if after and (not kept or kept[-1].get("run_id") != after):
            raise Conflict(GONE_ON)
        messages, added = join(kept, sent, goes_on=bool(after))
        if not past:
            return Turn(answered(messages), added, len(kept))
        # The runs of another conversation are deleted with that one.
        unowned = ({name: value for name, value in item.items() if name != "run_id"} for item in past)
        return Turn(answered(messages), added, 0, tuple(unowned))

    async def begin(
        self,
        session_id: str,
        turn: Turn,
        *more: Write,
        new: bool,
        run_id: str,
        answer: Sequence[Json] = (),
    ) -> None:
        """Store the request's messages, the answer where it is there already, from :func:`written`, and ``more``.

        A crash leaves nothing of them without the conversation's head, by which a deletion finds it. Raises Conflict if
        the conversation has gone on in between.
        """
        key = CONVERSATIONS + session_id
        items = [*turn.past, *(written(message, turn.at, run_id=run_id) for message in turn.new), *answer]
        try:
            if new:
                head = self._storage.save(key, {"created_at": turn.at, "title": _title(turn.new)}, if_version=0)
                await self._storage.in_order(head, self._storage.append(key, items, if_length=0), *more)
            else:
                stored = await self.head(session_id)
                append = self._storage.append(key, items, if_length=turn.length)
                await asyncio.gather(append, self._rewrite(stored), *more)
        except Conflict:
            raise Conflict(GONE_ON) from None

    async def finish(self, session_id: str, items: Sequence[Json], *, length: int | None = None) -> None:
        """Store what a run has answered: messages from :func:`written`, at this ``length`` where nobody else has.

        Raises SessionNotFound where the conversation was deleted meanwhile.
        """
        key = CONVERSATIONS + session_id
        with contextlib.suppress(Conflict):
            if length is not None:
                await self._storage.append(key, items, if_length=length)
                return
        await self.head(session_id)
        await self._storage.append(key, items)
        await self.head(session_id)

    async def finish_once(self, session_id: str, run_id: str, items: Sequence[Json]) -> None:
        """Store what a run has answered, unless its answer is there already."""
        if run_id in unanswered(await self.log(session_id)):
            await self.finish(session_id, items)

    async def page(self, *, after: str | None, limit: int) -> Sequence[Json]:
        """Heads of conversations, newest first: ``{session_id, user_id, title, created_at, updated_at}``.

        ``after`` is the last one seen. Raises SessionNotFound if that is gone.
        """
        start = None if after is None else (await self.head(after)).key
        found = await self._storage.list(CONVERSATIONS, after=start, limit=limit, newest_first=True)
        return [{**self._described(stored), "title": stored.value["title"]} for stored in found]

    async def read(self, session_id: str) -> Json:
        """A conversation in the documented form. Raises SessionNotFound."""
        stored = await self.head(session_id)
        messages = [item for item in await self.log(session_id) if not item.get("internal")]
        described = self._described(stored)
        return {
            "session_id": session_id,
            "user_id": described["user_id"],
            "messages": messages,
            "created_at": described["created_at"],
            "updated_at": described["updated_at"],
        }

    async def rename(self, session_id: str, title: str) -> Json:
        """Give a conversation this title, on one line; returns its head as in a page. Raises SessionNotFound."""
        await self._rewrite(await self.head(session_id), title=" ".join(title.split()))
        stored = await self.head(session_id)
        return {**self._described(stored), "title": stored.value["title"]}

    async def log(self, session_id: str) -> list[Json]:
        """The stored messages of a conversation, internal ones among them; empty where there is none."""
        return await whole_log(self._storage, CONVERSATIONS + session_id)

    async def delete(self, session_id: str) -> Json:
        """Delete a conversation with its runs; returns what was removed, counted. Raises SessionNotFound."""
        # One whose head is damaged is deleted as well; where storage is away, what follows tells.
        with contextlib.suppress(StorageError):
            await self.head(session_id)
        log = await self.log(session_id)
        runs = runs_in(log)
        removed = await asyncio.gather(*(self._storage.delete(RUNS + run_id) for run_id in runs))
        files = await asyncio.gather(*(self.owned.clear(RUNS + run_id) for run_id in runs))
        kept = await self.owned.clear(f"sessions/{session_id}")
        await self._storage.delete(SUMMARIES + session_id)
        await self._storage.delete(CONVERSATIONS + session_id)
        # What another server has stored of its runs until now; from now on it sees that the conversation is gone.
        for run_id in unanswered(log):
            await self.forget_run(session_id, run_id)
        return {
            "session_id": session_id,
            "deleted": True,
            "messages": len(log),
            "runs": sum(removed),
            "files": sum(files),
            "kept_by_plugins": kept,
        }

    async def delete_run(self, session_id: str, run_id: str) -> bool:
        """Delete a run; whether its conversation went with it, having no other that is there. Raises SessionNotFound.

        What was said in a conversation that has others stays there, since their turns build on it.
        """
        others = [other for other in runs_in(await self.log(session_id)) if other != run_id]
        if not any([await self._storage.read(RUNS + other, limit=1) for other in others]):
            await self.delete(session_id)
            return True
        await self._storage.delete(RUNS + run_id)
        await self.owned.clear(RUNS + run_id)
        return False

    async def forget_run(self, session_id: str, run_id: str) -> None:
        """Remove what a run has stored, and what it has added to a conversation that is gone."""
        await self._storage.delete(RUNS + run_id)
        await self.owned.clear(RUNS + run_id)
        if await self._storage.load(CONVERSATIONS + session_id) is None:
            await self._storage.delete(CONVERSATIONS + session_id)
            await self._storage.delete(SUMMARIES + session_id)
            await self.owned.clear(f"sessions/{session_id}")

    async def _rewrite(self, stored: Stored, **changed: object) -> None:
        """Write a head anew, which makes it the newest one, and keep what others have changed meanwhile."""
        while True:
            try:
                await self._storage.save(stored.key, {**stored.value, **changed}, if_version=stored.version)
            except Conflict:
                stored = await self.head(stored.key.removeprefix(CONVERSATIONS))
            else:
                return

    def _described(self, stored: Stored) -> Json:
        return {
            "session_id": stored.key.removeprefix(CONVERSATIONS),
            "user_id": self._user_id,
            "created_at": stored.value["created_at"],
            "updated_at": timestamp(stored.updated),
        }


def runs_in(log: Sequence[Json]) -> list[str]:
    """The ids of the runs that have added to a conversation's log."""
    return sorted({item["run_id"] for item in log if item.get("run_id")})


def unanswered(log: Sequence[Json]) -> dict[str, Json]:
    """The runs whose request is in a conversation's log, and their answer not: run id to the request's last message.

    A request may bring answers as well, from a history that the client has kept, so the last message tells.
    """
    last = {item["run_id"]: item for item in log if item.get("run_id")}
    return {run_id: item for run_id, item in last.items() if item["role"] != "assistant" and not item.get("internal")}


def _title(messages: Sequence[Message]) -> str:
    """The beginning of the first thing that the user said."""
    said = next((message.text for message in messages if message.role == "user"), "")
    text = " ".join(said.split())
    return text if len(text) <= 80 else f"{text[:79]}…"
