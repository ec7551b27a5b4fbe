"""Dialect: a run's events as OpenAI chat completions, streamed or whole.

The answer is in ``content``. Steps travel as ``reasoning_content`` and, for clients that want structure, as one extra
top-level key ``agentic`` on the same ordinary chunk. ``tool_calls`` are only ever calls of the client's own tools.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agentic.errors import AgenticError
from agentic.events import (
    Citation,
    CitationAdded,
    Decided,
    Entry,
    Event,
    HandedOver,
    RunFailed,
    RunFinished,
    TextDelta,
    ThinkingDelta,
    entry_to_json,
)
from agentic.messages import Json, Usage, call_to_json, dump
from agentic.runtime.run import LiveRun
from agentic.server.dialects.steps import PLAIN_STEPS, origin, steps_of, thought
from agentic.server.errors import error_body
from agentic.server.sse import escape_line_breaks, failure

DONE = b"data: [DONE]\n\n"


class Completion:
    """One answer on its way to the wire; ``model`` is the value that the client asked for."""

    fields: Mapping[str, str] = {}

    def __init__(self, live: LiveRun, model: str, *, include_usage: bool = False) -> None:
        self._live = live
        self._include_usage = include_usage
        self._identity = {
            "id": f"chatcmpl-{live.id.removeprefix('run_')}",
            "created": int(live.started_at),
            "model": model,
        }
        self._began = False
        self._decided: Decided | None = None
        self._citations: list[Citation] = []
        self._around_text: tuple[bytes, bytes] | None = None

    def render(self, entries: Sequence[Entry]) -> bytes:
        """The entries as chunks, framed as server-sent events."""
        written: list[bytes] = []
        for entry in entries:
            event = entry.event
            if isinstance(event, TextDelta):
                if not self._began:
                    written.append(self._first())
                written.append(self._text(event.text))
            elif (writer := WRITERS.get(type(event))) is not None:
                # The first chunk carries the decision, so it waits for it where it can.
                if not (self._began or type(event) is Decided):
                    written.append(self._first())
                written.append(writer(self, event, entry))
        return b"".join(written)

    def fail(self, error: AgenticError) -> bytes:
        """The end of a stream that an error breaks off."""
        return self._data(error_body(error)) + DONE

    def whole(self, entries: Sequence[Entry]) -> Json:
        """A finished run as one ``chat.completion`` object."""
        last = entries[-1].event
        if not isinstance(last, RunFinished):
            raise TypeError("only a finished run is a completion")
        events = [entry.event for entry in entries]
        self._decided = next((event for event in events if isinstance(event, Decided)), None)
        citations = [event.citation for event in events if isinstance(event, CitationAdded)]
        calls = [call for event in events if isinstance(event, HandedOver) for call in event.calls]
        text = "".join(event.text for event in events if isinstance(event, TextDelta))
        thinking = "".join(thought(event) for event in events)
        message: Json = {"role": "assistant", "content": text if text or not calls else None, "refusal": None}
        if thinking:
            message["reasoning_content"] = thinking
        if calls:
            message["tool_calls"] = [call_to_json(call) for call in calls]
        message["annotations"] = [_annotation(citation) for citation in citations]
        return {
            **self._identity,
            "object": "chat.completion",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": last.reason}],
            "usage": _usage(last.usage),
            "session_id": self._live.session_id,
            "agentic": {**self._origin(), **steps_of(entries)},
        }

    def _first(self) -> bytes:
        self._began = True
        return self._data({**self._chunk({"role": "assistant", "content": ""}), "agentic": self._origin()})

    def _origin(self) -> Json:
        return origin(self._live.id, self._live.session_id, self._decided)

    def _decide(self, event: Decided, entry: Entry) -> bytes:
        self._decided = event
        return self._told(entry, {}) if self._began else b""

    def _text(self, text: str) -> bytes:
        if self._around_text is None:
            self._around_text = _split(self._chunk({"content": "\0"}))
        before, after = self._around_text
        return b"%b%b%b" % (before, escape_line_breaks(dump(text)), after)

    def _think(self, event: ThinkingDelta, _: Entry) -> bytes:
        return self._data(self._chunk({"reasoning_content": event.text}))

    def _step(self, event: Event, entry: Entry) -> bytes:
        told = thought(event)
        return self._told(entry, {"reasoning_content": told} if told else {})

    def _cite(self, event: CitationAdded, entry: Entry) -> bytes:
        self._citations.append(event.citation)
        return self._told(entry, {})

    def _hand_over(self, event: HandedOver, _: Entry) -> bytes:
        calls = [{"index": n, **call_to_json(call)} for n, call in enumerate(event.calls)]
        return self._data(self._chunk({"tool_calls": calls}))

    def _finish(self, event: RunFinished, _: Entry) -> bytes:
        if (cancelled := failure(event)) is not None:
            return self.fail(cancelled)
        delta: Json = {}
        if self._citations:
            delta["annotations"] = [_annotation(citation) for citation in self._citations]
        last = self._chunk(delta, finish=event.reason)
        written = [self._data(last)]
        if self._include_usage:
            written.append(self._data({**self._chunk({}), "choices": [], "usage": _usage(event.usage)}))
        return b"".join((*written, DONE))

    def _fail(self, event: RunFailed, _: Entry) -> bytes:
        error = failure(event)
        assert error is not None
        return self.fail(error)

    def _told(self, entry: Entry, delta: Json) -> bytes:
        """A chunk with the entry beside it, for clients that want structure."""
        return self._data({**self._chunk(delta), "agentic": entry_to_json(entry)})

    def _chunk(self, delta: Json, *, finish: str | None = None) -> Json:
        chunk: Json = {
            **self._identity,
            "object": "chat.completion.chunk",
            "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
        }
        if self._include_usage:
            chunk["usage"] = None
        return chunk

    @staticmethod
    def _data(value: Any) -> bytes:
        return b"data: %b\n\n" % escape_line_breaks(dump(value))


WRITERS: dict[type[Event], Callable[[Completion, Any, Entry], bytes]] = {
    Decided: Completion._decide,
    ThinkingDelta: Completion._think,
    CitationAdded: Completion._cite,
    HandedOver: Completion._hand_over,
    RunFinished: Completion._finish,
    RunFailed: Completion._fail,
    **dict.fromkeys(PLAIN_STEPS, Completion._step),
}


def _split(chunk: Json) -> tuple[bytes, bytes]:
    """The bytes of a text chunk before and after its text, so that each token needs one small dump."""
    before, _, after = (b"data: %b\n\n" % dump(chunk)).partition(b'"\\u0000"')
    return escape_line_breaks(before), after


def _annotation(citation: Citation) -> Json:
    return {
        "type": "url_citation",
        "url_citation": {
            "url": citation.url,
            "title": citation.title,
            "start_index": citation.start or 0,
            "end_index": citation.end or 0,
        },
    }


def _usage(usage: Usage) -> Json:
    return {"prompt_tokens": usage.prompt, "completion_tokens": usage.completion, "total_tokens": usage.total}
