"""What a dialect makes of a request: everything the engine needs, and nothing of any wire format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from agentic.messages import Json, Message, message_from_json, message_to_json
from agentic.models.handle import Wishes
from agentic.ports.model import Sampling, ToolSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """One request for an answer.

    ``session_id`` None starts a new conversation; ``whole``: nobody reads along; ``approvals``: somebody is there to
    approve calls. ``instructions`` hold for this run alone. ``after`` is the id of a run that this one goes on after,
    whatever its conversation has come to since. Where not to ``keep``, nothing of the run is there after its end; one
    that is ``lasting`` goes on where nobody waits for it, and is there to be asked for from its beginning.
    ``asked``: see :class:`agentic.events.RunStarted`, whose log keeps it.
    """

    model: str
    messages: tuple[Message, ...]
    session_id: str | None = None
    client_tools: tuple[ToolSpec, ...] = ()
    wishes: Wishes = Wishes()
    options: Mapping[str, Any] = field(default_factory=dict)
    traceparent: str = ""
    whole: bool = False
    approvals: bool = False
    instructions: str = ""
    after: str = ""
    keep: bool = True
    lasting: bool = False
    asked: Json = field(default_factory=dict)


def request_to_json(request: RunRequest) -> Json:
    """A request as it is stored while its run is open: what is not in the run's messages or its log already."""
    tools = [
        {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
        for tool in request.client_tools
    ]
    return {
        "model": request.model,
        "messages": [message_to_json(message) for message in request.messages],
        "session_id": request.session_id,
        "client_tools": tools,
        "wishes": asdict(request.wishes),
        "options": dict(request.options),
        "traceparent": request.traceparent,
        "approvals": request.approvals,
    }


def request_from_json(data: Mapping[str, Any]) -> RunRequest:
    """Read a request written by :func:`request_to_json`. Nobody reads along any more."""
    sampling = {**data["wishes"]["sampling"], "stop": tuple(data["wishes"]["sampling"]["stop"])}
    return RunRequest(
        model=data["model"],
        messages=tuple(message_from_json(message) for message in data["messages"]),
        session_id=data["session_id"],
        client_tools=tuple(ToolSpec(**tool, client=True) for tool in data["client_tools"]),
        wishes=Wishes(**{**data["wishes"], "sampling": Sampling(**sampling)}),
        options=data["options"],
        traceparent=data["traceparent"],
        whole=True,
        approvals=data["approvals"],
    )
