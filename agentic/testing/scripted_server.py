"""What every scripted model server is: an ASGI app that records, and a real port for it.

A kind of server, such as :class:`agentic.testing.ollama.ScriptedOllama`, says how it answers.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from agentic.messages import Json
from agentic.testing.scripted_answers import Answer, says
from agentic.testing.scripted_exchange import Receive, Scope, ScriptedExchange, Send

Answering = Callable[[Json], "Answer | str"]


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request as it came: ``body`` is the decoded JSON, or None; header names are in lower case.

    ``query`` holds the parameters of the address, decoded.
    """

    path: str
    body: Any
    headers: dict[str, str]
    query: dict[str, str] = field(default_factory=dict)


class ScriptedServer(ABC):
    """An ASGI app that answers as a test wants. One instance serves one test; any thread may reach it.

    ``requests`` holds every request so far. ``faults`` maps a path to an answer that every request there is given
    instead of the right one. Chats are given the answers of :meth:`script` in their order; then ``answer``, a function
    of the request's body, is asked; without one the server echoes.
    """

    name: str
    chat_path: str

    def __init__(self) -> None:
        self.requests: list[RecordedRequest] = []
        self.faults: dict[str, Answer] = {}
        self.answer: Answering | None = None
        self._script: deque[Answer | str] = deque()
        self._left = 0

    @property
    def chats(self) -> list[Json]:
        """The bodies of all chats so far."""
        return [request.body for request in self.requests if request.path == self.chat_path]

    def script(self, *answers: Answer | str) -> None:
        """Queue answers for the chats to come; a string is said."""
        self._script.extend(answers)

    def next_answer(self, body: Json) -> Answer:
        """The answer to a valid chat request: scripted, else asked of ``answer``, else an echo."""
        if self._script:
            chosen = self._script.popleft()
        else:
            chosen = self.answer(body) if self.answer is not None else self.echo(body)
        return says(chosen) if isinstance(chosen, str) else chosen

    @abstractmethod
    def echo(self, body: Json) -> Answer:
        """What is answered where the test says nothing."""

    @abstractmethod
    def exchange(self, scope: Scope, receive: Receive, send: Send) -> ScriptedExchange:
        """What answers one request."""

    def left(self) -> None:
        """Note that a client closed its connection before the answer's end."""
        self._left += 1

    async def disconnected(self, timeout: float = 1) -> bool:  # noqa: ASYNC109  the time is the question here
        """Whether a client left before the end of its answer, waiting up to ``timeout`` seconds for one to do so.

        Each departure is told once.
        """
        until = time.monotonic() + timeout
        # Polled: the server may live on another thread's loop.
        while not self._left:
            if time.monotonic() >= until:
                return False
            await asyncio.sleep(0.005)
        self._left -= 1
        return True

    @asynccontextmanager
    async def serve(self, port: int = 0) -> AsyncIterator[str]:
        """Serve on a port of 127.0.0.1 (0: a free one), from a thread, and give the address."""
        running = self.running(port)
        url = await asyncio.to_thread(running.__enter__)
        try:
            yield url
        finally:
            await asyncio.to_thread(running.__exit__, None, None, None)

    @contextmanager
    def running(self, port: int = 0) -> Iterator[str]:
        """As :meth:`serve`, for code that is not async."""
        import uvicorn

        listener = socket.create_server(("127.0.0.1", port))
        config = uvicorn.Config(self, lifespan="off", access_log=False, log_config=None)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), name=f"scripted-{self.name}", daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = server.force_exit = True
            thread.join(10)
            listener.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as ASGI says."""
        if scope["type"] != "http":
            return
        raw = await _whole_body(receive)
        exchange = self.exchange(scope, receive, send)
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            await exchange.refuse(Answer(status=400, error="invalid character in JSON"))
            return
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        query = dict(parse_qsl(scope.get("query_string", b"").decode(), keep_blank_values=True))
        self.requests.append(RecordedRequest(scope["path"], body, headers, query))
        await exchange.answer(body)


async def _whole_body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)
