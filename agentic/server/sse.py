"""Server-sent events, framed by hand: one write a batch, pings in silence, and the client's leaving is noticed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Any, Protocol, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from agentic.errors import AgenticError, Cancelled
from agentic.events import Entry, Event, HandedOver, RunFailed, RunFinished, TextDelta, ThinkingDelta, ToolCallStarted
from agentic.runtime.run import LiveRun
from agentic.server.errors import error_response

logger = logging.getLogger(__name__)

T = TypeVar("T")
PING = b": ping\n\n"
PING_S = 15.0
TICK_S = 1.0
HOLD_S = 10.0
"""The status goes out with the model's first sign of life, or after this many seconds as 200 with pings."""
SIGNS_OF_LIFE = (TextDelta, ThinkingDelta, ToolCallStarted, HandedOver, RunFinished)
HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
}
LINE_BREAKS = ((b"\xc2\x85", b"\\u0085"), (b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"))


class Renderer(Protocol):
    """A dialect's way of writing events on the wire.

    ``fields``: what it calls the fields of a request that the kernel finds at fault under other names.
    """

    fields: Mapping[str, str]

    def render(self, entries: Sequence[Entry]) -> bytes:
        """The entries as whole server-sent events; may be empty."""
        ...

    def fail(self, error: AgenticError) -> bytes:
        """The end of a stream that an error breaks off."""
        ...


def escape_line_breaks(data: bytes) -> bytes:
    """Escape what some clients take for the end of a line: U+0085, U+2028 and U+2029 within JSON strings."""
    for raw, escaped in LINE_BREAKS:
        if raw in data:
            data = data.replace(raw, escaped)
    return data


async def chunks(live: LiveRun, renderer: Renderer) -> AsyncGenerator[bytes, None]:
    """A run's events on the wire. A run that fails before the model's first sign of life raises its error instead.

    Silence is looked at every TICK_S: an agent that tells of its progress must not put off the status for ever.
    """
    clock = asyncio.get_running_loop().time
    held: list[Entry] | None = []
    written_at = clock()
    async for batch in live.batches(quiet_s=TICK_S):
        if held is None:
            data = renderer.render(batch)
            is_quiet = not data and clock() - written_at >= PING_S
        else:
            held += batch
            is_quiet = clock() - written_at >= HOLD_S
            if not any(isinstance(entry.event, SIGNS_OF_LIFE) for entry in held):
                if held and (error := failure(held[-1].event)) is not None:
                    raise error
                if not is_quiet:
                    continue
            data, held = renderer.render(held), None
        if data or is_quiet:
            yield data or PING
            written_at = clock()


async def lasting_chunks(live: LiveRun, renderer: Renderer) -> AsyncGenerator[bytes, None]:
    """As :func:`chunks`, from the first event on, once the request is stored; raises the error where it cannot be."""
    if not await live.is_begun() and (error := failure((await live.log())[-1].event)) is not None:
        raise error
    async for batch in live.channel.follow(quiet_s=PING_S):
        yield renderer.render(batch) or PING


def failure(event: Event) -> AgenticError | None:
    """The error to tell a client that still listens, if this last event is no proper end of an answer."""
    if isinstance(event, RunFinished) and event.reason == "cancelled":
        return Cancelled("The run was ended before its answer was whole.")
    if not isinstance(event, RunFailed):
        return None
    error = AgenticError(event.message, param=event.param, retry_after_s=event.retry_after_s)
    error.status, error.type, error.code = event.status, event.error_type, event.code
    return error


def in_words(error: AgenticError, fields: Mapping[str, str]) -> AgenticError:
    """The error, its field called as a dialect calls it, see :class:`Renderer`."""
    if error.param is not None:
        error.param = fields.get(error.param, error.param)
    return error


class EventStream(Response):
    """A run as server-sent events. Its status is known only once it has begun."""

    def __init__(self, live: LiveRun, renderer: Renderer, headers_of: Callable[[LiveRun], Mapping[str, str]]) -> None:
        super().__init__()
        self._live = live
        self._renderer = renderer
        self._headers_of = headers_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        watching = asyncio.create_task(leaving(receive, self._live.cancel))
        try:
            await self._answer(scope, receive, send)
        except OSError:
            # Servers of ASGI 2.4 and later raise this from send when the client has gone.
            logger.debug("[EventStream] Client has gone: run=%s", self._live.id)
        finally:
            watching.cancel()
            # Nobody reads on. A run that has ended does not mind.
            self._live.cancel()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False
        try:
            async with aclosing(self._chunks()) as stream:
                async for chunk in stream:
                    if not begun:
                        await send(self._start())
                        begun = True
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever fails, the client is told in the one shape
            told = self._told(error)
            if not begun:
                response = error_response(told)
                response.headers.update(self._headers_of(self._live))
                await response(scope, receive, send)
                return
            await send({"type": "http.response.body", "body": self._renderer.fail(told), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _chunks(self) -> AsyncGenerator[bytes, None]:
        return chunks(self._live, self._renderer)

    def _told(self, error: Exception) -> AgenticError:
        if isinstance(error, AgenticError):
            return in_words(error, self._renderer.fields)
        logger.error("[EventStream] Not written: run=%s", self._live.id, exc_info=error)
        return AgenticError(f"The server failed ({type(error).__name__}). Its log says more.")

    def _start(self) -> dict[str, object]:
        fields = {**HEADERS, **self._headers_of(self._live)}
        headers = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
        return {"type": "http.response.start", "status": 200, "headers": headers}


class LastingStream(EventStream):
    """A run that goes on where its client goes away. Any number may read along, each from the beginning.

    It is told of as soon as its request is stored, so that the client knows what to ask for later.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        answering = asyncio.create_task(self._answer(scope, receive, send))
        watching = asyncio.create_task(leaving(receive, answering.cancel))
        try:
            await asyncio.wait([answering])
        finally:
            watching.cancel()
            answering.cancel()
        error = None if answering.cancelled() else answering.exception()
        if isinstance(error, OSError):
            logger.debug("[EventStream] Client has gone: run=%s", self._live.id)
        elif error is not None:
            raise error

    def _chunks(self) -> AsyncGenerator[bytes, None]:
        return lasting_chunks(self._live, self._renderer)


async def leaving(receive: Receive, left: Callable[[], object]) -> None:
    """Call ``left`` when the client disconnects. The body must have been read."""
    with suppress(asyncio.CancelledError):
        while (await receive())["type"] != "http.disconnect":
            continue
        left()


async def until_left(receive: Receive, answer: Awaitable[T], left: Callable[[], object]) -> T:
    """Wait for an answer, and call ``left`` if the client goes away before it is there."""
    watching = asyncio.create_task(leaving(receive, left))
    try:
        return await answer
    finally:
        watching.cancel()


async def unless_left(receive: Receive, work: Coroutine[Any, Any, T], what: str) -> T:
    """What the work comes to; where the client goes away before, it ends. Raises Cancelled then, of ``what``."""
    task = asyncio.create_task(work)
    try:
        await until_left(receive, asyncio.wait([task]), task.cancel)
    finally:
        task.cancel()
    if task.cancelled():
        raise Cancelled(f"The client went away before {what} there.")
    return task.result()
