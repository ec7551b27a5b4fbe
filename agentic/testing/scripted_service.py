"""A scripted service of the web that is asked by GET and answers with one JSON object: Wikipedia, Open-Meteo and such.

Faults are those of every scripted server: ``service.script(fails(429, "slow down", retry_after_s=7))`` for the next
request, ``service.faults[path] = fails(500, "down")`` for all at a path. :func:`late`, :func:`huge`, :func:`packed`,
:func:`moved`, and ``sends(b"")`` or ``sends("<html>")`` make the others.
"""

from __future__ import annotations

import gzip
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from agentic.messages import Json
from agentic.testing.scripted_answers import Answer, sends
from agentic.testing.scripted_exchange import Receive, Scope, ScriptedExchange, Send, encoded, extra_headers
from agentic.testing.scripted_server import RecordedRequest, ScriptedServer

_PIECE = 65_536


class ScriptedService(ScriptedServer):
    """An ASGI app that answers each GET rightly, unless a test scripts otherwise."""

    chat_path = ""

    @abstractmethod
    def right_answer(self, request: RecordedRequest) -> Answer:
        """What the service itself would answer."""

    @abstractmethod
    def refusal(self, answer: Answer) -> Json:
        """The body of an answer with a status other than 200."""

    def echo(self, body: Json) -> Answer:
        """The right answer to the latest request, which ``body`` holds under ``request``."""
        return self.right_answer(body["request"])

    def exchange(self, scope: Scope, receive: Receive, send: Send) -> ServiceExchange:
        """What answers one request."""
        return ServiceExchange(self, scope, receive, send)


class ServiceExchange(ScriptedExchange):
    """Answers one request as the service says."""

    stream_type = b"application/json; charset=utf-8"
    streams_unasked = True

    def __init__(self, service: ScriptedService, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(service, scope, receive, send)
        self._service = service

    async def respond(self, body: Any) -> None:
        """Give the scripted answer, or the right one."""
        await self.play(self._service.next_answer({"request": self._service.requests[-1]}), {})

    async def play(self, answer: Answer, body: Json) -> None:
        """Give an answer; one with headers of its own is sent in one piece."""
        if answer.headers and answer.status == 200:
            await self.whole(b"".join(answer.lines or ()), headers=extra_headers(answer))
        else:
            await super().play(answer, body)

    async def refuse(self, answer: Answer) -> None:
        """Answer with another status than 200, and with the service's body for that."""
        data = b"".join(answer.lines) if answer.lines is not None else encoded(self._service.refusal(answer))
        await self.whole(data, answer.status, headers=extra_headers(answer))

    def streamed(self, answer: Answer, body: Json) -> Iterable[bytes]:
        """The bytes of the answer as they are."""
        return answer.lines or ()

    def joined(self, answer: Answer, body: Json) -> Json:
        """The message of a model's answer; a service has none, and every answer of it is sent as its bytes."""
        return answer.whole


def gives(value: Json) -> Answer:
    """Answer with ``value`` as JSON."""
    return sends(encoded(value))


def late(answer: Answer, seconds: float) -> Answer:
    """The same answer, whose first byte comes only after ``seconds``."""
    return replace(answer, wait_s=seconds)


def huge(megabytes: int) -> Answer:
    """A JSON object of that many megabytes, sent in pieces."""
    pieces = [b"x" * _PIECE] * (megabytes * 1024 * 1024 // _PIECE)
    return sends(b'{"x": "', *pieces, b'"}')


def packed(data: bytes) -> Answer:
    """``data`` compressed by gzip, and said to be so."""
    return Answer(lines=(gzip.compress(data),), headers=(("Content-Encoding", "gzip"),))


def moved(address: str, status: int = 302) -> Answer:
    """Redirect to ``address``."""
    return Answer(status=status, error="moved", headers=(("Location", address),))
