"""A scripted Ollama server: it speaks Ollama's HTTP API to the letter and says what a test wants it to say.

In process, over a transport of httpx::

    ollama = ScriptedOllama()
    ollama.script(calls(("math", {"expression": "6*7"})), says("It is 42."))
    transport = httpx.ASGITransport(ollama)

On a real port, for cut connections, silence, and servers that run in a process of their own::

    async with ollama.serve() as url: ...
    with ollama.running() as url: ...

Scripted answers are given to chats in their order; then ``ollama.answer``, a function of the request's body, is asked;
without one it says the last message back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from agentic.messages import Json
from agentic.testing.ollama_exchange import Exchange
from agentic.testing.ollama_models import ScriptedModel
from agentic.testing.scripted_answers import (
    Answer,
    calls,
    cuts,
    errors_midstream,
    fails,
    hangs,
    instance,
    says,
    sends,
)
from agentic.testing.scripted_exchange import Receive, Scope, Send
from agentic.testing.scripted_server import RecordedRequest, ScriptedServer

__all__ = [
    "Answer",
    "RecordedRequest",
    "ScriptedModel",
    "ScriptedOllama",
    "calls",
    "cuts",
    "errors_midstream",
    "fails",
    "hangs",
    "says",
    "sends",
]


class ScriptedOllama(ScriptedServer):
    """An ASGI app that keeps to Ollama's API. ``models`` are those it has; default: ``qwen3:8b``, which takes tools.

    ``requests`` holds every request so far. ``faults`` maps a path such as ``/api/tags`` to an answer that every
    request there is given instead of the right one. One instance serves one test; it may be reached from any thread.
    """

    name = "ollama"
    chat_path = "/api/chat"

    def __init__(self, models: Iterable[ScriptedModel] | None = None, *, version: str = "0.12.6") -> None:
        super().__init__()
        given = [ScriptedModel("qwen3:8b")] if models is None else models
        self.models: dict[str, ScriptedModel] = {model.tag: model for model in given}
        self.version = version

    def exchange(self, scope: Scope, receive: Receive, send: Send) -> Exchange:
        """What answers one request as Ollama does."""
        return Exchange(self, scope, receive, send)

    def echo(self, body: Json) -> Answer:
        """The last message said back, or the smallest value that fits the request's format."""
        if body.get("format"):
            return says(json.dumps(instance(body["format"])))
        last = body["messages"][-1]
        if last["role"] == "tool":
            return says(f"The tool found: {last.get('content', '')}")
        return says(f"You said: {last.get('content', '')}")
