"""The events of a run: one tagged union. A run is its event log; trace, storage, wire and metrics derive from it.

The channel stamps each event with a number and a time (:class:`Entry`); the run's id is the log's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal, NamedTuple, get_args

from agentic.messages import Json, ToolCall, Usage, call_from_json, call_to_json

EndReason = Literal["stop", "length", "tool_calls", "cancelled"]
AUCTION, REQUEST = "auction", "request"
"""Who decided where no installed router did: the bids, or the client, who named an agent or a model."""


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a statement came from. ``start`` and ``end`` are character offsets in the answer, when known."""

    url: str
    title: str
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class File:
    """A file that a run has made: ``size`` in bytes, ``url`` where its owner can fetch it."""

    name: str
    media_type: str
    size: int
    url: str


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events; ``type`` is the tag under which an event is stored and served."""

    type: ClassVar[str]


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """The run was opened ``at`` this wall time; entries carry seconds since then. ``asked``: what its dialect keeps."""

    type: ClassVar[str] = "run_started"
    at: float
    session_id: str
    model: str
    traceparent: str = ""
    asked: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decided(Event):
    """The router chose ``agent``; ``bids`` holds every bid as ``{agent, fitness, reason}``, best first.

    ``router`` tells who decided: AUCTION, REQUEST, or the name of an installed router.
    """

    type: ClassVar[str] = "decided"
    agent: str
    reason: str
    bids: tuple[Json, ...] = ()
    router: str = REQUEST


@dataclass(frozen=True, slots=True)
class ModelStarted(Event):
    """A model call began; ``mode`` is how tools are called: native, schema, text, fit, or none."""

    type: ClassVar[str] = "model_started"
    provider: str
    model: str
    mode: str = "none"


@dataclass(frozen=True, slots=True)
class ModelFinished(Event):
    """A model call ended: its usage and finish reason, or its error."""

    type: ClassVar[str] = "model_finished"
    usage: Usage
    finish: str = "stop"
    error: str = ""


@dataclass(frozen=True, slots=True)
class ThinkingDelta(Event):
    """A piece of reasoning; not part of the answer."""

    type: ClassVar[str] = "thinking_delta"
    text: str


@dataclass(frozen=True, slots=True)
class TextDelta(Event):
    """A piece of the answer."""

    type: ClassVar[str] = "text_delta"
    text: str


@dataclass(frozen=True, slots=True)
class ToolCallStarted(Event):
    """A tool of the server begins. ``plugin`` ships it; ``risk`` and ``untrusted`` are its traits."""

    type: ClassVar[str] = "tool_call_started"
    id: str
    tool: str
    arguments: Json
    plugin: str = ""
    risk: str = "read"
    untrusted: bool = False


@dataclass(frozen=True, slots=True)
class ToolCallFinished(Event):
    """A tool of the server ended after ``seconds`` with ``result``, or with an error told in it."""

    type: ClassVar[str] = "tool_call_finished"
    id: str
    tool: str
    result: str
    error: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ApprovalNeeded(Event):
    """The call ``id`` waits for a person, for ``reason``; without an answer in ``seconds`` it is denied."""

    type: ClassVar[str] = "approval_needed"
    id: str
    tool: str
    arguments: Json
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class ApprovalGiven(Event):
    """The answer for the call ``id``: ``by`` names who gave it, and is empty where nobody did in time."""

    type: ClassVar[str] = "approval_given"
    id: str
    approved: bool
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Progress(Event):
    """How far a step is: ``done`` from 0 to 1 where it is known."""

    type: ClassVar[str] = "progress"
    id: str
    title: str
    state: str = "running"
    done: float | None = None


@dataclass(frozen=True, slots=True)
class CitationAdded(Event):
    """A source of the answer."""

    type: ClassVar[str] = "citation_added"
    citation: Citation


@dataclass(frozen=True, slots=True)
class FileAdded(Event):
    """A tool has made a file."""

    type: ClassVar[str] = "file_added"
    file: File


@dataclass(frozen=True, slots=True)
class HandedOver(Event):
    """The model called tools of the client's: the run ends and the client goes on."""

    type: ClassVar[str] = "handed_over"
    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True)
class Checkpointed(Event):
    """The agent has stored a state from which it can go on."""

    type: ClassVar[str] = "checkpointed"


@dataclass(frozen=True, slots=True)
class Resumed(Event):
    """The run goes on after a restart, at ``resumed_at`` (wall time); what was said after entry ``since`` is void."""

    type: ClassVar[str] = "resumed"
    resumed_at: float
    since: int


@dataclass(frozen=True, slots=True)
class Notice(Event):
    """Something the user should know: a limit that was hit, a stand-in that answered."""

    type: ClassVar[str] = "notice"
    text: str


@dataclass(frozen=True, slots=True)
class RunFinished(Event):
    """The run ended as it should, or was cancelled; ``reason`` says which."""

    type: ClassVar[str] = "run_finished"
    reason: EndReason
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class RunFailed(Event):
    """The run ended with an error, in the OpenAI error shape."""

    type: ClassVar[str] = "run_failed"
    status: int
    message: str
    error_type: str
    code: str | None = None
    param: str | None = None
    retry_after_s: float | None = None
    usage: Usage = Usage()


AnyEvent = (
    RunStarted
    | Decided
    | ModelStarted
    | ModelFinished
    | ThinkingDelta
    | TextDelta
    | ToolCallStarted
    | ToolCallFinished
    | ApprovalNeeded
    | ApprovalGiven
    | Progress
    | CitationAdded
    | FileAdded
    | HandedOver
    | Checkpointed
    | Resumed
    | Notice
    | RunFinished
    | RunFailed
)
_KINDS: dict[str, type[Usage | Citation | File]] = {"usage": Usage, "citation": Citation, "file": File}
EVENTS: dict[str, type[Event]] = {event.type: event for event in get_args(AnyEvent)}
_NAMES = {event: tuple(one.name for one in fields(event)) for event in EVENTS.values()}


class Entry(NamedTuple):
    """An event in a run's log: its number from 1 on, and the seconds since the run's start."""

    number: int
    at: float
    event: Event


def entry_to_json(entry: Entry) -> Json:
    """An entry as it is stored and served: ``{"type", "number", "at", …fields}``."""
    event = entry.event
    data: Json = {"type": event.type, "number": entry.number, "at": round(entry.at, 6)}
    return data | {name: _plain(getattr(event, name)) for name in _NAMES[type(event)]}


def entry_from_json(data: Mapping[str, Any]) -> Entry:
    """Read an entry written by :func:`entry_to_json`."""
    kind = EVENTS[data["type"]]
    values = {name: _revive(name, data[name]) for name in _NAMES[kind] if name in data}
    return Entry(data["number"], data["at"], kind(**values))


def _plain(value: Any) -> Any:
    if isinstance(value, ToolCall):
        return call_to_json(value)
    if isinstance(value, (Usage, Citation, File)):
        return {one.name: getattr(value, one.name) for one in fields(value)}
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value


def _revive(name: str, value: Any) -> Any:
    if name in _KINDS:
        return _KINDS[name](**value)
    if name == "calls":
        return tuple(call_from_json(call) for call in value)
    return tuple(value) if name == "bids" and isinstance(value, Sequence) else value
