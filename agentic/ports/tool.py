"""Port: a tool that a model may call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pydantic import BaseModel

from agentic.events import Citation, File
from agentic.messages import Json
from agentic.ports.space import Principal, Space

Risk = Literal["read", "write", "execute"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What the kernel must know of a tool to run it well.

    ``risk``: reads, writes or executes; what does more than read may need a person's approval. ``untrusted``: its
    results come from strangers and are handed to the model as delimited data. ``timeout_s``: seconds until it is
    cancelled. ``parallel``: may run beside other calls. ``idempotent``: a call may be repeated after a restart of the
    server; one that must happen at most once says False. ``examples``: plain requests that this tool serves; the router
    and models without tool calling choose by them.
    """

    risk: Risk = "read"
    untrusted: bool = False
    timeout_s: float = 30
    parallel: bool = True
    idempotent: bool = True
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool found, as the model shall read it, and where it came from. ``error`` marks a failure."""

    content: str
    citations: tuple[Citation, ...] = ()
    error: bool = False


class ToolContext(Protocol):
    """What a tool is given beside its arguments; everything in it is bound to the calling user."""

    call_id: str
    principal: Principal
    space: Space
    """What the tool's plugin keeps for this user."""
    conversation: Space
    """What it keeps for this conversation of theirs; it goes with the conversation."""

    async def save_file(self, name: str, media_type: str, data: bytes) -> File:
        """Store a file that the call has made; it is the user's, and linked in the answer.

        A name that the run has given already gets a number; what is no file name is made one. Raises StorageError, and
        ToolError where the user's room for files is used up.
        """
        ...

    def progress(self, text: str, done: float | None = None) -> None:
        """Tell the user how far the call is; ``done`` from 0 to 1."""


class Tool(Protocol):
    """A tool. Subclass it, or use the ``@agentic.tool`` decorator on an async function.

    ``args`` is a pydantic model (its schema is shown to the model and arguments are validated against it) or a JSON
    Schema object. ``rank`` settles which of two equally fit tools comes first.
    """

    name: str
    description: str
    args: type[BaseModel] | Json
    traits: Traits = Traits()
    rank: int = 0

    def suggest(self, text: str) -> Json | None:
        """Arguments read by rule from a plain request that clearly asks for this tool, else None.

        Serves the router, and models that cannot fill in arguments. Must be cheap: under a millisecond.
        """
        return None

    async def run(self, args: Any, ctx: ToolContext) -> ToolResult | str:
        """Do it. ``args`` is an instance of ``self.args``, or a dict where that is a JSON Schema.

        Raises ToolRetry (call again, better) or ToolError (go another way); the message is for the model.
        """
        ...

    async def check(self) -> str:
        """How it works on this machine, in one line for operators; empty if there is nothing to say.

        ``agentic doctor`` asks for it; it may take its time. Raises ToolError with the cause and the fix where the
        tool cannot work.
        """
        return ""

    async def aclose(self) -> None:
        """End what the tool keeps running, such as worker processes. Called once, when the server stops."""
        return None


@dataclass(frozen=True, slots=True)
class NotConfigured:
    """Returned by a hook in place of a capability that lacks a setting: it is listed with its fix, and not offered."""

    name: str
    fix: str


def schema_fault(schema: Any) -> str:
    """What is wrong with a JSON Schema of a tool's arguments, in a few words; empty if nothing is.

    Looked at is what the kernel itself reads of it: the type, properties, definitions, and what is required.
    """
    if not isinstance(schema, dict):
        return "the schema is no JSON object"
    if schema.get("type", "object") != "object":
        return "the schema's type is not 'object'"
    for place in ("properties", "$defs", "definitions"):
        named = schema.get(place, {})
        if not isinstance(named, dict) or not all(isinstance(one, (dict, bool)) for one in named.values()):
            return f"the schema's {place} are no object of schemas"
    required = schema.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        return "the schema's required is no list of names"
    return ""
