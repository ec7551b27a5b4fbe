"""Dialect: a run's events as a response of OpenAI's Responses API, streamed, whole, or as far as it is.

The server's own steps are summaries of reasoning, which every client takes; for clients that want structure the step
stands beside such a delta under the extra key ``agentic``, and all of them under that key of the response.

Events of a stream are numbered from 0 on. Where a run goes on without its client, a delta counts for as many numbers as
it has characters: so a stream can be taken up after any number, though the stored log has joined what came in pieces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from agentic.errors import AgenticError
from agentic.events import Decided, Entry, RunFailed, RunFinished, RunStarted
from agentic.messages import Json, Usage, dump
from agentic.server.dialects.responses_ids import response_id
from agentic.server.dialects.responses_items import Items
from agentic.server.dialects.steps import origin, steps_of
from agentic.server.sse import escape_line_breaks, failure, in_words

DELTAS = ("response.output_text.delta", "response.reasoning_summary_text.delta")
CODES = {400: "invalid_prompt", 429: "rate_limit_exceeded"}
STATUS_OF = {"stop": "completed", "tool_calls": "completed", "length": "incomplete", "cancelled": "cancelled"}

FIELDS = {"messages": "input", "response_format": "text.format", "session_id": "conversation"}


class ResponseWriter:
    """One response. ``asked`` is what its request said of it, ``after`` the number of the last event that was read."""

    fields: Mapping[str, str] = FIELDS

    def __init__(self, run_id: str, asked: Json, model: str, *, after: int = -1) -> None:
        self._run_id = run_id
        self._asked = asked
        self._model = model
        self._after = after
        self._number = -1
        self._items = Items(run_id, asked.get("tools", []))
        self._entries: list[Entry] = []
        self._session_id = ""
        self._created_at = 0.0
        self._decided: Decided | None = None
        self._error: AgenticError | None = None
        self._end: RunFinished | RunFailed | None = None

    def render(self, entries: Sequence[Entry]) -> bytes:
        """The entries as named events, framed as server-sent events."""
        return b"".join(self._framed(event) for entry in entries for event in self._take(entry))

    def fail(self, error: AgenticError) -> bytes:
        """The end of a stream that an error breaks off."""
        self._error = error
        told = self._items.close("incomplete")
        return b"".join(self._framed(event) for event in (*told, self._lifecycle("failed", "failed")))

    def whole(self, entries: Sequence[Entry]) -> Json:
        """The response as it is with these entries, which may be no more than the first ones."""
        for entry in entries:
            for _ in self._take(entry):
                pass
        return self._response(self._status)

    @property
    def _status(self) -> str:
        if isinstance(self._end, RunFinished):
            return STATUS_OF[self._end.reason]
        if self._end is not None:
            return "failed"
        return "in_progress" if self._decided else "queued"

    def _take(self, entry: Entry) -> Iterator[Json]:
        self._entries.append(entry)
        event = entry.event
        if isinstance(event, RunStarted):
            self._session_id, self._created_at = event.session_id, event.at
            yield self._lifecycle("created", "in_progress")
        elif isinstance(event, Decided):
            is_first = self._decided is None
            self._decided = event
            if is_first:
                yield self._lifecycle("in_progress", "in_progress")
        elif isinstance(event, (RunFinished, RunFailed)):
            self._end, self._error = event, failure(event)
            status = self._status
            yield from self._items.finish("completed" if status == "completed" else "incomplete")
            yield self._lifecycle(status if status in ("completed", "incomplete") else "failed", status)
        else:
            yield from self._items.take(entry)

    def _framed(self, event: Json) -> bytes:
        kind = event["type"]
        is_delta = kind in DELTAS
        counts = self._asked.get("background") and is_delta
        read, self._number = self._number, self._number + (len(event["delta"]) if counts else 1)
        if self._number <= self._after:
            return b""
        if counts and read < self._after:
            event = {**event, "delta": event["delta"][self._after - read :]}
        data = escape_line_breaks(dump({**event, "sequence_number": self._number}))
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)

    def _lifecycle(self, what: str, status: str) -> Json:
        return {"type": f"response.{what}", "response": self._response(status)}

    def _response(self, status: str) -> Json:
        end, error = self._end, self._error
        agentic = origin(self._run_id, self._session_id, self._decided)
        if end is not None or error is not None:
            agentic |= steps_of(self._entries)
        return {
            "id": response_id(self._run_id),
            "object": "response",
            "created_at": int(self._created_at),
            "completed_at": int(self._created_at + self._entries[-1].at) if status == "completed" else None,
            "status": status,
            "error": None if error is None or status == "cancelled" else _error(error),
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
            "model": self._model,
            "output": self._items.snapshot(),
            "usage": None if end is None else _usage(end.usage),
            "service_tier": "default",
            "top_logprobs": 0,
            **self._asked,
            "agentic": agentic,
        }


def _error(error: AgenticError) -> Json:
    """An error under one of the codes that OpenAI has for responses; ``reason`` is this server's own code."""
    in_words(error, FIELDS)
    code = CODES.get(error.status, "server_error")
    return {"code": code, "message": error.message, "type": error.type, "param": error.param, "reason": error.code}


def _usage(usage: Usage) -> Json:
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.total,
    }
