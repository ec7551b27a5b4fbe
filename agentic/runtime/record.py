"""What is kept of a run: its answer in the conversation, and its log of events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agentic.errors import AgenticError, NotFound
from agentic.events import Entry, HandedOver, RunFailed, RunFinished, TextDelta, ThinkingDelta, entry_to_json
from agentic.messages import Json, Message, ToolCall, Usage
from agentic.ports.paging import whole_log
from agentic.ports.storage import StorageBackend
from agentic.runtime.conversations import RUNS, written
from agentic.runtime.replay import Replay
from agentic.runtime.run import LiveRun


async def session_of(storage: StorageBackend, run_id: str) -> str:
    """The session that a stored run of a user was a turn of. Raises NotFound."""
    [started] = await storage.read(RUNS + run_id, limit=1) or [None]
    if started is None:
        raise NotFound(f"There is no run '{run_id[:64]}'.")
    return str(started["session_id"])


async def trace(storage: StorageBackend, run_id: str) -> list[Json]:
    """The stored events of a run of a user. Raises NotFound."""
    is_name = run_id and "/" not in run_id
    events = await whole_log(storage, RUNS + run_id) if is_name else []
    if not events:
        raise NotFound(f"There is no run '{run_id[:64]}'.")
    return events


def failed(error: AgenticError, usage: Usage = Usage()) -> RunFailed:
    """The last event of a run that ends with this error."""
    return RunFailed(
        status=error.status,
        message=error.message,
        error_type=error.type,
        code=error.code,
        param=error.param,
        retry_after_s=error.retry_after_s,
        usage=usage,
    )


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
    handed = next((one.event.calls for one in live.channel.entries if isinstance(one.event, HandedOver)), ())
    if not handed:
        return [written(Message("assistant", live.text), run_id=live.id, incomplete=not whole)]
    calls, results = _own_calls(live.channel.entries)
    spoken = Message("assistant", live.text, tool_calls=(*calls, *handed))
    return [
        written(spoken, run_id=live.id),
        *(written(result, run_id=live.id, internal=True) for result in results),
    ]


def _own_calls(entries: Sequence[Entry]) -> tuple[list[ToolCall], list[Message]]:
    """A call that was cut off by a restart and then run anew has two beginnings in the log, and counts once."""
    calls: list[ToolCall] = []
    results: list[Message] = []
    for call in Replay(entries).finished():
        calls.append(ToolCall(call.id, call.tool, call.arguments))
        results.append(Message("tool", call.result, tool_call_id=call.id, name=call.tool, untrusted=call.untrusted))
    return calls, results
