"""One request to a scripted model server and its answer, as ASGI messages; a kind of server adds its own words."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import TYPE_CHECKING, Any

from agentic.messages import Json
from agentic.testing.scripted_answers import Answer

if TYPE_CHECKING:
    from agentic.testing.scripted_server import ScriptedServer

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]

_YIELD_EVERY = 32


class ScriptedExchange(ABC):
    """Answers one request: the right answer, or the fault that the test asked for."""

    stream_type: bytes
    streams_unasked: bool

    def __init__(self, server: ScriptedServer, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self._server = server
        self._receive = receive
        self._send = send
        self._started = False
        self._ended = False
        self._gone = asyncio.Event()

    async def answer(self, body: Any) -> None:
        """Answer as the path asks, given the decoded body; a fault that the test set for the path comes first."""
        fault = self._server.faults.get(self.scope["path"])
        if fault is not None:
            await self.play(fault, body if isinstance(body, dict) else {})
        else:
            await self.respond(body)

    @abstractmethod
    async def respond(self, body: Any) -> None:
        """Answer rightly."""

    @abstractmethod
    async def refuse(self, answer: Answer) -> None:
        """Answer with an error status and this kind of server's error body."""

    @abstractmethod
    def streamed(self, answer: Answer, body: Json) -> Iterable[bytes]:
        """The parts of a streamed answer, its proper end or its error included."""

    @abstractmethod
    def joined(self, answer: Answer, body: Json) -> Json:
        """The answer as one object."""

    async def play(self, answer: Answer, body: Json) -> None:
        """Give a scripted answer, and see whether the client stays to its end."""
        if answer.status != 200:
            await self.refuse(answer)
            return
        watching = asyncio.create_task(self._watch())
        try:
            is_streamed = body.get("stream", self.streams_unasked)
            await (self._stream(answer, body) if is_streamed else self._once(answer, body))
            if self._gone.is_set() and not self._ended:
                self._server.left()
        finally:
            watching.cancel()

    async def part(self, data: bytes) -> None:
        """Send a part of a streamed answer."""
        if not self._started:
            await self._start(200, self.stream_type)
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        """End a streamed answer."""
        if not self._started:
            await self._start(200, self.stream_type)
        # A server also says "disconnected" once an answer is complete: that is nobody leaving.
        self._ended = True
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def whole(
        self,
        data: bytes,
        status: int = 200,
        content_type: bytes = b"application/json; charset=utf-8",
        headers: Headers = (),
    ) -> None:
        """Send an answer in one piece."""
        self._ended = True
        await self._start(status, content_type, [(b"content-length", str(len(data)).encode()), *headers])
        await self._send({"type": "http.response.body", "body": data, "more_body": False})

    async def _stream(self, answer: Answer, body: Json) -> None:
        await self._pause(answer.wait_s)
        for number, part in enumerate(self.streamed(answer, body)):
            if number:
                await self._pause(answer.delay_s)
            if self._gone.is_set():
                return
            await self.part(part)
            if number % _YIELD_EVERY == _YIELD_EVERY - 1:
                await asyncio.sleep(0)
        if answer.ending == "hang":
            await self._gone.wait()
        elif answer.ending == "cut":
            await self._cut()
        else:
            await self.end()

    async def _once(self, answer: Answer, body: Json) -> None:
        await self._pause(answer.wait_s + answer.delay_s * max(0, len(answer.pieces) - 1))
        if answer.ending == "hang":
            await self._gone.wait()
        elif answer.ending == "cut":
            await self._cut()
        elif answer.ending == "error":
            await self.refuse(Answer(status=500, error=answer.error))
        elif not self._gone.is_set():
            await self.whole(encoded(self.joined(answer, body)))

    async def _pause(self, seconds: float) -> None:
        if seconds > 0:
            try:
                await asyncio.wait_for(self._gone.wait(), seconds)
            except TimeoutError:
                return

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone.set()

    async def _cut(self) -> None:
        """Close the connection in mid-answer: a server does so when the app returns with the body open."""
        # In process there is no connection to cut, and the transport wants an end: the last line alone is missing.
        if "spec_version" not in self.scope["asgi"]:
            await self.end()
        elif not self._started:
            await self._start(200, self.stream_type)

    async def _start(self, status: int, content_type: bytes, headers: Headers = ()) -> None:
        self._started = True
        await self._send(
            {"type": "http.response.start", "status": status, "headers": [(b"content-type", content_type), *headers]}
        )


def encoded(value: Json) -> bytes:
    """``value`` as JSON on one line."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def extra_headers(answer: Answer) -> list[tuple[bytes, bytes]]:
    """The headers of a refusal beside those of every answer."""
    headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers]
    if answer.retry_after_s is not None:
        headers.append((b"retry-after", f"{answer.retry_after_s:g}".encode()))
    return headers
