"""Clients of scripted servers on real ports, closed with them at the end of a test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import pytest

from agentic.testing.ollama import ScriptedOllama
from agentic.testing.scripted_exchange import Receive, Scope, Send
from agentic_ollama.settings import Settings

T = TypeVar("T")


class Clients:
    """Makes clients of servers, each of which is served from its first client on."""

    def __init__(self) -> None:
        self.ends = AsyncExitStack()
        self._urls: dict[int, str] = {}

    def make(self, kind: Callable[[Settings], T], server: ScriptedOllama, **settings: Any) -> T:
        """A client of the server, under these settings."""
        if id(server) not in self._urls:
            self._urls[id(server)] = self.ends.enter_context(server.running())
        client: Any = kind(Settings(ollama_host=self._urls[id(server)], **settings))
        self.ends.push_async_callback(client.aclose)
        made: T = client
        return made


class OddOllama(ScriptedOllama):
    """A server that answers some paths with ``bodies`` of its own."""

    bodies: Mapping[str, bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = self.bodies.get(scope["path"])
        if body is None:
            await super().__call__(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
def odd_ollama() -> type[OddOllama]:
    return OddOllama


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    made = Clients()
    async with made.ends:
        yield made
