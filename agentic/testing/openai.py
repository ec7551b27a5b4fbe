"""A scripted server that speaks OpenAI's API to the letter and says what a test wants it to say.

On a real port, where faults are as real as those of a network::

    upstream = ScriptedUpstream()
    upstream.script(calls(("math", {"expression": "6*7"})), says("It is 42."))
    async with upstream.serve() as url: ...     # the API is at f"{url}/v1"
    with upstream.running() as url: ...

Scripted answers are given to chats in their order; then ``upstream.answer``, a function of the request's body, is
asked; without one it says the last message back. ``streams`` gives a stream byte by byte, be it what it may.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from agentic.messages import Json
from agentic.testing.ollama_models import ScriptedModel
from agentic.testing.openai_exchange import Exchange
from agentic.testing.scripted_answers import (
    Answer,
    calls,
    cuts,
    errors_midstream,
    fails,
    hangs,
    instance,
    says,
)
from agentic.testing.scripted_exchange import Receive, Scope, Send
from agentic.testing.scripted_server import RecordedRequest, ScriptedServer

__all__ = [
    "Answer",
    "RecordedRequest",
    "ScriptedModel",
    "ScriptedUpstream",
    "calls",
    "cuts",
    "errors_midstream",
    "fails",
    "hangs",
    "says",
    "streams",
]


class ScriptedUpstream(ScriptedServer):
    """An ASGI app that keeps to OpenAI's API: ``/v1/models``, ``/v1/chat/completions`` and ``/v1/embeddings``.

    ``models`` are those it lists, in their order; default: one that chats. ``key``: the one bearer token that it takes;
    None takes any. ``refuses`` names fields of a chat request that it answers with 400 and the code
    ``unsupported_parameter``, as OpenAI's newer models do with ``max_tokens``. ``shows_context`` lists each model with
    its ``max_model_len``, as vLLM does. ``knows_streams=False`` gives every answer whole, whatever is asked.
    """

    name = "openai"
    chat_path = "/v1/chat/completions"

    def __init__(
        self,
        models: Iterable[ScriptedModel] | None = None,
        *,
        key: str | None = None,
        refuses: Iterable[str] = (),
        shows_context: bool = False,
        knows_streams: bool = True,
    ) -> None:
        super().__init__()
        given = [ScriptedModel("maker/chat-8b")] if models is None else models
        self.models: dict[str, ScriptedModel] = {model.name: model for model in given}
        self.key = key
        self.refuses = frozenset(refuses)
        self.shows_context = shows_context
        self.knows_streams = knows_streams

    def exchange(self, scope: Scope, receive: Receive, send: Send) -> Exchange:
        """What answers one request as OpenAI does."""
        return Exchange(self, scope, receive, send)

    def echo(self, body: Json) -> Answer:
        """The last message said back, or the smallest value that fits the request's schema."""
        form = body.get("response_format") or {}
        if form.get("type") == "json_schema":
            return says(json.dumps(instance(form["json_schema"].get("schema", {}))))
        last = body["messages"][-1]
        if last["role"] == "tool":
            return says(f"The tool found: {last.get('content', '')}")
        return says(f"You said: {last.get('content', '')}")


def streams(*parts: str | bytes, delay_s: float = 0) -> Answer:
    """Send these parts of the stream as they are, one write each, then end the body; nothing is added."""
    return Answer(lines=tuple(part.encode() if isinstance(part, str) else part for part in parts), delay_s=delay_s)
