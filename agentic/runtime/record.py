"""What is kept of a run: its answer in the conversation, and its log of events."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from agentic.errors import NotFound
from agentic.events import (
    Entry,
    HandedOver,
    RunFinished,
    TextDelta,
    ThinkingDelta,
    ToolCallFinished,
    ToolCallStarted,
    entry_to_json,
)
from agentic.messages import Json, Message, ToolCall
from agentic.ports.storage import StorageBackend
from agentic.runtime.conversations import written
from agentic.runtime.opening import Opening
from agentic.runtime.run import LiveRun
from agentic.runtime.spaces import whole_log

PREFIX = "runs/"


class Records:
    """The runs of one user."""

    def __init__(self, storage: StorageBackend) -> None:
        self._storage = storage

    async def store(self, live: LiveRun, last: Entry, opening: Opening) -> None:
        """Write the answer and the log of a run that ends with ``last``."""
        log = [entry_to_json(entry) for entry in coalesce([*live.channel.entries, last])]
        await asyncio.gather(opening.finish(answer(live, last)), self._storage.append(PREFIX + live.id, log))

    async def session_of(self, run_id: str) -> str:
        """The session that a stored run was a turn of. Raises NotFound."""
        [started] = await self._storage.read(PREFIX + run_id, limit=1) or [None]
        if started is None:
            raise NotFound(f"There is no run '{run_id[:64]}'.")
        return str(started["session_id"])

    async def trace(self, run_id: str) -> list[Json]:
        """The stored events of a run. Raises NotFound."""
        is_name = run_id and "/" not in run_id
        events = await whole_log(self._storage, PREFIX + run_id) if is_name else []
        if not events:
            raise NotFound(f"There is no run '{run_id[:64]}'.")
        return events


def so_far(live: LiveRun) -> list[Json]:
    """The events of a run that is at work, as they will be stored."""
    return [entry_to_json(entry) for entry in coalesce(live.channel.entries)]


def coalesce(entries: Iterable[Entry]) -> list[Entry]:
    """Join neighbouring deltas of one kind, so that a stored log has one entry a stretch and not one a token."""
    joined: list[Entry] = []
    texts: list[str] = []

    def close() -> None:
        if texts:
            first = joined[-1]
            joined[-1] = first._replace(event=type(first.event)("".join(texts)))  # type: ignore[call-arg]
            texts.clear()

    for entry in entries:
        event = entry.event
        if isinstance(event, (TextDelta, ThinkingDelta)):
            if texts and type(joined[-1].event) is type(event):
                texts.append(event.text)
                continue
            close()
            texts.append(event.text)
        else:
            close()
        joined.append(entry)
    close()
    return joined


def answer(live: LiveRun, last: Entry) -> list[Json]:
    """What a run adds to its conversation.

    After a hand-over that is every call of the run with the server's results, which the model needs to go on; the
    client has seen neither those calls nor those results.
    """
    whole = isinstance(last.event, RunFinished) and last.event.reason in ("stop", "tool_calls")
    handed = _handed_over(live.channel.entries)
    if not handed:
        return [written(Message("assistant", live.text), run_id=live.id, incomplete=not whole)]
    calls, results = _own_calls(live.channel.entries)
    spoken = Message("assistant", live.text, tool_calls=(*calls, *handed))
    return [
        written(spoken, run_id=live.id),
        *(written(result, run_id=live.id, internal=True) for result in results),
    ]


def _handed_over(entries: Sequence[Entry]) -> tuple[ToolCall, ...]:
    return next((entry.event.calls for entry in entries if isinstance(entry.event, HandedOver)), ())


def _own_calls(entries: Sequence[Entry]) -> tuple[list[ToolCall], list[Message]]:
    """The server's calls that came to a result, and their results: no model goes on from a call without one."""
    calls: list[ToolCall] = []
    results: list[Message] = []
    for entry in entries:
        event = entry.event
        if isinstance(event, ToolCallStarted):
            calls.append(ToolCall(event.id, event.tool, event.arguments))
        elif isinstance(event, ToolCallFinished):
            results.append(Message("tool", event.result, tool_call_id=event.id, name=event.tool))
    finished = {result.tool_call_id for result in results}
    return [call for call in calls if call.id in finished], results
