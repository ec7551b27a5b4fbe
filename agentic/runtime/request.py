"""What a dialect makes of a request: everything the engine needs, and nothing of any wire format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agentic.messages import Message
from agentic.models.handle import Wishes
from agentic.ports.model import ToolSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """One request for an answer.

    ``session_id`` None starts a new conversation; ``whole``: nobody reads along; ``approvals``: somebody is there to
    approve calls.
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
